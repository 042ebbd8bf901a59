"""The models that can be served, and the one that answers."""

import threading
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from conv4rec.errors import ConfigError, ModelFileError, QueryError, UnknownIdError
from conv4rec.model_file import Origin, read_origin
from conv4rec.recommender import Conv4Rec
from conv4rec.service.index import Index

SUFFIX = ".conv4rec"
TOLD = {"data", "validation", "reliability_like", "reliability_consume"}
"""What of a model's origin is told."""


@dataclass(frozen=True)
class Loaded:
    """A model in memory, with what is looked up for every request.

    Attributes:
        name: how it is called here.
        model: the model.
    """

    name: str
    model: Conv4Rec

    @cached_property
    def users(self) -> frozenset[int | str]:
        """The users that the model has a history of; none where it was saved without."""
        known = self.model.vocabulary.users.values.to_list() if self.has_histories else ()
        return frozenset(known)

    @cached_property
    def items(self) -> frozenset[int | str]:
        """The items that the model knows."""
        return frozenset(self.model.vocabulary.items.values.to_list())

    @cached_property
    def types(self) -> frozenset[tuple[str | None, float | None]]:
        """The combinations of type name and rating that the model knows."""
        return frozenset((kind.name, kind.rating) for kind in self.model.vocabulary.types.channels)

    @cached_property
    def titles(self) -> dict[int | str, str]:
        """The title of every item that has one."""
        side = self.model.items
        if side is None or "title" not in side.columns:
            return {}
        return dict(side.select("item_id", "title").unique("item_id", keep="first").iter_rows())

    @cached_property
    def found_by(self) -> Index:
        """What people find users and items by."""
        counts = self.model.history_counts() if self.has_histories else ()
        return Index.of(self.model.vocabulary, self.titles, counts)

    @cached_property
    def has_histories(self) -> bool:
        """Whether the model was saved with the histories of its users."""
        try:
            self.model.history_counts()
        except QueryError:
            return False
        return True

    @classmethod
    def load(cls, name: str, path: Path, device: str) -> "Loaded":
        """Read a file, and ask the model everything once: no request pays for what is gathered when first asked for."""
        loaded = cls(name, Conv4Rec.load(path, device=device))
        somebody = _shortest_history(loaded.model)
        loaded.model.recommend_for(somebody, k=1)
        if loaded.has_histories:
            loaded.model.profile_for(somebody)  # gathers what is known of all users
            if loaded.model.vocabulary.types.n_levels:
                loaded.model.recommend_for(somebody, k=1, rank_by="discover")
        _ = loaded.users, loaded.items, loaded.types, loaded.titles, loaded.found_by
        return loaded


@lru_cache(maxsize=256)
def _origin(path: Path, modified: int, size: int) -> Origin:  # noqa: ARG001 - a file that was written anew is another
    return read_origin(path)


def _shortest_history(model: Conv4Rec) -> pl.DataFrame:
    """An interaction of a type that the model knows; one without rating and name is unknown to some."""
    items, kind = model.vocabulary.items.values.head(1), model.vocabulary.types.channels[0]
    history = items.to_frame("item_id").with_columns(pl.lit(kind.rating, dtype=pl.Float64).alias("rating"))
    return history if kind.name is None else history.with_columns(pl.lit(kind.name).alias("type"))


@dataclass
class Shelf:
    """Model files by name. Files are looked for when asked, so that one that was trained meanwhile is found."""

    places: tuple[Path, ...]
    device: str = "auto"
    _active: Loaded | None = None
    _switching: threading.Lock = field(default_factory=threading.Lock)

    @property
    def active(self) -> Loaded:
        """The model that answers. A request keeps the one it began with, so a switch loses none."""
        if self._active is None:
            raise ConfigError("no model is loaded yet")
        return self._active

    @property
    def is_loaded(self) -> bool:
        return self._active is not None

    def files(self) -> dict[str, Path]:
        """The files by name, in order. Raises ConfigError for two files of one name."""
        found: dict[str, Path] = {}
        for place in self.places:
            for path in sorted(place.glob(f"*{SUFFIX}")) if place.is_dir() else [place]:
                name = path.name.removesuffix(SUFFIX)
                if found.setdefault(name, path) != path:
                    raise ConfigError(f"models {found[name]} and {path}: both are called {name!r}; rename one of them")
        return found

    def about(self) -> list[dict[str, Any]]:
        """What the files say of themselves, in order; one that has gone meanwhile is left out."""
        return [told for name, path in self.files().items() if (told := self._about(name, path)) is not None]

    def _about(self, name: str, path: Path) -> dict[str, Any] | None:
        try:
            stat = path.stat()
        except OSError:
            return None
        told = {"name": name, "active": name == self.active.name, "bytes": stat.st_size, "modified": int(stat.st_mtime)}
        try:
            origin = _origin(path, stat.st_mtime_ns, stat.st_size).model_dump(include=TOLD)
        except ModelFileError as error:
            return told | dict.fromkeys(TOLD) | {"fault": str(error).removeprefix(f"{path}: ")}
        return told | origin | {"fault": None}

    def choose(self, wanted: str | None, past: list[str]) -> str:
        """The name of the model to begin with: the one wanted, else the last of the past that is there, else the first.

        Raises ConfigError where there is none.
        """
        files = self.files()
        if wanted is not None and wanted not in files:
            raise ConfigError(f"model {wanted!r}: expected one of {', '.join(files) or 'none: there is no model file'}")
        names = [wanted] if wanted is not None else [name for name in (*past, *files) if name in files]
        if not names:
            raise ConfigError(f"no model files (*{SUFFIX}) in {', '.join(map(str, self.places))}")
        return str(names[0])

    def read(self, name: str) -> Loaded:
        """Read a model, which does not answer yet. Raises UnknownIdError for a name without a file."""
        path = self.files().get(name)
        if path is None:
            raise UnknownIdError(f"model {name!r}: there is no such model")
        try:
            return Loaded.load(name, path, self.device)
        except ModelFileError as error:
            raise ModelFileError(f"model {name!r}: {str(error).removeprefix(f'{path}: ')}") from None

    def put(self, loaded: Loaded) -> None:
        """Let this model answer from now on."""
        self._active = loaded

    @property
    def switching(self) -> threading.Lock:
        """Held by whoever switches, one at a time."""
        return self._switching
