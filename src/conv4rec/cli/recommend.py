"""`conv4rec recommend`: the best items of known users, or of somebody with a history."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from conv4rec.cli import options
from conv4rec.cli.output import check_suffix, give_frame
from conv4rec.errors import QueryError

if TYPE_CHECKING:
    from conv4rec.recommender import Conv4Rec


def recommend(
    model: options.Model,
    user: Annotated[list[str] | None, typer.Option("--user", "-u", help="A known user; may be repeated.")] = None,
    all_users: Annotated[bool, typer.Option("--all-users", help="Every known user.")] = False,
    history: Annotated[
        list[str] | None, typer.Option("--history", help="ITEM=RATING, or ITEM, of a new user; may be repeated.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="Length of the list.")] = 10,
    rank_by: Annotated[str, typer.Option(help="consume, rating or enjoy.")] = "consume",
    candidate: Annotated[list[str] | None, typer.Option(help="An item that is allowed; may be repeated.")] = None,
    include_seen: Annotated[bool, typer.Option("--include-seen", help="Items of the history may appear.")] = False,
    like: Annotated[float | None, typer.Option(help="The lowest rating that counts as liked.")] = None,
    out: options.Out = None,
    as_json: options.Json = False,
) -> None:
    """Recommend items to known users (--user, --all-users) or from a history (--history)."""
    from conv4rec.recommender import Conv4Rec

    if sum(map(bool, (user, all_users, history))) != 1:
        raise QueryError("recommend: expected one of --user, --all-users and --history")
    check_suffix(out)
    fitted = Conv4Rec.load(model)
    allowed = None if candidate is None else options.parse_ids(candidate, fitted.vocabulary.items)
    choices: dict[str, Any] = {"rank_by": rank_by, "candidates": allowed, "like": like}
    choices["exclude_seen"] = not include_seen
    if history:
        table = fitted.recommend_for(_parse_history(history, fitted), k, **choices)
    else:
        users = fitted.vocabulary.users
        table = fitted.recommend(
            users.values if all_users else options.parse_ids(options.given(user), users), k, **choices
        )
    give_frame(table, name="recommendations", as_json=as_json, out=out, model=model)


def _parse_history(texts: list[str], fitted: "Conv4Rec") -> dict[int | str, float | None]:
    pairs = [_parse_event(text) for text in texts]
    items = options.parse_ids([item for item, _ in pairs], fitted.vocabulary.items)
    return dict(zip(items, (rating for _, rating in pairs), strict=True))


def _parse_event(text: str) -> tuple[str, float | None]:
    item, equals, rating = text.rpartition("=")
    if not equals:
        return text, None
    try:
        return item, float(rating)
    except ValueError:
        raise QueryError(f"--history {text!r}: rating {rating!r} is not a number; expected ITEM=RATING") from None
