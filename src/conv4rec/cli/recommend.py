"""`conv4rec recommend`: the best items of known users, or of somebody with a history."""

from typing import TYPE_CHECKING, Annotated

import typer

from conv4rec.cli import options
from conv4rec.cli.output import check_suffix, give_frame
from conv4rec.errors import QueryError

if TYPE_CHECKING:
    from conv4rec.ids import Ids
    from conv4rec.queries import Choices

RANK_BY = (
    "consume: will take; enjoy: take and like; rating: rate highest; discover: like, but not find alone; "
    "utility: worth most if taken; gain: that times p_consume. The last two need --utility."
)


def recommend(
    model: options.Model,
    user: Annotated[list[str] | None, typer.Option("--user", "-u", help="A known user; may be repeated.")] = None,
    all_users: Annotated[bool, typer.Option("--all-users", help="Every known user.")] = False,
    history: options.History = None,
    k: options.K = 10,
    rank_by: Annotated[str, typer.Option(help=RANK_BY)] = "consume",
    utility: Annotated[
        list[str] | None, typer.Option("--utility", help="RATING=WORTH, one for every rating value; repeated.")
    ] = None,
    candidate: Annotated[list[str] | None, typer.Option(help="An item that is allowed; may be repeated.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="An item that is not allowed; may be repeated.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only items with any of these tags; may be repeated.")] = None,
    without_tag: Annotated[
        list[str] | None, typer.Option(help="Only items with none of these tags; may be repeated.")
    ] = None,
    diversity: Annotated[float, typer.Option(help="0 to 1: weight of being unlike what is higher on the list.")] = 0.0,
    include_seen: Annotated[bool, typer.Option("--include-seen", help="Items of the history may appear.")] = False,
    like: options.Like = None,
    out: options.Out = None,
    as_json: options.Json = False,
) -> None:
    """Recommend items to known users (--user, --all-users) or from a history (--history)."""
    from conv4rec.recommender import Conv4Rec

    if sum(map(bool, (user, all_users, history))) != 1:
        raise QueryError("recommend: expected one of --user, --all-users and --history")
    check_suffix(out)
    fitted = Conv4Rec.load(model)
    items, users = fitted.vocabulary.items, fitted.vocabulary.users
    choices: Choices = {
        "rank_by": rank_by,
        "utility": None if utility is None else options.parse_numbers(utility, "--utility"),
        "exclude_seen": not include_seen,
        "candidates": _ids(candidate, items),
        "exclude": _ids(exclude, items),
        "tags": tag,
        "without_tags": without_tag,
        "diversity": diversity,
        "like": like,
    }
    if history:
        table = fitted.recommend_for(options.parse_history(history, fitted), k, **choices)
    else:
        asked = users.values if all_users else options.parse_ids(options.given(user), users)
        table = fitted.recommend(asked, k, **choices)
    give_frame(table, name="recommendations", as_json=as_json, out=out, model=model)


def _ids(texts: list[str] | None, ids: "Ids") -> list[int | str] | None:
    return None if texts is None else options.parse_ids(texts, ids)
