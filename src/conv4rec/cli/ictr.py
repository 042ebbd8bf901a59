"""`conv4rec ictr`: what came of recommendations that were shown."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from conv4rec.cli import options
from conv4rec.cli.output import download_bar, print_json, print_table

if TYPE_CHECKING:
    from conv4rec.data.ratings import Ratings


def ictr(
    shown: Annotated[Path, typer.Option("--shown", help="Log of what was shown: .parquet, .csv or .jsonl.")],
    data: options.Source,
    within: Annotated[
        list[float] | None, typer.Option("--within", help="Seconds after a list is shown; may be repeated. 600.")
    ] = None,
    by: Annotated[
        list[str] | None, typer.Option("--by", help="Column of the log to measure apart; may be repeated.")
    ] = None,
    query: options.Query = None,
    config: options.Toml = None,
    set_: options.Sets = None,
    as_json: options.Json = False,
) -> None:
    """Share of shown lists of which the user then took an item: iCTR, per model where the log tells.

    The log has the columns user_id, timestamp and item_id (a list of items, or one item a row), and may have model and
    rank_by, which are measured apart. --data are the interactions, with time stamps; every event counts.
    """
    from conv4rec.config import load_config
    from conv4rec.data.sources import load_ratings
    from conv4rec.online import ictr

    settings = load_config(config, options.given(set_))
    with download_bar() as progress:
        every = settings.data.model_copy(update={"keep": "all"})
        ratings = load_ratings(data, config=every, query=query, progress=progress)
    windows = [600.0] if within is None else within
    table = ictr(shown, ratings.frame, windows, settings.evaluate, by=options.given(by) or None)
    if as_json:
        print_json({"shown": str(shown), "data": ratings.name, "notes": list(ratings.notes), "rows": table.to_dicts()})
    else:
        print_table(table)
        _tell(ratings, max(table["unfinished"].to_list()))


def _tell(ratings: "Ratings", unfinished: int) -> None:
    console = Console()
    for note in ratings.notes:
        console.print(note, style="dim", highlight=False, markup=False, soft_wrap=True)
    if unfinished:
        text = f"up to {unfinished} lists a row have a window that ends after the last interaction in {ratings.name}"
        console.print(text, style="dim", highlight=False, markup=False, soft_wrap=True)
