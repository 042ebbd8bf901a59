"""What every predictor promises, as tests to inherit: `from tests.predictor_contract import ...`.

class TestMine(PredictorContract):
    predictor = pytest.fixture(lambda self: MyPredictor(...))
    histories = pytest.fixture(lambda self: some_histories(types, n_items))
"""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from conv4rec.data.interactions import Interactions
from conv4rec.predictions import Floats, Predictions, Predictor
from conv4rec.vocabulary import InteractionTypes


def some_histories(types: InteractionTypes, n_items: int, *, n_users: int = 9, seed: int = 0) -> Interactions:
    """Histories of all sorts: user 0 has none, user 1 has every item, the others some, of every channel."""
    generator = np.random.default_rng(seed)
    seen = generator.random((n_users, n_items)) < 0.3
    seen[0], seen[1] = False, True
    users, items = (axis.astype(np.int32) for axis in np.nonzero(seen))
    channels = generator.integers(0, types.n_channels, len(users)).astype(np.uint8)
    return Interactions.from_triples(users, items, channels, n_users=n_users, n_items=n_items)


class PredictorContract:
    """The contract suite of `conv4rec.predictions.Predictor`."""

    tolerance = 1e-4
    """Largest difference of a log-probability between two ways to compute it; raise it for low precision."""

    @pytest.fixture
    def predictor(self) -> Predictor:
        raise NotImplementedError("give the predictor under test")

    @pytest.fixture
    def histories(self) -> Interactions:
        raise NotImplementedError("give histories, for example some_histories(types, n_items)")

    def test_shapes(self, predictor: Predictor, histories: Interactions) -> None:
        predictions = predictor.predict(histories)
        n_users, n_items, n_types = histories.n_users, histories.n_items, predictor.types.n_types
        rows, items = all_pairs(histories)
        assert predictions.types == predictor.types
        assert predictions.log_p_consume.shape == (n_users, n_items)
        assert predictions.type_law.grid().shape == (n_users, n_items, n_types)
        assert predictions.type_law.pairs(rows, items).shape == (n_users * n_items, n_types)
        assert predictions.expected_rating(rows[:2], items[:2]).shape == (2,)

    def test_consumption_is_a_law(self, predictor: Predictor, histories: Interactions) -> None:
        log_p = predictor.predict(histories).log_p_consume
        assert np.isfinite(log_p).all()
        assert np.exp(log_p.astype(np.float64)).sum(axis=1) == pytest.approx(np.ones(len(log_p)), abs=1e-4)

    def test_types_are_a_law(self, predictor: Predictor, histories: Interactions) -> None:
        log_p = predictor.predict(histories).type_law.grid()
        assert not np.isnan(log_p).any()
        assert np.exp(log_p.astype(np.float64)).sum(axis=2) == pytest.approx(np.ones(log_p.shape[:2]), abs=1e-4)

    def test_pairs_are_the_grid(self, predictor: Predictor, histories: Interactions) -> None:
        law = predictor.predict(histories).type_law
        rows, items = all_pairs(histories)
        order = np.random.default_rng(0).permutation(len(rows))[: len(rows) // 2 + 1]
        self.assert_close(law.pairs(rows[order], items[order]), law.grid()[rows[order], items[order]])

    def test_no_pairs(self, predictor: Predictor, histories: Interactions) -> None:
        none = np.empty(0, dtype=np.int64)
        predictions = predictor.predict(histories)
        assert predictions.type_law.pairs(none, none).shape == (0, predictor.types.n_types)

    def test_expected_ratings_lie_on_the_scale(self, predictor: Predictor, histories: Interactions) -> None:
        if not predictor.types.n_levels:
            pytest.skip("nothing is rated")
        rated = predictor.predict(histories).expected_rating(*all_pairs(histories))
        low, high = predictor.types.rating_values[[0, -1]]
        assert low - 1e-4 <= rated.min() <= rated.max() <= high + 1e-4

    def test_users_do_not_depend_on_each_other(self, predictor: Predictor, histories: Interactions) -> None:
        together = predictor.predict(histories)
        for user in range(histories.n_users):
            alone = predictor.predict(histories.select(np.array([user])))
            self.assert_same(alone, together, np.array([user]))

    def test_order_of_users_does_not_matter(self, predictor: Predictor, histories: Interactions) -> None:
        order = np.random.default_rng(1).permutation(histories.n_users)
        self.assert_same(predictor.predict(histories.select(order)), predictor.predict(histories), order)

    def test_order_of_the_history_does_not_matter(self, predictor: Predictor, histories: Interactions) -> None:
        shuffled = np.lexsort((np.random.default_rng(2).random(len(histories)), histories.users))
        other = replace(histories, items=histories.items[shuffled], channels=histories.channels[shuffled])
        self.assert_same(predictor.predict(other), predictor.predict(histories), np.arange(histories.n_users))

    def test_predicting_leaves_no_trace(self, predictor: Predictor, histories: Interactions) -> None:
        first = predictor.predict(histories)
        before = first.log_p_consume.copy(), first.type_law.grid().copy()
        predictor.predict(histories.select(np.array([0, 1])))
        second = predictor.predict(histories)
        for one, other, again in zip(before, law_of(first), law_of(second), strict=True):
            np.testing.assert_array_equal(one, other)
            np.testing.assert_array_equal(one, again)

    def test_users_without_history(self, predictor: Predictor, histories: Interactions) -> None:
        nobody = Interactions(
            np.zeros(4, dtype=np.int64), histories.items[:0], histories.channels[:0], histories.n_items
        )
        predictions = predictor.predict(nobody)
        for log_p in law_of(predictions):
            assert not np.isnan(log_p).any()
        self.assert_same(predictions, predictions, np.zeros(3, dtype=np.int64))

    def test_users_who_took_every_item(self, predictor: Predictor, histories: Interactions) -> None:
        for channel in range(predictor.types.n_channels):
            self.assert_is_law(predictor, whole_catalogue(histories.n_items, channel))

    def test_interactions_without_a_rating(self, predictor: Predictor, histories: Interactions) -> None:
        if not predictor.types.partial:
            pytest.skip("every type is exact")
        unrated = replace(histories, channels=np.full_like(histories.channels, predictor.types.n_types))
        self.assert_is_law(predictor, unrated)

    def assert_is_law(self, predictor: Predictor, histories: Interactions) -> None:
        """Finite, and sums to one in both parts."""
        self.test_consumption_is_a_law(predictor, histories)
        self.test_types_are_a_law(predictor, histories)

    def assert_same(self, ours: Predictions, theirs: Predictions, rows: NDArray[np.integer]) -> None:
        """Row b of ours is row rows[b] of theirs."""
        for one, other in zip(law_of(ours), law_of(theirs), strict=True):
            self.assert_close(one, other[rows])

    def assert_close(self, ours: Floats, theirs: Floats) -> None:
        np.testing.assert_allclose(ours, theirs, rtol=self.tolerance, atol=self.tolerance)


def all_pairs(histories: Interactions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(B I,) rows and items of the whole grid."""
    rows, items = np.divmod(np.arange(histories.n_users * histories.n_items), histories.n_items)
    return rows, items


def law_of(predictions: Predictions) -> tuple[Floats, Floats]:
    return predictions.log_p_consume, predictions.type_law.grid()


def whole_catalogue(n_items: int, channel: int) -> Interactions:
    """One user who took every item, all in the same way."""
    items = np.arange(n_items, dtype=np.int32)
    channels = np.full(n_items, channel, dtype=np.uint8)
    return Interactions.from_triples(np.zeros_like(items), items, channels, n_users=1, n_items=n_items)
