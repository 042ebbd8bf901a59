"""From any source to index space."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import conv4rec.ids
from conv4rec.config import DataConfig
from conv4rec.data.interactions import Interactions
from conv4rec.data.ratings import Ratings
from conv4rec.data.sources import load_ratings
from conv4rec.errors import ConfigError

USERS = st.one_of(st.integers(-3, 3), st.integers(-(2**62), 2**62))
RATINGS = st.sampled_from([None, 0.25, 0.5, 3.0, 200.0])


def by_hand(ratings: Ratings) -> list[list[tuple[Any, str]]]:
    """The items and labels of every user, users in order, written as a loop."""
    users: dict[Any, list[tuple[Any, str]]] = {user: [] for user in sorted(set(ratings.frame["user_id"]))}
    for row in ratings.frame.iter_rows(named=True):
        users[row["user_id"]].append((row["item_id"], "unrated" if row["rating"] is None else f"{row['rating']:g}"))
    return list(users.values())


def by_index(ratings: Ratings) -> list[list[tuple[Any, str]]]:
    """The same through index space."""
    ids = ratings.vocabulary()
    found = Interactions.from_ratings(ratings, ids)
    items = ids.items.take(found.items).to_list()
    labels = [[*ids.types.outcomes, *ids.types.partial][channel].label for channel in found.channels]
    both = list(zip(items, labels, strict=True))
    return [both[start:stop] for start, stop in zip(found.indptr[:-1], found.indptr[1:], strict=True)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(USERS, st.integers(0, 9), RATINGS), min_size=1), st.booleans())
def test_index_space_holds_what_the_source_held(
    monkeypatch: pytest.MonkeyPatch, rows: list[tuple[int, int, float | None]], one_by_one: bool
) -> None:
    monkeypatch.setattr(conv4rec.ids, "BLOCK", 1 if one_by_one else 1 << 16)
    columns = {"user": pl.Int64, "item": pl.Int64, "rating": pl.Float64}
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    ratings = load_ratings(frame, config=DataConfig(keep="all"))
    assert by_index(ratings) == by_hand(ratings)


def test_a_long_file_in_blocks(tmp_path: Path) -> None:
    n_rows = 1_200_000
    frame = pl.DataFrame(
        {"user": pl.int_range(n_rows, eager=True) * 7 % 1009, "item": pl.int_range(n_rows, eager=True)}
    )
    frame.with_columns(rating=pl.col("item") % 5 + 1.0).write_csv(tmp_path / "r.csv")
    ratings = load_ratings(tmp_path / "r.csv")
    ids = ratings.vocabulary()
    found = Interactions.from_ratings(ratings, ids)
    assert (ids.items.take(found.items) % 5 == pl.Series(found.channels)).all()
    assert ((ids.items.take(found.items) * 7 % 1009).to_numpy() == found.users).all()


def test_columns_by_keyword_come_before_the_settings() -> None:
    frame = pl.DataFrame({"a": [1], "b": [2], "c": [3]})
    config = DataConfig(user="a", item="b")
    assert load_ratings(frame, config=config, item="c").frame.rows() == [(1, 3)]
    assert load_ratings(frame, config=config, item=None).frame.rows() == [(1, 2)]
    with pytest.raises(ConfigError, match=r"setting data\.colour does not exist"):
        load_ratings(frame, config=config, colour="red")  # type: ignore[call-arg]
