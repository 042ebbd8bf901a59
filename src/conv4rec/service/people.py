"""Whom a question is about: ids and histories as they were posted, checked, each fault with the field that has it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from conv4rec.service.problems import Problem
from conv4rec.service.schemas import FeedbackEvent, Id, Interaction
from conv4rec.service.shelf import Loaded
from conv4rec.service.store.store import Remembered
from conv4rec.service.store.tables import Event


class Row(NamedTuple):
    """An interaction of a history."""

    item_id: Id
    rating: float | None
    type: str | None


class Person(NamedTuple):
    """Somebody the model is asked about.

    Attributes:
        name: the id of a known user, or the number of a posted history.
        history: None for the one that the model has itself.
        unknown: how many interactions were left out, because the model does not know their items or types.
    """

    name: Id
    history: tuple[Row, ...] | None
    unknown: int = 0


def strangers(histories: Sequence[Sequence[Interaction]], loaded: Loaded, limit: int) -> list[Person]:
    """Posted histories. Raises Problem 422 for one that is too long, has an impossible rating, or no known item."""
    return [_stranger(number, history, loaded, limit) for number, history in enumerate(histories)]


def _stranger(number: int, history: Sequence[Interaction], loaded: Loaded, limit: int) -> Person:
    where = f"histories.{number}"
    if not 0 < len(history) <= limit:
        raise Problem(422, f"{where}: {len(history)} interactions: expected 1 to {limit}", field=where)
    everything = [Row(each.item_id, each.rating, each.type) for each in history]
    if not _is_sound(everything, loaded):
        for place, each in enumerate(history):
            check_event(each, loaded, f"{where}.{place}.")
    rows = tuple(row for row in everything if row.item_id in loaded.items)
    if not rows:
        raise Problem(422, f"{where}: none of the items is known to the model", field=where)
    return Person(number, rows, len(history) - len(rows))


def _is_sound(rows: Sequence[Row], loaded: Loaded) -> bool:
    """Whether `check_event` would pass every row; sets are quicker than a call for each."""
    kind = int if loaded.model.vocabulary.items.are_integers else str
    return {type(row.item_id) for row in rows} == {kind} and {(row.type, row.rating) for row in rows} <= loaded.types


def check_event(event: Interaction | FeedbackEvent, loaded: Loaded, where: str) -> None:
    """Raise Problem 422 for an item id of the wrong kind, or a rating that the model's scale does not have."""
    check_ids({event.item_id: f"{where}item_id"}, integers=loaded.model.vocabulary.items.are_integers)
    if (event.type, event.rating) not in loaded.types:
        known = ", ".join(kind.label for kind in loaded.model.vocabulary.types.channels)
        field = "type" if event.type not in {name for name, _ in loaded.types} else "rating"
        raise Problem(422, f"{where}{field}: expected one of the interaction types {known}", field=f"{where}{field}")


def placed(ids: Sequence[Id], field: str, suffix: str = "") -> dict[Id, str]:
    """Every id once, with the place in the request where it comes first."""
    return {each: f"{field}.{place}{suffix}" for place, each in reversed(list(enumerate(ids)))}


def check_ids(places: Mapping[Id, str], *, integers: bool) -> None:
    """Raise Problem 422 for ids that are texts where the model has integers, or the other way round."""
    for each, where in places.items():
        if isinstance(each, int) != integers:
            raise Problem(422, f"{where}: the ids of this model are {'integers' if integers else 'texts'}", field=where)


def check_items(places: Mapping[Id, str], loaded: Loaded) -> None:
    """Raise Problem 422 for item ids of the wrong kind, 404 for one that the model does not know."""
    check_ids(places, integers=loaded.model.vocabulary.items.are_integers)
    for each, where in places.items():
        if each not in loaded.items:
            raise Problem(404, f"{where}: this model does not know this item", field=where)


def read_id(text: str, *, integers: bool) -> Id | None:
    """An id from a path; None for a text that can be none."""
    if not integers:
        return None if "\x00" in text else text
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 20):
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 and str(number) == text else None


def acquaintances(places: Mapping[Id, str], loaded: Loaded, remembered: Remembered) -> dict[Id, Person]:
    """Known users, with what they did since. Raises Problem 404 for one of whom nothing is known."""
    found = {}
    for user, where in places.items():
        person = _acquaintance(user, loaded, remembered)
        if person is None:
            raise Problem(404, f"{where}: this model knows nothing of this user, nor of their feedback", field=where)
        found[user] = person
    return found


def _acquaintance(user: Id, loaded: Loaded, remembered: Remembered) -> Person | None:
    own = user in loaded.users and user not in remembered.erased
    events = remembered.events.get(user, [])
    usable = [e for e in events if e.item_id in loaded.items and (e.type, e.rating) in loaded.types]
    if not usable:
        return Person(user, None, len(events)) if own else None
    before = own_history(loaded, user) if own else []
    return Person(user, tuple(join(before, usable)), len(events) - len(usable))


def own_history(loaded: Loaded, user: Id) -> list[Row]:
    """What the model knows of a user."""
    frame = loaded.model.history_of(user)
    return [Row(*row) for row in frame.select("item_id", "rating", "type").iter_rows()]


def join(before: Sequence[Row], events: Sequence[Event]) -> list[Row]:
    """A history with what came after it, oldest first: of one item and type name, the last stands for all.

    The model does not keep the times of its own history; feedback counts as later than all of it.
    """
    last = {(event.item_id, event.type): Row(event.item_id, event.rating, event.type) for event in events}
    return [*(row for row in before if (row.item_id, row.type) not in last), *last.values()]


def as_frame(people: Sequence[Person]) -> pl.DataFrame:
    """The histories of people as one table, in which they are called 0, 1, ..."""
    numbers = [number for number, person in enumerate(people) for _ in person.history or ()]
    rows = [row for person in people for row in person.history or ()]
    items, ratings, types = zip(*rows, strict=True)
    columns = {
        "user_id": pl.Series(numbers, dtype=pl.Int64),
        "item_id": pl.Series(items, dtype=pl.Int64 if isinstance(items[0], int) else pl.String),
        "rating": pl.Series(ratings, dtype=pl.Float64),
    }
    if any(name is not None for name in types):
        columns["type"] = pl.Series(types, dtype=pl.String)
    return pl.DataFrame(columns)
