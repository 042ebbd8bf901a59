"""Rows to parts, as numbers, by hand."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv4rec.data.labels import LATER, TEST, TRAIN, VALIDATION, Cuts, cut, draw, rank_within, tell

T, V, E, L = TRAIN, VALIDATION, TEST, LATER


@pytest.mark.parametrize(
    ("times", "slices", "labels", "cuts"),
    [
        # ten different times: two test slices of 2, validation of 1 before the first of them
        ([5, 0, 1, 2, 3, 4, 6, 7, 8, 9], 2, [V, T, T, T, T, T, E, E, L, L], Cuts(5, 6, 8)),
        ([5, 0, 1, 2, 3, 4, 6, 7, 8, 9], 1, [T, T, T, T, T, T, T, V, E, E], Cuts(7, 8, 10)),
        # the boundary at 6 falls among equal times: all of them come after it
        ([0, 1, 2, 3, 5, 6, 6, 6, 8, 9], 2, [T, T, T, T, T, E, E, E, L, L], Cuts(6, 6, 8)),
    ],
)
def test_cut_by_hand(times: list[int], slices: int, labels: list[int], cuts: Cuts) -> None:
    found, where = cut(np.array(times), n_validation=1, n_test=2, slices=slices)
    assert found.tolist() == labels
    assert where == cuts


@given(st.lists(st.integers(-50, 50), min_size=12, max_size=60), st.integers(1, 3), st.integers(1, 3))
def test_equal_times_get_the_same_part_and_later_ones_no_earlier_part(times: list[int], n: int, slices: int) -> None:
    labels, cuts = cut(np.array(times), n_validation=n, n_test=n, slices=slices)
    assert list(cuts) == sorted(cuts)
    in_order = sorted(zip(times, labels.tolist(), strict=True))
    for (time, part), (next_time, next_part) in pairwise(in_order):
        assert part <= next_part
        assert time < next_time or part == next_part


def test_draw_has_the_asked_sizes() -> None:
    assert np.bincount(draw(50, validation=0.1, test=0.2, seed=3)).tolist() == [35, 5, 10]
    assert draw(50, validation=0.1, test=0.2, seed=3).tolist() == draw(50, validation=0.1, test=0.2, seed=3).tolist()


def test_rank_within_users_by_key_then_by_row() -> None:
    rank, counts = rank_within(np.array([0, 1, 0, 1, 0], dtype=np.int32), np.array([7, 5, 3, 5, 7]))
    assert rank.tolist() == [1, 0, 0, 1, 2]
    assert counts.tolist() == [3, 2]


def test_tell() -> None:
    labels = np.array([T, T, V, E, L], dtype=np.int8)
    assert tell(labels, with_test=True) == "2 train, 1 validation, 1 test"
    assert tell(labels, with_test=False) == "2 train, 1 validation"
