"""The validated table of ratings that everything else starts from."""

from dataclasses import dataclass, field, replace

import polars as pl

from conv4rec.config import DataConfig
from conv4rec.ids import Ids
from conv4rec.vocabulary import InteractionTypes, Vocabulary


@dataclass(frozen=True)
class Ratings:
    """Interactions in id space.

    Attributes:
        frame: columns `user_id`, `item_id` (Int64 or String) and, where the source has them, `rating` (Float64,
            null: not known), `type` (String, null: unnamed), `timestamp` (Int64, seconds since 1970, null: not known).
        types: the interaction types of the whole data set, of which this table may show a part.
        name: where the data came from, for messages and reports.
        items: side table with `item_id`, and `title` (String), `tags` (List[String]) where known; only for display.
        notes: what was done while loading (duplicates dropped, ratings binned, ...), one line each.
    """

    frame: pl.DataFrame
    types: InteractionTypes
    name: str = "ratings"
    items: pl.DataFrame | None = None
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return self.frame.height

    @property
    def n_users(self) -> int:
        return self.frame["user_id"].n_unique()

    @property
    def n_items(self) -> int:
        return self.frame["item_id"].n_unique()

    @property
    def has_timestamps(self) -> bool:
        return "timestamp" in self.frame.columns

    def vocabulary(self) -> Vocabulary:
        """The ids that occur in this table, and its interaction types."""
        users = Ids.fit(self.frame["user_id"], kind="user")
        return Vocabulary(users, Ids.fit(self.frame["item_id"], kind="item"), self.types)


def join(first: Ratings, second: Ratings) -> Ratings:
    """The interactions of both, with the types, name and side table of the first; columns that one lacks are null."""
    frame = pl.concat([first.frame, second.frame], how="diagonal")
    return replace(first, frame=frame, notes=(*first.notes, *second.notes))


def same_scale(config: DataConfig, ratings: Ratings) -> DataConfig:
    """The settings with the rating scale of `ratings`, so that a second file is read as the first was."""
    scale = tuple(ratings.types.rating_values.tolist())
    return config.model_copy(update={"scale": scale}) if scale else config
