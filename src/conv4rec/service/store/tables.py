"""The tables of the store, whose ids have the type of the model's ids."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import JSON, BigInteger, Column, Float, Integer, MetaData, String, Table, Text
from sqlalchemy.types import TypeEngine

from conv4rec.vocabulary import Vocabulary

Id = int | str
ROW = BigInteger().with_variant(Integer, "sqlite")
"""The type of row numbers: SQLite counts up INTEGER columns only."""


class Kinds(NamedTuple):
    """Whether users and items are integers; else they are strings."""

    integer_users: bool
    integer_items: bool

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> "Kinds":
        return cls(vocabulary.users.are_integers, vocabulary.items.are_integers)

    def __str__(self) -> str:
        users, items = ("integers" if each else "strings" for each in self)
        return f"{users} as users and {items} as items"

    def types(self) -> tuple[TypeEngine[Any], TypeEngine[Any]]:
        """The types of the columns of users and of items."""
        return _id_type(integer=self.integer_users), _id_type(integer=self.integer_items)


def _id_type(*, integer: bool) -> TypeEngine[Any]:
    return BigInteger() if integer else Text()


class Event(NamedTuple):
    """An interaction that was reported: a row of `feedback`."""

    user_id: Id
    item_id: Id
    rating: float | None
    type: str | None
    timestamp: int
    key: str | None = None


class ShownList(NamedTuple):
    """A list that somebody was shown: a row of `shown`."""

    id: str
    user_id: Id
    timestamp: int
    model: str
    rank_by: str
    item_id: list[Id]


@dataclass(frozen=True)
class Tables:
    """The tables as the newest migration leaves them."""

    feedback: Table
    shown: Table
    erased: Table
    switches: Table
    meta: Table

    @classmethod
    def of(cls, kinds: Kinds) -> "Tables":
        users, items = kinds.types()
        all_of_them = MetaData()
        feedback = Table(
            "feedback",
            all_of_them,
            Column("id", ROW, primary_key=True),
            Column("user_id", users),
            Column("item_id", items),
            Column("rating", Float(53)),
            Column("type", Text),
            Column("timestamp", BigInteger),
            Column("key", String),
        )
        shown = Table(
            "shown",
            all_of_them,
            Column("id", String, primary_key=True),
            Column("user_id", users),
            Column("timestamp", BigInteger),
            Column("model", Text),
            Column("rank_by", Text),
            Column("item_id", JSON),
        )
        erased = Table("erased", all_of_them, Column("hash", String, primary_key=True), Column("timestamp", BigInteger))
        switches = Table(
            "switches",
            all_of_them,
            Column("id", ROW, primary_key=True),
            Column("model", Text),
            Column("timestamp", BigInteger),
        )
        meta = Table("meta", all_of_them, Column("name", String, primary_key=True), Column("value", Text))
        return cls(feedback, shown, erased, switches, meta)
