"""`conv4rec recommend`: the best items of known users, or of somebody with a history."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from conv4rec.cli import options
from conv4rec.cli.output import check_suffix, give_frame, tell_rows
from conv4rec.errors import QueryError

if TYPE_CHECKING:
    import polars as pl

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
    users_in: Annotated[
        Path | None,
        typer.Option("--users", help="The known users in the column user_id of Parquet, a file or a folder."),
    ] = None,
    shards: Annotated[
        Path | None, typer.Option("--shards", help="All users of the shards that the model was trained on.")
    ] = None,
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
    workers: options.Workers = None,
    address: options.Address = None,
    as_json: options.Json = False,
) -> None:
    """Recommend items to known users (--user, --users, --all-users) or from a history (--history).

    With --workers, known users are scored in several processes, on this machine or a Ray cluster; --out is then a
    folder of Parquet files.
    """
    import polars as pl

    from conv4rec.data.shards import Shards
    from conv4rec.ids import as_series
    from conv4rec.recommender import Conv4Rec
    from conv4rec.scale.recommend import RayScoring, read_users

    if sum(map(bool, (user, users_in, all_users, shards, history))) != 1:
        raise QueryError("recommend: expected one of --user, --users, --all-users, --shards and --history")
    check_suffix(out)
    _check_workers(workers, address, out, history)
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
    elif workers is not None and out is not None:
        opened = None if shards is None else Shards.open(shards)
        if opened is None:
            fitted.recommend(users.values[:1], k, **choices)  # refuses here what every worker would refuse
        else:
            fitted.recommend_shard(opened, 0, k, **choices)
        named = as_series(_asked(user, users), "user") if users_in is None else users_in
        rows = RayScoring(workers, address)(model, named if opened is None else opened, out, k, choices)
        tell_rows(rows, as_json=as_json, out=out, model=model)
        return
    elif shards is not None:
        opened = Shards.open(shards)
        table = pl.concat([fitted.recommend_shard(opened, number, k, **choices) for number in range(len(opened))])
    else:
        table = fitted.recommend(_asked(user, users) if users_in is None else read_users(users_in), k, **choices)
    give_frame(table, name="recommendations", as_json=as_json, out=out, model=model)


def _check_workers(workers: int | None, address: str | None, out: Path | None, history: list[str] | None) -> None:
    if workers is None:
        options.refuse_address(address)
    elif history or out is None or out.suffix != ".parquet":
        raise QueryError("--workers scores known users: expected --out NAME.parquet and no --history")


def _asked(user: list[str] | None, users: "Ids") -> "list[int | str] | pl.Series":
    """The users named, or all."""
    return users.values if user is None else options.parse_ids(user, users)


def _ids(texts: list[str] | None, ids: "Ids") -> list[int | str] | None:
    return None if texts is None else options.parse_ids(texts, ids)
