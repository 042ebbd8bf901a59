"""What people find users and items by: the beginning of an id, words of a title."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from conv4rec.vocabulary import Vocabulary


class Entry(NamedTuple):
    """A user or an item that can be found.

    Attributes:
        id: of the user or item.
        shown: length of a history, or title.
        text: what is searched.
    """

    id: int | str
    shown: Any
    text: str


@dataclass(frozen=True)
class Index:
    """Users and items with the texts they are found by. Source: ours.

    Attributes:
        people: users, with the length of their histories; none where the model has no histories.
        things: items, with their titles.
    """

    people: tuple[Entry, ...]
    things: tuple[Entry, ...]

    @classmethod
    def of(cls, vocabulary: Vocabulary, titles: Mapping[int | str, str], counts: Iterable[int]) -> "Index":
        """Of a model whose users have histories of `counts` interactions, in the order of the vocabulary."""
        users = zip(vocabulary.users.values.to_list(), counts, strict=False)  # no counts, no users
        people = tuple(Entry(user, int(count), str(user).casefold()) for user, count in users)
        items = vocabulary.items.values.to_list()
        return cls(people, tuple(Entry(i, titles.get(i), f"{titles.get(i, '')} {i}".strip().casefold()) for i in items))

    def users(self, prefix: str, k: int) -> list[dict[str, Any]]:
        """The k users whose ids begin with `prefix`: shorter ids first, so that the very id is the first."""
        wanted = prefix.strip().casefold()
        found = [entry for entry in self.people if entry.text.startswith(wanted)]
        found.sort(key=lambda entry: (len(entry.text), entry.text))
        return [{"user_id": entry.id, "n_interactions": entry.shown} for entry in found[:k]]

    def items(self, query: str, k: int) -> list[dict[str, Any]]:
        """The k items whose title and id hold all words of `query`: those that begin with it, then shorter ones."""
        wanted = query.casefold()
        words = wanted.split()
        found = [entry for entry in self.things if all(word in entry.text for word in words)]
        found.sort(key=lambda entry: (not entry.text.startswith(wanted.strip()), len(entry.text), entry.text))
        return [{"item_id": entry.id, "title": entry.shown} for entry in found[:k]]
