"""Labelled and unlabelled pairs: what is drawn, what is never drawn, and in which order pairs come."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv4rec.data.ratings import Ratings
from conv4rec.denoising import Pairs, Unlabelled
from conv4rec.denoising.pairs import FOLDS
from conv4rec.errors import DataError
from conv4rec.vocabulary import InteractionTypes
from tests.denoising.worlds import checkerboard


def ratings(values: list[float | None]) -> Ratings:
    frame = pl.DataFrame({"user_id": [7, 7, 9], "item_id": ["a", "b", "a"], "rating": values})
    return Ratings(frame, InteractionTypes.of([1, 2, 3, 4, 5], unrated=(None,)), name="films.csv")


def test_a_rating_above_the_threshold_is_positive() -> None:
    table = ratings([2.0, 3.0, 5.0])
    pairs = Pairs.from_ratings(table, table.vocabulary(), above=2)
    assert pairs.labels.tolist() == [0, 1, 1]
    assert (pairs.n_users, pairs.n_items, pairs.keys.tolist()) == (2, 2, [0, 1, 2])


@pytest.mark.parametrize("missing", [True, False])
def test_a_pair_without_a_rating_has_no_label(missing: bool) -> None:
    table = ratings([2.0, None, 5.0])
    if missing:
        table = Ratings(table.frame.drop("rating"), table.types, name="films.csv")
    with pytest.raises(DataError, match=r"films.csv: every pair needs a rating to be labelled by, and some have none"):
        Pairs.from_ratings(table, ratings([2.0, 3.0, 5.0]).vocabulary(), above=2)


def test_histories_have_the_label_as_type() -> None:
    pairs, _ = checkerboard(4, 6)
    histories = pairs.histories
    assert histories.counts.tolist() == np.bincount(pairs.users, minlength=4).tolist()
    assert ((histories.users + histories.items) % 2 == 1 - histories.channels).all()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.4])
def test_flipped_labels(share: float) -> None:
    pairs, _ = checkerboard()
    flipped = pairs.flip(share, seed=3)
    assert (flipped.labels != pairs.labels).sum() == round(share * len(pairs))
    assert np.array_equal(flipped.labels, pairs.flip(share, seed=3).labels)
    assert set(flipped.labels) <= {0.0, 1.0}


@given(st.floats(0.01, 0.99), st.integers(0, 5))
def test_held_out_pairs_and_the_rest_are_all(share: float, seed: int) -> None:
    pairs, _ = checkerboard(10, 8)
    rest, held_out = pairs.hold_out(share, seed)
    assert sorted([*rest.keys, *held_out.keys]) == sorted(pairs.keys)
    assert len(held_out) == max(1, round(share * len(pairs)))


@pytest.mark.parametrize("by_user", [True, False])
def test_every_pair_comes_once(by_user: bool) -> None:
    pairs, _ = checkerboard()
    batches = list(pairs.batches(64, np.random.default_rng(0), by_user=by_user))
    assert sorted(np.concatenate(batches)) == list(range(len(pairs)))
    assert {len(batch) for batch in batches[:-1]} == {64}


def test_pairs_of_a_user_come_together_in_parts() -> None:
    pairs, _ = checkerboard(n_users=40, n_items=100)
    order = np.concatenate(list(pairs.batches(10, np.random.default_rng(0), by_user=True)))
    n_runs = 1 + np.count_nonzero(np.diff(pairs.users[order]))
    assert n_runs <= 40 * FOLDS


def test_drawn_items_are_uniform_among_those_without_a_label() -> None:
    pairs, others = checkerboard(4, 10)
    users = np.repeat(np.arange(4), 20_000)
    items = Unlabelled.beside(pairs).draw(users, np.random.default_rng(0))
    assert not np.isin(users * 10 + items, pairs.keys).any()
    for user in range(4):
        free = others.items[others.users == user]
        counts = np.bincount(items[users == user], minlength=10)[free]
        assert np.abs(counts / 20_000 - 1 / len(free)).max() < 0.02


def test_the_same_seed_draws_the_same() -> None:
    pairs, _ = checkerboard()
    drawn = [Unlabelled.beside(pairs).draw(pairs.users, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


@given(st.integers(0, 20))
def test_planted_pairs_are_among_the_drawn_once_each(seed: int) -> None:
    everything, _ = checkerboard(12, 20, share=0.8)
    rest, planted = everything.hold_out(0.1, seed)
    drawn = Unlabelled.beside(rest, planted).draw(rest.users, np.random.default_rng(seed))
    keys = rest.users * 20 + drawn
    assert np.isin(planted.keys, keys).all()
    assert not np.isin(keys, rest.keys).any()


def test_a_user_with_a_label_for_every_item_leaves_nothing_to_draw() -> None:
    pairs, _ = checkerboard(3, 4, share=1.1)
    with pytest.raises(DataError, match="user 0 has a label for each of 4 items: none is left to draw"):
        Unlabelled.beside(pairs)


def test_more_planted_than_labelled_pairs_of_a_user() -> None:
    pairs = Pairs(np.array([0, 1]), np.array([0, 0]), np.ones(2, dtype=np.float32), 2, 9)
    planted = Pairs(np.array([1, 1]), np.array([1, 2]), np.ones(2, dtype=np.float32), 2, 9)
    with pytest.raises(DataError, match="user 1 has 2 planted pairs beside 1 labelled ones: too many"):
        Unlabelled.beside(pairs, planted)
