"""Lists from blocks of items are those of the whole catalogue, whatever the block and the batch."""

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from conv4rec.metrics.ranking import top_k
from conv4rec.model.lists import Size, best_items
from conv4rec.queries import Query, QueryEngine
from conv4rec.recommender import Conv4Rec


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
