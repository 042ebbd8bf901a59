"""`conv4rec similar`: the nearest items of an item, or the nearest users of a user or a history."""

from typing import Annotated

import typer

from conv4rec.cli import options
from conv4rec.cli.output import check_suffix, give_frame
from conv4rec.errors import QueryError


def similar(
    model: options.Model,
    item: Annotated[str | None, typer.Option("--item", "-i", help="An item: show those like it.")] = None,
    user: options.User = None,
    history: options.History = None,
    k: options.K = 10,
    out: options.Out = None,
    as_json: options.Json = False,
) -> None:
    """Show the items nearest to an item (--item), or the known users nearest to a user or history.

    Similarity is the cosine of what the model has learned of items, and of the embeddings of users.
    """
    from conv4rec.recommender import Conv4Rec

    if sum(map(bool, (item, user, history))) != 1:
        raise QueryError("similar: expected one of --item, --user and --history")
    check_suffix(out)
    fitted = Conv4Rec.load(model)
    if item is not None:
        table = fitted.similar_items(options.parse_ids([item], fitted.vocabulary.items)[0], k)
    else:
        ending, whom = options.ask(fitted, "similar", user, history)
        table = getattr(fitted, f"similar_users{ending}")(whom, k)
    give_frame(table, name="similar", as_json=as_json, out=out, model=model)
