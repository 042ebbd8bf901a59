"""Lists from blocks of items are those of the whole catalogue, whatever the block and the batch."""

import threading
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from conv4rec.compiled import is_loaded
from conv4rec.errors import TrainingError
from conv4rec.metrics.ranking import top_k
from conv4rec.model import lists as lists_module
from conv4rec.model.lists import MANY, Size, _reaching, _Running, _Search, best_items
from conv4rec.predictions import Best, Lister
from conv4rec.queries import Query, QueryEngine
from conv4rec.recommender import Conv4Rec
from tests.model.test_network import TYPES, make_histories, make_network


@pytest.mark.parametrize(("users", "block"), [(60, 50), (7, 333), (128, 10_000), (1, 1682)])
def test_the_best_of_blocks_are_the_best_of_all(films: Conv4Rec, users: int, block: int) -> None:
    histories = films._known_histories().select(np.arange(60))
    predictions = films.predictor.predict(histories)
    rng = np.random.default_rng(0)
    allowed = rng.random(histories.n_items) < 0.7
    scores = predictions.log_p_consume.copy()
    scores[:, ~allowed] = -np.inf
    scores[histories.users, histories.items] = -np.inf
    expected = top_k(scores, 9)
    network, size = films.predictor.network, Size(users, block)
    found = best_items(network, histories, 9, size, without=histories, allowed=allowed)
    assert (found.items == expected).all()
    there = expected >= 0
    rows = np.nonzero(there)[0]
    assert found.log_p_consume[there] == pytest.approx(predictions.log_p_consume[rows, expected[there]], abs=1e-4)
    assert (found.log_p_consume[~there] == -np.inf).all()


@pytest.mark.parametrize(("users", "block"), [(60, 50), (7, 333), (128, 10_000)])
@pytest.mark.parametrize("experts", [True, False])
def test_lists_of_many_are_those_of_few(films: Conv4Rec, users: int, block: int, experts: bool) -> None:
    """Of many users some of it is compiled; the order may differ only where scores are a rounding apart."""
    assert is_loaded()  # by the fit
    histories, network = films._known_histories().select(np.arange(MANY + 9)), films.predictor.network
    kept = network.consumption_experts
    network.consumption_experts = kept if experts else None
    try:
        many = best_items(network, histories, 9, Size(users, block), without=histories)
        part = best_items(
            network, histories.rows(0, MANY - 1), 9, Size(users, block), without=histories.rows(0, MANY - 1)
        )
    finally:
        network.consumption_experts = kept
    assert many.log_p_consume[: MANY - 1] == pytest.approx(part.log_p_consume, abs=2e-4)
    assert (many.items[: MANY - 1] == part.items).mean() > 0.99


@pytest.mark.parametrize(
    ("n_users", "pays", "many"), [(MANY, True, True), (MANY - 1, True, False), (MANY, False, False)]
)
def test_what_is_compiled_is_loaded_where_it_is_worth_it(
    films: Conv4Rec, monkeypatch: pytest.MonkeyPatch, n_users: int, pays: bool, many: bool
) -> None:
    asked = set()

    class Spy(_Search):
        def best(self, *given: Any) -> Best:
            asked.add(self.many)
            return super().best(*given)

    monkeypatch.setattr(lists_module, "pays", lambda n_pairs: pays and n_pairs == n_users * 1682)
    monkeypatch.setattr(lists_module, "_Search", Spy)
    best_items(films.predictor.network, films._known_histories().rows(0, n_users), 4, Size(128, 10_000))
    assert asked == {many}


def test_a_score_that_is_no_number_is_told_in_lists_of_many(films: Conv4Rec) -> None:
    histories, network = films._known_histories().select(np.arange(MANY)), films.predictor.network
    assert network.consumption_experts is not None
    weights = network.consumption_experts.explained.weights
    kept = weights.clone()
    try:
        weights[5] = torch.nan
        with pytest.raises(TrainingError, match="a score is NaN, expected numbers to rank"):
            best_items(network, histories, 4, Size(128, 10_000))
    finally:
        weights.copy_(kept)


def test_ties_go_to_the_lower_index_and_short_lists_end_early(films: Conv4Rec) -> None:
    histories, network = films._known_histories().select(np.array([0, 1])), films.predictor.network
    path, experts = network.consumption, network.consumption_experts
    kept = path.decoder.data.clone(), path.bias.data.clone()
    network.consumption_experts = None
    try:
        path.decoder.data.zero_()
        path.bias.data.zero_()
        found = best_items(network, histories, 4, Size(2, 3), allowed=np.arange(histories.n_items) < 2)
        everything = best_items(network, histories, 4, Size(2, 3), without=histories)
    finally:
        path.decoder.data, path.bias.data, network.consumption_experts = *kept, experts
    assert (found.items[:, 2:] == -1).all()
    unseen = [np.setdiff1d(np.arange(histories.n_items), histories.select(np.array([u])).items)[:4] for u in (0, 1)]
    assert everything.items.tolist() == [items.tolist() for items in unseen]


def test_an_engine_short_of_memory_makes_lists_in_blocks(films: Conv4Rec) -> None:
    some = np.arange(100)
    histories, names = films._known_histories().select(some), films.vocabulary.users.values[:100]
    state = (films.predictor, films.vocabulary, films.items)
    plenty = QueryEngine(*state, memory_mb=512)
    short = QueryEngine(*state, memory_mb=1)
    network = films.predictor.network
    assert Size.within(512, network).items == histories.n_items > Size.within(1, network).items
    for query in (Query(k=5), Query(k=5, exclude_seen=False, candidates=films.vocabulary.items.values[:9].to_list())):
        expected, found = plenty.rank(names, histories, query), short.rank(names, histories, query)
        assert_frame_equal(found, expected, rel_tol=1e-3, abs_tol=1e-4)
    ratings = Query(k=5, rank_by="rating")
    assert_frame_equal(short.rank(names, histories, ratings), plenty.rank(names, histories, ratings), abs_tol=1e-4)


def test_lists_alone_have_no_law_beside_them(films: Conv4Rec) -> None:
    users = films.vocabulary.users.values[:3].to_list()
    alone, full = films.recommend(users, 4, law=False), films.recommend(users, 4)
    assert set(full.columns) - set(alone.columns) >= {"p_consume", "expected_rating", "p_like"}
    assert_frame_equal(alone, full.select(alone.columns))
    assert alone.columns[:4] == ["user_id", "item_id", "rank", "score"]
    assert isinstance(alone, pl.DataFrame)


@pytest.mark.parametrize("many", [False, True])
def test_the_running_best_are_the_best(many: bool) -> None:
    """Few values, so that many are equal; some left out; and 0.0 is -0.0."""
    rng = np.random.default_rng(0)
    values = np.array([-np.inf, -3e38, -1.5, -0.0, 0.0, 2.0, 7.0], dtype=np.float32)
    for n_rows, n_items, k, block in (
        (3, 40, 5, 7),
        (8, 301, 20, 301),
        (1, 9, 9, 4),
        (5, 400, 3, 100),
        (2, 6, 1, 6),
        (64, 90, 6, 40),
        (133, 70, 9, 70),
    ):
        scores = rng.choice(values, size=(n_items, n_rows))
        scores[:, 0] = -np.inf
        scores[:2, 0] = 1.0
        running = _Running.empty(n_rows, k, n_items, many=many)
        for start in range(0, n_items, block):
            running = running.joined(scores[start : start + block], start)
        items, found = running.best()
        expected = top_k(scores.T, k)
        assert items.tolist() == expected.tolist()
        ranked = np.where(expected < 0, -np.inf, np.take_along_axis(scores.T, expected, axis=1))
        assert np.array_equal(found, ranked)


@given(st.data())
def test_what_reaches_a_score(data: st.DataObject) -> None:
    n_items, n_rows = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 9))
    n = n_items * n_rows
    drawn = data.draw(st.lists(st.sampled_from([0, 1, 2]), min_size=n, max_size=n))
    scores = np.array(drawn, dtype=np.float32).reshape(n_items, n_rows)
    least = np.array(data.draw(st.lists(st.sampled_from([1, 2, 3]), min_size=n_rows, max_size=n_rows)), np.float32)
    at, rows, counts = _reaching(scores, least)
    assert at.tolist() == np.flatnonzero(scores >= least).tolist()
    assert rows.tolist() == (at % n_rows).tolist()
    assert counts.tolist() == (scores >= least).sum(axis=0).tolist()


@pytest.mark.parametrize("many", [False, True])
def test_a_guess_that_keeps_too_few_is_taken_back(many: bool) -> None:
    """The sample is every eighth item: here those alone are good, so that it is far too demanding."""
    scores = np.random.default_rng(0).normal(size=(1600, 4)).astype(np.float32)
    scores[::8] += 100.0
    found = _Running.empty(4, 190, 1600, many=many).joined(scores, 0).best()[0]
    assert found.tolist() == top_k(scores.T, 190).tolist()
    longer = _Running.empty(4, 300, 1600, many=many).joined(scores, 0).best()[0]
    assert longer.tolist() == top_k(scores.T, 300).tolist()


def test_threads_change_nothing_and_leave_torch_as_it_was(films: Conv4Rec) -> None:
    histories, network, before = films._known_histories(), films.predictor.network, torch.get_num_threads()
    found, size, later = [], Size(200, 2000), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(best_items(network, histories, 5, size))
            thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
            thread.start()
            thread.join()
            assert torch.get_num_threads() == threads == later[-1]
    finally:
        torch.set_num_threads(before)
    assert (found[0].items == found[1].items).all()
    assert found[0].log_p_consume == pytest.approx(found[1].log_p_consume, abs=1e-5)


def test_a_score_that_is_no_number() -> None:
    network, histories = make_network(TYPES), make_histories(TYPES)
    network.consumption.bias.data[2] = float("nan")
    with pytest.raises(TrainingError, match="row 0: a score is NaN, expected numbers to rank"):
        best_items(network, histories, 2, Size(5, 6))


def test_nobody_has_no_lists(films: Conv4Rec) -> None:
    nobody = films._known_histories().select(np.array([], dtype=np.int64))
    assert best_items(films.predictor.network, nobody, 3, Size(5, 50)).items.shape == (0, 3)


def test_a_network_is_a_lister(films: Conv4Rec) -> None:
    predictor, histories = films.predictor, films._known_histories().select(np.arange(3))
    assert isinstance(predictor, Lister)
    rows, items = np.array([0, 2]), np.array([4, 5])
    expected = predictor.predict(histories).type_law.pairs(rows, items)
    assert predictor.type_law_of(histories).pairs(rows, items) == pytest.approx(expected)
