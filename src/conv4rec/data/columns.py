"""Which column of a source is the user, the item, the rating, the time stamp and the type."""

from collections.abc import Sequence

from conv4rec.config import DataConfig
from conv4rec.data.table import ROLES, Role
from conv4rec.errors import DataError

POSITIONS: tuple[Role, ...] = ("user", "item", "rating", "timestamp")
"""What the columns of a file without header are, from the left."""

USUAL_NAMES: dict[Role, tuple[str, ...]] = {
    "user": ("userid", "user", "uid", "u", "useridx", "reviewerid", "customerid", "visitorid", "memberid", "username"),
    "item": (
        "itemid", "item", "iid", "i", "itemidx", "movieid", "movie", "productid", "product", "parentasin", "asin",
        "articleid", "article", "songid", "trackid", "artistid", "bookid", "isbn", "businessid", "contentid", "sku",
    ),
    "rating": ("rating", "ratings", "stars", "star", "score", "overall", "ratingvalue", "bookrating"),
    "timestamp": (
        "timestamp", "unixtimestamp", "unixreviewtime", "ts", "time", "datetime", "date", "ratedat", "createdat",
        "eventtime", "unixtime",
    ),
    "type": (
        "type", "interactiontype", "eventtype", "event", "interaction", "action", "behavior", "behaviour",
        "behaviortype",
    ),
}  # fmt: skip
"""Names by which a column is recognised, the likeliest first: lower case, without `_`, `-`, blank and `:token`."""


def assign_columns(names: Sequence[str], config: DataConfig, place: str) -> dict[Role, str]:
    """The column of every role that the source has; the options of `config` come before the usual names.

    Raises:
        DataError: no column for user or item, an option that names no column, or one column in two roles.
    """
    columns: dict[Role, str] = {}
    for role in ROLES:
        column = _named(role, names, config, place) or _usual(role, names)
        if column is None and role in ("user", "item"):
            raise DataError(f"{place}: no {role} column; found {', '.join(names)}; name it with data.{role}=<column>")
        if column in columns.values():
            raise DataError(f"{place}: column {column!r} cannot be both the {_role_of(column, columns)} and the {role}")
        if column is not None:
            columns[role] = column
    return columns


def unused_note(names: Sequence[str], columns: dict[Role, str]) -> tuple[str, ...]:
    """One line that lists the columns without a role, if there are any."""
    unused = [name for name in names if name not in columns.values()]
    return (f"columns not used: {', '.join(unused)}",) if unused else ()


def is_header(fields: Sequence[str], config: DataConfig, place: str) -> bool:
    """Whether the first line of a text file names its columns.

    A line with a number in it is data; one without, in which a name is recognised, is a header.

    Raises:
        DataError: it could be either.
    """
    if config.header is not None:
        return config.header
    if any(_is_number(field) for field in fields):
        return False
    if any(field in options(config).values() or _role(field) is not None for field in fields):
        return True
    raise DataError(
        f"{place}: cannot tell whether {', '.join(fields)} are names of columns or data; "
        "name the columns (data.user=..., data.item=...) or set data.header=false"
    )


def options(config: DataConfig) -> dict[Role, str]:
    """The columns that the settings name."""
    named: dict[Role, str | None] = {
        "user": config.user,
        "item": config.item,
        "rating": config.rating,
        "timestamp": config.timestamp,
        "type": config.type,
    }
    return {role: name for role, name in named.items() if name is not None}


def plain(name: str) -> str:
    """A name without case, `_`, `-`, blank and RecBole's `:token`."""
    return name.partition(":")[0].strip().lower().translate({ord(c): None for c in "_- "})


def _named(role: Role, names: Sequence[str], config: DataConfig, place: str) -> str | None:
    name = options(config).get(role)
    if name is not None and name not in names:
        raise DataError(f"{place}: no column {name!r} (data.{role}); found {', '.join(names)}")
    return name


def _usual(role: Role, names: Sequence[str]) -> str | None:
    known = {plain(name): name for name in reversed(names)}
    return next((known[usual] for usual in USUAL_NAMES[role] if usual in known), None)


def _role(name: str) -> Role | None:
    return next((role for role in ROLES if plain(name) in USUAL_NAMES[role]), None)


def _role_of(column: str | None, columns: dict[Role, str]) -> Role:
    return next(role for role, name in columns.items() if name == column)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return field.strip().lower() not in ("nan", "inf", "infinity")
