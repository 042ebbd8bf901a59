"""Asking the model: people in, rows of the answer out, those who ask at the same time together."""

from collections.abc import Hashable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import polars as pl

from conv4rec.service.engine import Service
from conv4rec.service.people import Person, as_frame
from conv4rec.service.shelf import Loaded

Rows = list[dict[str, Any]]


class Question(NamedTuple):
    """Arguments of `recommend`; questions that are equal are asked in one call."""

    k: int
    choices: tuple[tuple[str, Any], ...]

    @classmethod
    def of(cls, k: int, choices: dict[str, Any]) -> "Question":
        """A question that can be compared: lists and dictionaries become tuples."""
        return cls(k, tuple((name, _frozen(value)) for name, value in choices.items()))

    def arguments(self) -> dict[str, Any]:
        """The arguments again."""
        return {
            name: dict(value) if name == "utility" and value is not None else _thawed(value)
            for name, value in self.choices
        }


async def lists(service: Service, loaded: Loaded, people: Sequence[Person], question: Question) -> list[Rows]:
    """The list of every person: rows as `Conv4Rec.recommend` gives them, called by the person's name."""
    own = [person for person in people if person.history is None]
    told = [person for person in people if person.history is not None]

    def of_known(jobs: Sequence[Sequence[Person]]) -> list[list[Rows]]:
        users = [person.name for job in jobs for person in job]
        frame = loaded.model.recommend(list(dict.fromkeys(users)), question.k, **question.arguments())
        mine = _by_user(frame)
        return [[mine.get(person.name, []) for person in job] for job in jobs]

    def of_told(jobs: Sequence[Sequence[Person]]) -> list[list[Rows]]:
        everybody = [person for job in jobs for person in job]
        mine = _by_user(loaded.model.recommend_for(as_frame(everybody), question.k, **question.arguments()))
        rows = iter([_called(mine.get(number, []), person.name) for number, person in enumerate(everybody)])
        return [[next(rows) for _ in job] for job in jobs]

    answers: list[Rows] = []
    for some, run in ((own, of_known), (told, of_told)):
        if some:
            key: Hashable = (run.__name__, id(loaded), question)
            answers += await service.worker.do(key, some, run)
    if not (own and told):
        return answers
    by_name = {person.name: rows for person, rows in zip((*own, *told), answers, strict=True)}
    return [by_name[person.name] for person in people]


async def laws(
    service: Service, loaded: Loaded, person: Person, items: Sequence[int | str], like: float | None
) -> Rows:
    """The law of some items for one person: rows as `Conv4Rec.predict` gives them, in the order of `items`."""
    distinct = list(dict.fromkeys(items))
    choices = {"candidates": distinct, "exclude_seen": False, "like": like}
    [rows] = await lists(service, loaded, [person], Question.of(len(distinct), choices))
    by_item = {row["item_id"]: {k: v for k, v in row.items() if k not in ("rank", "score")} for row in rows}
    return [by_item[item] for item in items]


async def verb(service: Service, loaded: Loaded, name: str, person: Person, *arguments: Any, **choices: Any) -> Any:
    """What `Conv4Rec.<name>` says of a user as the model knows them, `<name>_for` of any other history."""
    if person.history is None:
        ask = getattr(loaded.model, name)
        return await service.worker.call(lambda: ask(person.name, *arguments, **choices))
    ask, history = getattr(loaded.model, f"{name}_for"), as_frame([person]).drop("user_id")
    return await service.worker.call(lambda: ask(history, *arguments, **choices))


def _by_user(frame: pl.DataFrame) -> dict[Any, Rows]:
    return {user: list(rows) for user, rows in groupby(frame.to_dicts(), key=lambda row: row["user_id"])}


def _called(rows: Rows, name: int | str) -> Rows:
    for row in rows:
        row["user_id"] = name
    return rows


def _frozen(value: Any) -> Hashable:
    if isinstance(value, dict):
        return tuple(value.items())
    return tuple(value) if isinstance(value, list) else value


def _thawed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
