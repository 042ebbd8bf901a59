"""Options that several commands share."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from conv4rec.errors import QueryError

if TYPE_CHECKING:
    from conv4rec.compare.jobs import Limits
    from conv4rec.config import Config
    from conv4rec.ids import Ids
    from conv4rec.recommender import Conv4Rec
    from conv4rec.training import Trainer

Source = Annotated[str, typer.Option("--data", help="A data set (see `conv4rec data list`), a path, or URL#TABLE.")]
Sources = Annotated[
    list[str],
    typer.Option("--data", help="A data set, a path, URL#TABLE, or the URL of a store of `serve`; may be repeated."),
]
TestSource = Annotated[str | None, typer.Option("--test", help="A given test part, instead of a split of --data.")]
Model = Annotated[Path, typer.Argument(help="A model file, as written by `conv4rec train`.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Toml = Annotated[Path | None, typer.Option("--config", help="Settings as a TOML file.")]
Sets = Annotated[
    list[str] | None, typer.Option("--set", help="section.field=value, see `conv4rec config`; may be repeated.")
]
Recipe = Annotated[
    str | None,
    typer.Option("--recipe", help="A named protocol (see `conv4rec data recipes`); --set goes before it."),
]
Query = Annotated[str | None, typer.Option("--query", help="SQL to run, where the source is a database URL.")]
Trials = Annotated[int | None, typer.Option("--trials", min=1, help="Search: most settings to try.")]
Seconds = Annotated[float | None, typer.Option("--seconds", min=0.001, help="Search: most seconds to spend.")]
Params = Annotated[
    list[str] | None,
    typer.Option("--params", help="Hyper-parameters: MODEL=FILE, or a file or JSON with a table a model."),
]
User = Annotated[str | None, typer.Option("--user", "-u", help="A known user.")]
History = Annotated[
    list[str] | None, typer.Option("--history", help="ITEM=RATING, or ITEM, of a new user; may be repeated.")
]
Like = Annotated[float | None, typer.Option("--like", help="The lowest rating that counts as liked.")]
K = Annotated[int, typer.Option("-k", help="Length of the list.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Write to this .parquet, .csv or .jsonl file.")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes on a Ray cluster; needs conv4rec[ray].")
]
Address = Annotated[
    str | None, typer.Option("--address", help="Of a running Ray cluster, with --workers: auto, HOST:PORT or ray://...")
]


def given(words: list[str] | None) -> list[str]:
    """The values of an option that may be repeated, none where it was not given."""
    return [] if words is None else words


def settings(config: Path | None, recipe: str | None, overrides: list[str] | None) -> "Config":
    """The settings of --config, then of --recipe, then of --set, the later winning."""
    from conv4rec.config import load_config
    from conv4rec.recipes import use_recipe

    if recipe is None:
        return load_config(config, given(overrides))
    return use_recipe(load_config(config), recipe, given(overrides))


def limits(trials: int | None, seconds: float | None) -> "Limits | None":
    """The budget of a search; None where none is given."""
    from conv4rec.compare.jobs import Limits

    return None if trials is None and seconds is None else Limits(trials=trials, seconds=seconds)


def trainer(workers: int | None, address: str | None) -> "Trainer | None":
    """What trains on several workers; None for this process."""
    if workers is None:
        refuse_address(address)
        return None
    from conv4rec.scale.training import RayTraining

    return RayTraining(workers, address)


def refuse_address(address: str | None) -> None:
    """Raise QueryError for an address that nothing would be asked of."""
    if address is not None:
        raise QueryError(f"--address {address}: expected --workers beside it")


def import_from_here() -> None:
    """Let `package.module:NAME` be found in the folder at hand, as `python -m` does."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)


def parse_ids(texts: list[str], ids: "Ids") -> list[Any]:
    """Ids from the command line, as integers where the model has integers; QueryError for a text that is none."""
    if not ids.are_integers:
        return texts
    for text in texts:
        if not text.lstrip("-").isdecimal():
            raise QueryError(f"{ids.kind} {text!r}: the {ids.kind} ids of this model are integers")
    return [int(text) for text in texts]


def parse_history(texts: list[str], fitted: "Conv4Rec") -> dict[int | str, float | None]:
    """The history of somebody new from ITEM=RATING and ITEM; QueryError for a rating that is no number."""
    pairs = [_parse_event(text) for text in texts]
    items = parse_ids([item for item, _ in pairs], fitted.vocabulary.items)
    return dict(zip(items, (rating for _, rating in pairs), strict=True))


def parse_numbers(texts: list[str], option: str) -> dict[float, float]:
    """NUMBER=NUMBER pairs; QueryError for anything else."""
    try:
        return {float(key): float(value) for key, _, value in (text.partition("=") for text in texts)}
    except ValueError:
        raise QueryError(f"{option} {' '.join(texts)}: expected RATING=NUMBER, such as 5=3") from None


def ask(
    fitted: "Conv4Rec", command: str, user: str | None, history: list[str] | None
) -> tuple[str, int | str | dict[int | str, float | None]]:
    """Whom a question is about: the ending of the verb's name, and the known user or the history it is given.

    Raises QueryError unless exactly one of --user and --history was given.
    """
    if (user is None) == (not history):
        raise QueryError(f"{command}: expected either --user or --history")
    if user is not None:
        return "", parse_ids([user], fitted.vocabulary.users)[0]
    return "_for", parse_history(given(history), fitted)


def _parse_event(text: str) -> tuple[str, float | None]:
    item, equals, rating = text.rpartition("=")
    if not equals:
        return text, None
    try:
        return item, float(rating)
    except ValueError:
        raise QueryError(f"--history {text!r}: rating {rating!r} is not a number; expected ITEM=RATING") from None
