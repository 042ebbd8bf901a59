"""`conv4rec explain`: which items of a history moved a prediction, and by how much."""

from typing import TYPE_CHECKING, Annotated

import typer

from conv4rec.cli import options
from conv4rec.cli.output import check_suffix, give_frame, print_rows
from conv4rec.errors import QueryError

if TYPE_CHECKING:
    import polars as pl

SHOWN = {"consume": "p_consume", "rating": "expected_rating", "like": "p_like"}


def explain(
    model: options.Model,
    item: Annotated[list[str] | None, typer.Option("--item", "-i", help="An item to explain; may be repeated.")] = None,
    user: options.User = None,
    history: options.History = None,
    k: Annotated[int, typer.Option("-k", help="Items of the history to name, for each item explained.")] = 10,
    by: Annotated[str, typer.Option(help="What moved most: consume, rating or like.")] = "consume",
    like: options.Like = None,
    out: options.Out = None,
    as_json: options.Json = False,
) -> None:
    """Explain what is predicted of items: the whole history against none, then the items of it that matter most.

    Every item of the history is left out in turn and the rest encoded anew; an effect is the prediction less what it
    would be without the item. Effects on p_consume are in nats: 0.1 means a tenth more likely, about.
    """
    from conv4rec.recommender import Conv4Rec

    if not item:
        raise QueryError("explain: expected --item")
    check_suffix(out)
    fitted = Conv4Rec.load(model)
    ending, whom = options.ask(fitted, "explain", user, history)
    items = options.parse_ids(item, fitted.vocabulary.items)
    table = getattr(fitted, f"explain{ending}")(whom, items, k, by=by, like=like)
    if as_json or out is not None:
        give_frame(table, name="reasons", as_json=as_json, out=out, model=model)
    else:
        print_rows(_for_people(table, by))


def _for_people(table: "pl.DataFrame", by: str) -> "pl.DataFrame":
    """The columns that the order goes by, titles instead of ids where there are any."""
    import polars as pl

    titled = "title" in table.columns
    item, reason = (pl.col(name) for name in (("title", "history_title") if titled else ("item_id", "history_item_id")))
    left_out = pl.when(pl.col("left_out") == "all").then(pl.lit("(whole history)")).otherwise(reason.cast(pl.String))
    claim = SHOWN[by]
    return table.select(
        item.alias("item"), left_out.alias("left out"), "interactions", claim, f"{claim}_without", f"effect_{by}"
    )
