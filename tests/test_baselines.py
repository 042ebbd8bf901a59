"""The baseline by hand, under the contract, and on real data; the truth on its own draws."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from conv4rec.baselines import MostPopular, true_law
from conv4rec.config import EvaluateConfig, SplitConfig
from conv4rec.data.interactions import Interactions
from conv4rec.data.ratings import Ratings
from conv4rec.data.simulator import SimulatorConfig, simulate
from conv4rec.data.split import split
from conv4rec.evaluation import Validation, evaluate, evaluate_by_user
from conv4rec.vocabulary import InteractionTypes
from tests.predictor_contract import PredictorContract, some_histories

STARS = InteractionTypes.of([1.0, 2.0, 3.0, 4.0, 5.0])
SHOP = InteractionTypes.of([1.0, 2.0, 3.0], rated=["purchase"], unrated=["view", "cart"])
CLICKS = InteractionTypes.of([], rated=[], unrated=["click"])
KINDS = [STARS, SHOP, CLICKS, InteractionTypes.of([1.0])]


class TestMostPopular(PredictorContract):
    """The contract, for rated, named and implicit interactions."""

    @pytest.fixture(params=KINDS, ids=["stars", "shop", "clicks", "one star"])
    def predictor(self, request: pytest.FixtureRequest) -> MostPopular:
        return MostPopular.fit(some_histories(request.param, 7, n_users=20, seed=3), request.param)

    @pytest.fixture
    def histories(self, predictor: MostPopular) -> Interactions:
        return some_histories(predictor.types, 7)


def ratings_of(triples: list[tuple[int, int, float]], n_users: int, n_items: int) -> Interactions:
    users, items, ratings = zip(*triples, strict=True)
    channels = (np.array(ratings) - 1).astype(np.uint8)
    columns = np.array(users, dtype=np.int32), np.array(items, dtype=np.int32)
    return Interactions.from_triples(*columns, channels, n_users=n_users, n_items=n_items)


def nobody(n_items: int) -> Interactions:
    return some_histories(STARS, n_items, n_users=2).select(np.array([0]))


def test_popularity_by_hand() -> None:
    known = ratings_of([(0, 1, 5.0), (1, 1, 4.0), (1, 2, 1.0)], 2, 3)
    law = MostPopular.fit(known, STARS).predict(nobody(3))
    assert np.exp(law.log_p_consume) == pytest.approx(np.array([[1 / 6, 3 / 6, 2 / 6]]))


def test_type_law_by_hand() -> None:
    two = InteractionTypes.of([1.0, 2.0])
    known = ratings_of([(0, 0, 2.0)] * 6 + [(0, 1, 1.0)] * 2, 1, 3)
    law = MostPopular.fit(known, two).predict(nobody(3))
    overall = np.array([3, 7]) / 10  # one added to each
    expected = [(10 * overall + [0, 6]) / 16, (10 * overall + [2, 0]) / 12, overall]
    assert np.exp(law.type_law.grid()) == pytest.approx(np.array([expected]), abs=1e-6)


def test_a_mild_user_rates_higher_and_a_strict_one_lower() -> None:
    generator = np.random.default_rng(0)
    n = 2000
    columns = [generator.integers(0, 40, n), generator.integers(0, 20, n), generator.integers(1, 6, n)]
    known = ratings_of(list(zip(*(c.tolist() for c in columns), strict=True)), 40, 20)
    model = MostPopular.fit(known, STARS)
    histories = ratings_of([(0, i, 5.0) for i in range(20)] + [(1, i, 1.0) for i in range(20)], 3, 20)
    mild, strict, new = model.predict(histories).expected_rating(np.arange(3), np.zeros(3, dtype=int))
    assert 1 <= strict < new - 0.7
    assert new + 0.7 < mild <= 5


def test_no_interactions_give_the_uniform_law() -> None:
    law = MostPopular.fit(nobody(4), STARS).predict(nobody(4))
    assert np.exp(law.log_p_consume) == pytest.approx(np.full((1, 4), 0.25))
    assert np.exp(law.type_law.grid()) == pytest.approx(np.full((1, 4, 5), 0.2))


def test_purchases_without_rating_count_as_purchases_only() -> None:
    # channels: purchase:1, purchase:2, purchase:3, view, cart | purchase of unknown rating
    channels = np.array([0, 2, 2, 3, 5, 5, 5, 5], dtype=np.uint8)
    zeros = np.zeros(8, dtype=np.int32)
    one_item = Interactions.from_triples(zeros, zeros, channels, n_users=1, n_items=1)
    p = np.exp(MostPopular.fit(one_item, SHOP).predict(nobody(1)).type_law.grid())[0, 0]
    assert p[:3].sum() > 0.6
    assert p[3] > p[4]
    without = MostPopular.fit(replace_channels(one_item, [0, 2, 2, 3]), SHOP).predict(nobody(1))
    assert p[:3].sum() > np.exp(without.type_law.grid())[0, 0, :3].sum()


def replace_channels(known: Interactions, channels: list[int]) -> Interactions:
    zeros = np.zeros(len(channels), dtype=np.int32)
    kinds = np.array(channels, dtype=np.uint8)
    return Interactions.from_triples(zeros, zeros, kinds, n_users=1, n_items=known.n_items)


def test_unrated_interactions_count_for_popularity_only() -> None:
    rated = ratings_of([(0, 0, 5.0), (0, 1, 2.0)], 1, 3)
    unrated = replace(rated, items=rated.items, channels=np.full(2, 5, dtype=np.uint8))
    law = MostPopular.fit(unrated, STARS).predict(unrated)
    assert np.exp(law.log_p_consume) == pytest.approx(np.array([[0.4, 0.4, 0.2]]))
    assert np.exp(law.type_law.grid()) == pytest.approx(np.full((1, 3, 5), 0.2))


def test_it_is_a_baseline_on_movielens_100k(data_folder: Path) -> None:
    columns = ["user_id", "item_id", "rating", "timestamp"]
    source = data_folder / "ml-100k" / "u.data"
    frame = pl.read_csv(source, separator="\t", has_header=False, new_columns=columns)
    ratings = Ratings(frame.with_columns(pl.col("rating").cast(pl.Float64)), STARS)
    vocabulary, parts = ratings.vocabulary(), split(ratings, SplitConfig())
    assert parts.test is not None
    train, test = Interactions.from_ratings(parts.train, vocabulary), Validation.of(parts.test, vocabulary)
    popular, settings = MostPopular.fit(train, STARS), EvaluateConfig(k=(20,))
    metrics = evaluate(popular, test.history, test.targets, settings, exclude=test.excluded).metrics
    assert metrics["rmse"] < 0.96  # global mean: 1.13, item means: 1.02
    assert metrics["nll_rating"] < 1.36  # global histogram: 1.47
    assert metrics["ndcg@20"] > 0.15


def test_true_law_is_that_of_the_users_asked_for() -> None:
    simulation = simulate(SimulatorConfig(n_users=10, n_items=8))
    users = np.array([7, 2])
    predictions = true_law(simulation, users)
    assert (predictions.log_p_consume == simulation.log_p_consume[users]).all()
    assert (predictions.type_law.grid() == simulation.log_p_type[users]).all()
    pairs = predictions.type_law.pairs(np.array([1, 0, 1]), np.array([3, 4, 5]))
    assert (pairs == simulation.log_p_type[[2, 7, 2], [3, 4, 5]]).all()


def test_the_truth_scores_its_own_entropy() -> None:
    simulation = simulate(SimulatorConfig(n_users=3, n_items=6, n_interactions=60_000, replace=True))
    events = Interactions.from_ratings(simulation.ratings, simulation.vocabulary)
    none = replace(simulation.ratings, frame=simulation.ratings.frame.clear())
    nothing = Interactions.from_ratings(none, simulation.vocabulary)
    report = evaluate_by_user(lambda users, _: true_law(simulation, users), simulation.ratings.types, nothing, events)
    p_consume, p_type = np.exp(simulation.log_p_consume), np.exp(simulation.log_p_type)
    of_types = -(p_type * simulation.log_p_type).sum(axis=2)
    entropy = (p_consume * (of_types - simulation.log_p_consume)).sum(axis=1)
    assert report.metrics["nll"] == pytest.approx(np.average(entropy, weights=events.counts), abs=0.01)
