"""Thirds of the targets: by hand, and nothing lost or counted twice."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from conv4rec.data.interactions import Interactions
from conv4rec.slices import slice_targets
from tests.triples import Triples, make_interactions


def rows(data: Interactions) -> list[tuple[int, int, int]]:
    return list(zip(data.users.tolist(), data.items.tolist(), data.channels.tolist(), strict=True))


def test_by_hand() -> None:
    popularity = {0: 4, 1: 3, 2: 2, 3: 1, 4: 1, 5: 0}  # thirds of the items: 5 3 | 4 2 | 1 0, but 3 and 4 are alike
    reference = make_interactions(
        [(user, item, 0) for item, n in popularity.items() for user in range(n)], n_users=4, n_items=6
    )
    history = make_interactions(
        [(0, 0, 0), (1, 0, 0), (1, 1, 0), (2, 0, 0), (2, 1, 0), (2, 2, 0)], n_users=4, n_items=6
    )
    targets = make_interactions([(0, 5, 0), (1, 3, 1), (1, 4, 0), (2, 0, 2)], n_users=4, n_items=6)
    found = {(part.by, part.label): rows(part.targets) for part in slice_targets(history, targets, reference)}
    assert found == {
        ("popularity", "least popular third (0 to 0 interactions)"): [(0, 5, 0)],
        ("popularity", "middle third (1 to 2 interactions)"): [(1, 3, 1), (1, 4, 0)],
        ("popularity", "most popular third (3 to 4 interactions)"): [(2, 0, 2)],
        ("history", "shortest histories (1 to 1 interactions)"): [(0, 5, 0)],
        ("history", "middle third (2 to 2 interactions)"): [(1, 3, 1), (1, 4, 0)],
        ("history", "longest histories (3 to 3 interactions)"): [(2, 0, 2)],
    }


def test_users_and_items_keep_their_indices() -> None:
    targets = make_interactions([(2, 1, 0), (4, 0, 0)], n_users=5, n_items=2)
    for part in slice_targets(make_interactions([(4, 1, 0)], n_users=5, n_items=2), targets, targets):
        assert (part.targets.n_users, part.targets.n_items) == (5, 2)


def test_many_alike_do_not_pull_the_others_along() -> None:
    targets = make_interactions([(0, item, 0) for item in range(4)], n_users=1, n_items=4)
    reference = make_interactions([(0, 3, 0)], n_users=1, n_items=4)
    parts = [rows(part.targets) for part in slice_targets(targets, targets, reference) if part.by == "popularity"]
    assert parts == [[(0, 0, 0), (0, 1, 0), (0, 2, 0)], [(0, 3, 0)]]


def test_parts_without_a_target_are_left_out() -> None:
    """All items and all users are alike: one part each."""
    targets = make_interactions([(0, 0, 0), (1, 1, 0)], n_users=2, n_items=2)
    parts = list(slice_targets(make_interactions([], n_users=2, n_items=2), targets, targets))
    assert [(part.by, len(part.targets)) for part in parts] == [("popularity", 2), ("history", 2)]


def test_no_targets_no_parts() -> None:
    nothing = make_interactions([], n_users=3, n_items=2)
    assert list(slice_targets(nothing, nothing, nothing)) == []


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7), st.integers(0, 2)), max_size=30), st.integers(0, 1000))
def test_every_target_is_in_one_part_of_each_kind(triples: Triples, seed: int) -> None:
    generator = np.random.default_rng(seed)
    known = [
        (int(u), int(i), 0) for u, i in zip(generator.integers(0, 6, 20), generator.integers(0, 8, 20), strict=True)
    ]
    history, targets = (make_interactions(each, n_users=6, n_items=8) for each in (known, triples))
    parts = list(slice_targets(history, targets, history))
    for by in ("popularity", "history"):
        found = [row for part in parts if part.by == by for row in rows(part.targets)]
        assert sorted(found) == sorted(rows(targets))
    popularity = np.bincount(history.items, minlength=8)
    spans = [popularity[part.targets.items] for part in parts if part.by == "popularity"]
    for low, high in pairwise(spans):
        assert low.max() < high.min()
