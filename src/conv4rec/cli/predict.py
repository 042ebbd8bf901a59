"""`conv4rec predict`: the law of given pairs of user and item."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from conv4rec.cli import options
from conv4rec.cli.output import check_suffix, give_frame
from conv4rec.errors import QueryError

if TYPE_CHECKING:
    import polars as pl

    from conv4rec.recommender import Conv4Rec


def predict(
    model: options.Model,
    user: Annotated[list[str] | None, typer.Option("--user", "-u", help="A known user; as many as --item.")] = None,
    item: Annotated[list[str] | None, typer.Option("--item", "-i", help="A known item; as many as --user.")] = None,
    pairs: Annotated[Path | None, typer.Option("--pairs", help="A table of pairs: a user and an item column.")] = None,
    like: Annotated[float | None, typer.Option(help="The lowest rating that counts as liked.")] = None,
    out: options.Out = None,
    as_json: options.Json = False,
) -> None:
    """Predict consumption and ratings of pairs of a known user and a known item."""
    from conv4rec.data.sources import load_ratings
    from conv4rec.recommender import Conv4Rec

    if (pairs is None) == (user is None and item is None):
        raise QueryError("predict: expected --pairs, or --user and --item")
    check_suffix(out)
    fitted = Conv4Rec.load(model)
    if pairs is not None:
        settings = fitted.config.data.model_copy(update={"keep": "all"})
        wanted = load_ratings(pairs, config=settings).frame
    else:
        wanted = _named_pairs(options.given(user), options.given(item), fitted)
    give_frame(fitted.predict(wanted, like=like), name="predictions", as_json=as_json, out=out, model=model)


def _named_pairs(users: list[str], items: list[str], fitted: "Conv4Rec") -> "pl.DataFrame":
    import polars as pl

    if len(users) != len(items):
        raise QueryError(f"predict: {len(users)} --user and {len(items)} --item: expected as many of each")
    vocabulary = fitted.vocabulary
    return pl.DataFrame(
        {"user_id": options.parse_ids(users, vocabulary.users), "item_id": options.parse_ids(items, vocabulary.items)}
    )
