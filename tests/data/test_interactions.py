"""Index space."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv4rec.data import interactions
from conv4rec.data.interactions import Interactions
from conv4rec.data.ratings import Ratings
from conv4rec.errors import UnknownIdError
from conv4rec.vocabulary import InteractionTypes
from tests.triples import Triples, make_interactions

TRIPLES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4), st.integers(0, 3)))


def make(triples: Triples) -> Interactions:
    return make_interactions(triples, n_users=7, n_items=5)


def back(x: Interactions) -> Triples:
    return list(zip(x.users.tolist(), x.items.tolist(), x.channels.tolist(), strict=True))


@given(TRIPLES)
def test_triples_are_grouped_by_user_in_their_order(triples: Triples) -> None:
    assert back(make(triples)) == sorted(triples, key=lambda t: t[0])


@given(TRIPLES, st.lists(st.integers(0, 6)))
def test_select_takes_whole_users(triples: Triples, users: list[int]) -> None:
    expected = [(row, i, c) for row, u in enumerate(users) for v, i, c in triples if v == u]
    selected = make(triples).select(np.array(users, dtype=np.int64))
    assert back(selected) == expected
    assert (selected.n_users, selected.n_items) == (len(users), 5)


@given(TRIPLES, st.integers(1, 9))
def test_batches_are_all_users_once(triples: Triples, size: int) -> None:
    x = make(triples)
    together = [(users[u], i, c) for users, batch in x.batches(size) for u, i, c in back(batch)]
    assert together == back(x)


@given(TRIPLES, st.data())
def test_rows_are_users_side_by_side(triples: Triples, data: st.DataObject) -> None:
    x = make(triples)
    start, stop = sorted(data.draw(st.tuples(st.integers(0, x.n_users), st.integers(0, x.n_users))))
    part, same = x.rows(start, stop), x.select(np.arange(start, stop))
    assert part.fingerprint() == same.fingerprint()


def test_from_ratings_crosses_the_id_border() -> None:
    frame = pl.DataFrame({"user_id": ["b", "a", "b"], "item_id": [30, 10, 10], "rating": [2.0, None, 1.0]})
    ratings = Ratings(frame, InteractionTypes.of([1, 2]))
    assert back(Interactions.from_ratings(ratings, ratings.vocabulary())) == [(0, 0, 2), (1, 1, 1), (1, 0, 0)]


def test_an_id_outside_the_vocabulary() -> None:
    frame = pl.DataFrame({"user_id": [1, 2], "item_id": [1, 2]})
    ratings = Ratings(frame, InteractionTypes.of((), rated=(), unrated=(None,)))
    vocabulary = Ratings(frame.head(1), ratings.types).vocabulary()
    with pytest.raises(UnknownIdError, match="user 2 not known"):
        Interactions.from_ratings(ratings, vocabulary)


def test_the_fingerprint_tells_data_apart() -> None:
    one, other = make([(0, 1, 2), (3, 4, 0)]), make([(0, 1, 2), (3, 4, 1)])
    assert one.fingerprint() == make([(3, 4, 0), (0, 1, 2)]).fingerprint()
    assert one.fingerprint() != other.fingerprint()


@given(TRIPLES, st.integers(0, 40))
def test_distinct_pairs_are_each_pair_once(triples: Triples, dense: int) -> None:
    """By marking a table and by sorting alike."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interactions, "DENSE", dense)
        users, items = make(triples).distinct_pairs
    found = list(zip(users.tolist(), items.tolist(), strict=True))
    assert sorted(found) == sorted({(u, i) for u, i, _ in triples})
    assert users.tolist() == sorted(users.tolist())


def test_distinct_pairs_keep_the_order_where_none_is_repeated() -> None:
    users, items = make([(1, 4, 0), (1, 2, 0), (0, 3, 1)]).distinct_pairs
    assert list(zip(users.tolist(), items.tolist(), strict=True)) == [(0, 3), (1, 4), (1, 2)]


@given(TRIPLES, st.data())
def test_keep_takes_what_is_marked(triples: Triples, data: st.DataObject) -> None:
    x = make(triples)
    chosen = data.draw(st.lists(st.booleans(), min_size=len(x), max_size=len(x)))
    kept = x.keep(np.array(chosen, dtype=np.bool_))
    assert back(kept) == [row for row, is_chosen in zip(back(x), chosen, strict=True) if is_chosen]
    assert (kept.n_users, kept.n_items) == (x.n_users, x.n_items)


@given(TRIPLES, TRIPLES)
def test_join_puts_the_others_behind_those_of_the_user(one: Triples, other: Triples) -> None:
    joined = make(one).join(make(other))
    assert back(joined) == sorted(one + other, key=lambda t: t[0])
    assert (joined.n_users, joined.n_items) == (7, 5)
