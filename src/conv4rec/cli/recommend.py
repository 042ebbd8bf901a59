"""`conv4rec recommend`: the best items of known users, or of somebody with a history."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from conv4rec.cli import options
from conv4rec.cli.output import check_suffix, give_frame, tell_rows
from conv4rec.errors import QueryError

if TYPE_CHECKING:
    import polars as pl

    from conv4rec.data.shards import Shards
    from conv4rec.ids import Ids
    from conv4rec.queries import Choices
    from conv4rec.recommender import Conv4Rec

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
    no_law: Annotated[bool, typer.Option("--no-law", help="The lists alone, made sooner: no probabilities.")] = False,
    out: options.Out = None,
    workers: options.Workers = None,
    address: options.Address = None,
    as_json: options.Json = False,
) -> None:
    """Recommend items to known users (--user, --users, --all-users) or from a history (--history).

    With --workers, known users are scored in several processes, on this machine or a Ray cluster; --out is then a
    folder of Parquet files.
    """
    from conv4rec.recommender import Conv4Rec
    from conv4rec.scale.recommend import RayScoring

    if sum(map(bool, (user, users_in, all_users, shards, history))) != 1:
        raise QueryError("recommend: expected one of --user, --users, --all-users, --shards and --history")
    check_suffix(out)
    _check_workers(workers, address, out, history)
    fitted = Conv4Rec.load(model)
    items = fitted.vocabulary.items
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
        "law": not no_law,
    }
    if history:
        table = fitted.recommend_for(options.parse_history(history, fitted), k, **choices)
        give_frame(table, name="recommendations", as_json=as_json, out=out, model=model)
        return
    asked = _asked(user, users_in, shards, fitted.vocabulary.users)
    if workers is not None and out is not None:
        _try(fitted, asked, k, choices)
        rows = RayScoring(workers, address)(model, asked, out, k, choices)
        tell_rows(rows, as_json=as_json, out=out, model=model)
        return
    give_frame(_lists(fitted, asked, k, choices), name="recommendations", as_json=as_json, out=out, model=model)


def _check_workers(workers: int | None, address: str | None, out: Path | None, history: list[str] | None) -> None:
    if workers is None:
        options.refuse_address(address)
    elif history or out is None or out.suffix != ".parquet":
        raise QueryError("--workers scores known users: expected --out NAME.parquet and no --history")


def _asked(
    user: list[str] | None, users_in: Path | None, shards: Path | None, users: "Ids"
) -> "Path | pl.Series | Shards":
    """Whose lists are made: users of a file, of shards, those named, or all."""
    from conv4rec.data.shards import Shards
    from conv4rec.ids import as_series

    if shards is not None:
        return Shards.open(shards)
    if users_in is not None:
        return users_in
    return users.values if user is None else as_series(options.parse_ids(user, users), "user")


def _try(fitted: "Conv4Rec", asked: "Path | pl.Series | Shards", k: int, choices: "Choices") -> None:
    """Ask for one user, or one shard, to refuse here what every worker would refuse."""
    from conv4rec.data.shards import Shards

    if isinstance(asked, Shards):
        fitted.recommend_shard(asked, 0, k, **choices)
    else:
        fitted.recommend(fitted.vocabulary.users.values[:1], k, **choices)


def _lists(fitted: "Conv4Rec", asked: "Path | pl.Series | Shards", k: int, choices: "Choices") -> "pl.DataFrame":
    """The lists of known users, or of all users of the shards, made in this process."""
    import polars as pl

    from conv4rec.data.shards import Shards
    from conv4rec.scale.recommend import read_users

    if isinstance(asked, Shards):
        return pl.concat([fitted.recommend_shard(asked, number, k, **choices) for number in range(len(asked))])
    return fitted.recommend(read_users(asked) if isinstance(asked, Path) else asked, k, **choices)


def _ids(texts: list[str] | None, ids: "Ids") -> list[int | str] | None:
    return None if texts is None else options.parse_ids(texts, ids)
