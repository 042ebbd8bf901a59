"""Profiles of a moment: strictly earlier, or all others; streamed, whatever the memory."""

import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv4rec.data.ratings import Ratings
from conv4rec.data.timeline import Line, Profiles, Timeline
from conv4rec.errors import DataError
from conv4rec.vocabulary import InteractionTypes
from tests.triples import make_interactions

Event = tuple[int, int, int]
"""User, item, time."""


def timeline(events: list[Event], *, n_users: int = 3, n_items: int = 5) -> Timeline:
    triples = [(user, item, 0) for user, item, _ in events]
    times = [time for _, _, time in sorted(events, key=lambda event: event[0])]
    return Timeline(make_interactions(triples, n_users=n_users, n_items=n_items), np.array(times, dtype=np.int64))


def asked(profiles: Profiles, memory_mb: int = 1) -> list[tuple[int, int, list[int]]]:
    """User, item and sorted profile of every event asked about, in the order of the line."""
    found: dict[int, tuple[int, int, list[int]]] = {}
    for batch in profiles.batches(memory_mb):
        for place, row in zip(batch.asked.tolist(), batch.rows.tolist(), strict=True):
            mine = batch.histories.select(np.array([row]))
            item = int(profiles.line.items[place])
            found[place] = (int(batch.users[row]), item, sorted(mine.items.tolist()))
    return [found[place] for place in range(len(found))]


def test_profiles_by_hand() -> None:
    history = timeline([(0, 1, 10), (2, 0, 1)])
    targets = timeline([(0, 2, 30), (0, 3, 20), (0, 4, 20), (1, 0, 5)])
    line = Line.of(history, targets)
    assert asked(line.earlier()) == [(0, 3, [1]), (0, 4, [1]), (0, 2, [1, 3, 4]), (1, 0, [])]
    assert asked(line.others()) == [(0, 3, [1, 2, 4]), (0, 4, [1, 2, 3]), (0, 2, [1, 3, 4]), (1, 0, [])]
    assert len(line.earlier().users) == 3  # items 3 and 4 share a profile


def test_an_item_taken_again_is_in_the_earlier_profile_and_not_among_the_others() -> None:
    line = Line.of(timeline([]), timeline([(0, 1, 1), (0, 2, 2), (0, 1, 3)]))
    assert asked(line.earlier()) == [(0, 1, []), (0, 2, [1]), (0, 1, [1, 2])]
    assert asked(line.others()) == [(0, 1, [2]), (0, 2, [1, 1]), (0, 1, [2])]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(0, 4), st.booleans()), min_size=1))
def test_profiles_are_what_a_loop_finds(events: list[tuple[int, int, int, bool]]) -> None:
    events = sorted(events, key=lambda event: event[0])
    history = [event[:3] for event in events if not event[3]]
    targets = [event[:3] for event in events if event[3]]
    line = Line.of(timeline(history), timeline(targets))
    everything = [*history, *targets]
    order = sorted(targets, key=lambda event: (event[0], event[2]))
    assert asked(line.earlier()) == [
        (u, i, sorted(j for v, j, s in everything if v == u and s < t)) for u, i, t in order
    ]
    assert asked(line.others()) == [
        (u, i, sorted(j for v, j, _ in everything if v == u and j != i)) for u, i, _ in order
    ]


def test_profiles_are_streamed() -> None:
    events = [(user, item, item) for user in range(3) for item in range(400)]
    line = Line.of(timeline([], n_items=2000), timeline(events, n_items=2000))
    for profiles in (line.earlier(), line.others()):
        sizes = [24 * 2000 * len(b.users) + 32 * len(b.histories) for b in profiles.batches(1)]
        assert max(sizes) <= 2**20
        assert len(sizes) < 80
        assert asked(profiles, memory_mb=1) == asked(profiles, memory_mb=1000)


def test_a_profile_larger_than_the_memory_goes_alone() -> None:
    line = Line.of(timeline([], n_items=100_000), timeline([(0, 1, 1), (0, 2, 2)], n_items=100_000))
    assert [len(batch.users) for batch in line.earlier().batches(1)] == [1, 1]


def test_from_ratings_keeps_every_time_beside_its_interaction() -> None:
    frame = pl.DataFrame({"user_id": [7, 5, 7, 5], "item_id": [1, 2, 3, 1], "timestamp": [40, 30, 20, 10]})
    ratings = Ratings(frame, InteractionTypes.of([], rated=(), unrated=(None,)))
    found = Timeline.from_ratings(ratings, ratings.vocabulary())
    assert found.interactions.users.tolist() == [0, 0, 1, 1]
    assert found.interactions.items.tolist() == [1, 0, 0, 2]
    assert found.times.tolist() == [30, 10, 40, 20]
    kept = found.keep(found.times > 10)
    assert (kept.interactions.items.tolist(), kept.times.tolist()) == ([1, 0, 2], [30, 40, 20])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, "log: no time stamps; expected one for every interaction"),
        ({"timestamp": [3, None]}, "log: 1 of 2 interactions have no time stamp, the first in row 1; expected all to"),
    ],
)
def test_missing_times_are_refused(columns: dict[str, list[int | None]], message: str) -> None:
    frame = pl.DataFrame({"user_id": [1, 2], "item_id": [1, 2], **columns})
    ratings = Ratings(frame, InteractionTypes.of([], rated=(), unrated=(None,)), name="log")
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        Timeline.from_ratings(ratings, ratings.vocabulary())


def test_times_must_be_as_many_as_interactions() -> None:
    with pytest.raises(DataError, match="^2 times for 1 interactions: expected one for each of them$"):
        Timeline(make_interactions([(0, 0, 0)], n_users=1, n_items=1), np.array([1, 2]))
