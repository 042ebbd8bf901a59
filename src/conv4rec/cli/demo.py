"""`conv4rec demo`: the whole story on real ratings, in the terminal."""

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from conv4rec.cli.output import download_bar
from conv4rec.cli.train import fit_and_save
from conv4rec.errors import DatasetNotFoundError

if TYPE_CHECKING:
    import polars as pl

    from conv4rec.config import Config
    from conv4rec.data.parts import Parts
    from conv4rec.evaluation import Report
    from conv4rec.recommender import Conv4Rec

PLAIN: dict[str, Any] = {"soft_wrap": True, "highlight": False}
SHOWN = ("ndcg@20", "recall@20", "rmse", "nll")


def demo(
    data: Annotated[str | None, typer.Option("--data", help="Default: ml-100k, else the simulator.")] = None,
    model: Annotated[Path, typer.Option("--model", "-m", help="Where to save the model.")] = Path("runs/demo.conv4rec"),
    k: Annotated[int, typer.Option("-k", help="Items in a list.")] = 5,
    svg: Annotated[Path | None, typer.Option("--svg", help="Save what is shown as a picture, too.")] = None,
) -> None:
    """Train on real ratings (ml-100k; the built-in simulator where it cannot be had) and show what the model says."""
    from conv4rec.baselines import MostPopular
    from conv4rec.config import Config
    from conv4rec.data.interactions import Interactions
    from conv4rec.evaluation import evaluate

    console, settings = Console(record=svg is not None), Config()
    parts = _load(data, settings, console)
    known, held_out = parts.known, parts.split.test
    assert held_out is not None  # noqa: S101 - the default split has a test part
    console.print(f"{len(known):,} ratings of {known.n_users:,} users and {known.n_items:,} items", highlight=False)
    console.print(parts.split.recipe, style="dim", highlight=False)
    fitted = fit_and_save(settings, parts, model)
    vocabulary = fitted.vocabulary
    history, targets = (Interactions.from_ratings(r, vocabulary) for r in (held_out.history, held_out.targets))
    popular = MostPopular.fit(Interactions.from_ratings(parts.split.train, vocabulary), vocabulary.types)
    _tell_figures(console, fitted.evaluate(held_out), evaluate(popular, history, targets))
    _tell_user(console, fitted, k)
    _tell_next(console, model)
    if svg is not None:
        console.save_svg(str(svg), title="make demo")


def _load(data: str | None, settings: "Config", console: Console) -> "Parts":
    from conv4rec.data.parts import load_parts

    with download_bar() as progress:
        if data is not None:
            return load_parts(data, settings, progress=progress)
        try:
            parts = load_parts("ml-100k", settings, progress=progress)
        except DatasetNotFoundError as error:
            console.print(f"[yellow]{error}[/yellow]", highlight=False)
            told = "[bold]Training on the built-in simulator[/bold]: ratings that were made, not given by people."
            console.print(told)
            return load_parts("simulated", settings)
    console.print("[bold]Training on MovieLens 100K[/bold]: real ratings of films.")
    return parts


def _tell_figures(console: Console, ours: "Report", popular: "Report") -> None:
    table = Table(
        "held-out data", "most popular + biases", "conv4rec", "", box=None, pad_edge=False, title_justify="left"
    )
    meaning = ("what they take", "what they take", "how they rate it", "both: nats per interaction")
    for name, said in zip(SHOWN, meaning, strict=True):
        table.add_row(
            name, f"{popular.metrics[name]:.4f}", f"[bold]{ours.metrics[name]:.4f}[/bold]", f"[dim]{said}[/dim]"
        )
    console.print()
    console.print(table)


def _tell_user(console: Console, fitted: "Conv4Rec", k: int) -> None:
    """A user with a middling history: long enough to know, short enough to be like most."""
    state = fitted.vocabulary
    user = _typical_user(fitted)
    history = fitted.history_of(user).sort("rating", descending=True, nulls_last=True, maintain_order=True)
    console.print(f"\n[bold]User {user}[/bold], {history.height} ratings. Favourites:", highlight=False)
    for row in history.head(k).iter_rows(named=True):
        console.print(f"  {_stars(row['rating'])}  {_name(row)}", highlight=False)
    taken = fitted.recommend([user], k)
    _tell_list(console, "Would take next (p_consume)", taken, "p_consume")
    if state.types.n_levels:
        table = fitted.recommend([user], k, rank_by="rating")
        _tell_list(console, "Would rate highest (expected rating)", table, "expected_rating")
        _tell_law(console, taken, fitted)


def _tell_next(console: Console, model: Path) -> None:
    """Where the model is, and last the command that opens the page on it."""
    from conv4rec.service.settings import ServiceSettings

    settings, program, file = ServiceSettings(models=(model,)), shlex.quote(_program()), shlex.quote(str(model))
    console.print(f"\nSaved to [bold]{model}[/bold]. Next: {program} recommend {file} --help", **PLAIN)
    address = f"http://{settings.host}:{settings.port}/"
    console.print(f"To see it in a browser: [bold]{program} serve {file}[/bold], then open {address}", **PLAIN)


def _program() -> str:
    """How this program is called: by its path where the shell would not find it by its name, as after `make demo`."""
    path = Path(sys.argv[0])
    return str(path) if path.name == "conv4rec" and shutil.which("conv4rec") is None else "conv4rec"


def _typical_user(fitted: "Conv4Rec") -> int | str:
    import numpy as np

    counts = fitted.history_counts()
    middle = np.argsort(counts, kind="stable")[len(counts) // 2]
    user: int | str = fitted.vocabulary.users.take(np.array([middle])).item()
    return user


def _tell_list(console: Console, title: str, table: "pl.DataFrame", column: str) -> None:
    console.print(f"\n[bold]{title}[/bold]")
    top = float(table[column].max())  # type: ignore[arg-type]
    rows = Table(box=None, pad_edge=False, show_header=True)
    rows.add_column("")
    rows.add_column("", no_wrap=True, width=28)
    rows.add_column("", width=12)
    for name in ("p_consume", "expected_rating", "p_like"):
        rows.add_column(name, justify="right", no_wrap=True)
    for row in table.iter_rows(named=True):
        bar = "█" * max(1, round(12 * row[column] / top))
        figures = (f"{row['p_consume']:.2%}", *(f"{row[n]:.2f}" for n in ("expected_rating", "p_like") if n in row))
        rows.add_row(f"{row['rank']:>3}", _name(row), f"[green]{bar}[/green]", *figures)
    console.print(rows)


def _tell_law(console: Console, table: "pl.DataFrame", fitted: "Conv4Rec") -> None:
    row = table.row(0, named=True)
    console.print(f"\n[bold]If they take “{_name(row)}”, every rating has a probability[/bold]")
    for value in fitted.vocabulary.types.rating_values:
        p = row[f"p_rating_{value:g}"]
        console.print(f"  {value:g}  [green]{'█' * round(40 * p)}[/green] {p:.2f}", highlight=False)


def _name(row: dict[str, object]) -> str:
    title = row.get("title")
    return str(title) if title is not None else f"item {row['item_id']}"


def _stars(rating: float | None) -> str:
    return "not rated" if rating is None else f"{rating:g}"
