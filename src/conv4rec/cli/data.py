"""`conv4rec data`: what data sets there are, what is odd about one, what is in one."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from conv4rec.cli import options
from conv4rec.cli.output import download_bar, print_json

if TYPE_CHECKING:
    from conv4rec.config import DataConfig
    from conv4rec.data.checks import Finding
    from conv4rec.data.ratings import Ratings

app = typer.Typer(help="Data sets: which there are, what is odd about them, what is in them.", no_args_is_help=True)

Source = Annotated[str, typer.Argument(help="A named data set (see `conv4rec data list`), a path, or a database URL.")]
Given = Annotated[str | None, typer.Option("--test", help="A test part to check against, a path.")]


@app.command("list")
def list_sets(as_json: options.Json = False) -> None:
    """Show the named data sets and where each is; nothing is downloaded."""
    from conv4rec.data.named import NAMED_SETS, find

    rows = {name: {"about": known.about, "licence": known.licence, "place": ""} for name, known in NAMED_SETS.items()}
    for name, known in NAMED_SETS.items():
        folder = find(name)
        offer = "can be downloaded" if known.downloads else "to be asked for from its publisher"
        rows[name]["place"] = str(folder) if folder is not None else "built in" if name == "simulated" else offer
    if as_json:
        print_json({"sets": rows})
        return
    console = Console()
    for name, row in rows.items():
        console.print(f"[bold]{name:16}[/bold]{row['place']}", highlight=False, soft_wrap=True)
        console.print(f"{'':16}{row['about']}; {row['licence']}", style="dim", highlight=False, soft_wrap=True)


@app.command("recipes")
def list_recipes(as_json: options.Json = False) -> None:
    """Show the named recipes for --recipe: what each does, for which data, and what counts as relevant."""
    from conv4rec.recipes import RECIPES

    if as_json:
        print_json({"recipes": {name: asdict(recipe) for name, recipe in RECIPES.items()}})
        return
    console = Console()
    for name, recipe in RECIPES.items():
        console.print(f"[bold]{name:16}[/bold]{recipe.about}", highlight=False, soft_wrap=True)
        told = f"data: {recipe.data}; relevant: {recipe.relevance}"
        console.print(f"{'':16}{told}", style="dim", highlight=False, soft_wrap=True)


@app.command()
def check(
    source: Source,
    test: Given = None,
    query: options.Query = None,
    config: options.Toml = None,
    set_: options.Sets = None,
    as_json: options.Json = False,
) -> None:
    """Report what is odd: repeats, cold users and items, time stamps, rare ratings, leaks into a given test part.

    A named data set that comes with a test part is checked against it.
    """
    from conv4rec.data.checks import check

    settings = _settings(config, set_)
    train, given = _parts(source, test, query, settings)
    findings = check(train, given)
    if as_json:
        told = {"data": train.name, "test": None if given is None else given.name, "notes": list(train.notes)}
        print_json(told | {"findings": [finding.to_dict() for finding in findings]})
    else:
        _tell_findings(train, given, findings)


@app.command()
def describe(
    source: Source,
    query: options.Query = None,
    config: options.Toml = None,
    set_: options.Sets = None,
    as_json: options.Json = False,
) -> None:
    """Show how many users, items and interactions there are, the rating scale, and the time span."""
    from conv4rec.data.describe import describe
    from conv4rec.data.sources import load_ratings

    with download_bar() as progress:
        told = describe(load_ratings(source, config=_settings(config, set_), query=query, progress=progress))
    if as_json:
        print_json(told)
        return
    table = Table("", "", box=None, pad_edge=False, show_header=False)
    for name, value in told.items():
        if value not in (None, {}, []):
            table.add_row(name.replace("_", " "), _text(value))
    Console().print(table)


def _settings(config: options.Toml, set_: options.Sets) -> "DataConfig":
    from conv4rec.config import load_config

    return load_config(config, options.given(set_)).data


def _parts(
    source: str, test: str | None, query: str | None, settings: "DataConfig"
) -> "tuple[Ratings, Ratings | None]":
    """The ratings, with all repeats, and the test part that is given, or that the publisher gives."""
    from conv4rec.data.named import NAMED_SETS, given_parts
    from conv4rec.data.ratings import same_scale
    from conv4rec.data.sources import load_ratings

    settings = settings.model_copy(update={"keep": "all"})
    with download_bar() as progress:
        given = given_parts(source, config=settings, progress=progress) if source in NAMED_SETS and not test else None
        if given is not None:
            return given
        ratings = load_ratings(source, config=settings, query=query, progress=progress)
        return ratings, None if test is None else load_ratings(test, config=same_scale(settings, ratings))


def _tell_findings(train: "Ratings", given: "Ratings | None", findings: "list[Finding]") -> None:
    console = Console()
    beside = "" if given is None else f" and {len(given)} test interactions"
    console.print(f"{train.name}: {len(train)} interactions{beside}", highlight=False, markup=False)
    for finding in findings:
        colour = "yellow" if finding.is_warning else "dim"
        console.print(f"[{colour}]{finding.about:8}[/{colour}] {finding.text}", highlight=False, soft_wrap=True)
    if not findings:
        console.print("nothing odd")


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_text(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
