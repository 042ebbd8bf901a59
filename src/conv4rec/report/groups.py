"""Records of the same data and recipe belong together: their models are compared with each other."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from conv4rec.records import Record


@dataclass(frozen=True)
class Group:
    """The records of one recipe on one data set.

    Attributes:
        data: the data set.
        recipe: the protocol.
        records: all of them, those without figures too.
        slug: the two names in characters that any address and file system takes; no two groups of a run share it.
    """

    data: str
    recipe: str
    records: tuple[Record, ...]
    slug: str

    @property
    def title(self) -> str:
        return f"{self.data}, {self.recipe}"

    @property
    def measured(self) -> tuple[Record, ...]:
        """The records that have figures."""
        return tuple(record for record in self.records if record.error is None)

    @property
    def models(self) -> tuple[str, ...]:
        """All models, each once."""
        return unique(record.model for record in self.records)

    @property
    def metrics(self) -> list[str]:
        """The keys of all metrics, each once, in the order of the records."""
        return list(unique(name for record in self.measured for name in record.metrics))

    @property
    def runs(self) -> tuple[str, ...]:
        """What tells the runs of a model apart, such as `seed 0`; one empty text where each has only one."""
        return unique(self.run_of(record) for record in self.records)

    def run_of(self, record: Record) -> str:
        """Seed and window, as far as they differ in this group."""
        seeds, windows = {r.seed for r in self.records}, {r.window for r in self.records}
        words = [f"seed {record.seed}"] * (len(seeds) > 1) + [f"window {record.window}"] * (len(windows) > 1)
        return ", ".join(words)

    def row(self, record: Record, part: BaseModel | None = None, **more: Any) -> dict[str, Any]:
        """What a picture knows of a point: model and run, the fields of `part`, and more."""
        fields = {} if part is None else part.model_dump()
        return {"model": record.model, "run": self.run_of(record)} | fields | more


def groups_of(records: Iterable[Record]) -> tuple[Group, ...]:
    """By data and recipe, in the order in which they first occur."""
    found: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        found.setdefault((record.data, record.recipe), []).append(record)
    slugs: list[str] = []
    for names in found:
        slug = "__".join("".join(c if c.isascii() and c.isalnum() else "-" for c in name) for name in names)
        slugs.append(slug if slug not in slugs else f"{slug}-{len(slugs) + 1}")
    return tuple(
        Group(data, recipe, tuple(members), slug)
        for ((data, recipe), members), slug in zip(found.items(), slugs, strict=True)
    )


def unique(values: Iterable[str]) -> tuple[str, ...]:
    """Each once, where it first occurs."""
    return tuple(dict.fromkeys(values))
