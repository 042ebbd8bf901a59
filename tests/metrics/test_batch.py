"""What is read off a batch, and that its parts are the whole."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from conv4rec.config import EvaluateConfig
from conv4rec.metrics.batch import Batch, Plan
from conv4rec.metrics.catalogue import Catalogue
from conv4rec.metrics.measures import measure
from conv4rec.predictions import Floats, Predictions
from conv4rec.vocabulary import InteractionTypes
from tests.triples import Triples, make_interactions

STARS = InteractionTypes.of([1.0, 2.0, 3.0, 4.0, 5.0])  # channel 5: unrated
CLICKS = InteractionTypes.of([], rated=[], unrated=["click"])


@dataclass(frozen=True)
class Constant:
    """One type law for everything."""

    log_p: Floats

    def pairs(self, rows: NDArray[np.integer], items: NDArray[np.integer]) -> Floats:  # noqa: ARG002
        return np.tile(self.log_p, (len(rows), 1)).astype(np.float64)

    def grid(self) -> Floats:
        raise NotImplementedError("not needed here")


def plan_of(types: InteractionTypes = STARS, *, n_items: int = 3, config: EvaluateConfig | None = None) -> Plan:
    catalogue = Catalogue.of(make_interactions([], n_users=1, n_items=n_items))
    return Plan(EvaluateConfig(k=(2, 1, 2)) if config is None else config, types, catalogue, True)


def batch_of(taken: Triples, targets: Triples, plan: Plan, *, n_users: int = 2, log_p: Floats | None = None) -> Batch:
    assert plan.catalogue is not None
    n_items, n_types = len(plan.catalogue.popularity), plan.types.n_types
    law = np.log(np.random.default_rng(0).dirichlet(np.ones(n_items), n_users)) if log_p is None else log_p
    predictions = Predictions(plan.types, law, Constant(-np.log(np.full(n_types, float(n_types)))))
    known, asked = (make_interactions(triples, n_users=n_users, n_items=n_items) for triples in (taken, targets))
    return Batch.of(predictions, 10 + np.arange(n_users), taken=known, targets=asked, plan=plan)


def test_lengths_of_lists_are_sorted_and_told_once() -> None:
    assert plan_of().ks == (1, 2)


def test_what_is_liked_is_the_upper_quarter_of_the_scale_or_what_the_settings_say() -> None:
    assert plan_of().like == 4.0
    assert plan_of(config=EvaluateConfig(like=2.5)).like == 2.5
    assert np.isnan(plan_of(CLICKS).like)
    assert not plan_of(CLICKS).with_ratings


def test_relevant_is_what_was_not_taken_already_once() -> None:
    batch = batch_of([(0, 1, 0)], [(0, 1, 4), (0, 2, 4), (0, 2, 0), (1, 0, 5)], plan_of())
    rows, items = batch.relevant_pairs
    assert list(zip(rows.tolist(), items.tolist(), strict=True)) == [(0, 2), (1, 0)]


def test_relevant_is_what_is_rated_high_enough() -> None:
    plan = plan_of(config=EvaluateConfig(relevant=3.0))
    batch = batch_of([], [(0, 0, 2), (0, 1, 1), (1, 2, 5)], plan)
    assert [index.tolist() for index in batch.relevant_pairs] == [[0], [0]]


def test_rated_targets_are_those_with_a_rating() -> None:
    rated = batch_of([], [(0, 0, 3), (0, 1, 5), (1, 2, 0)], plan_of()).rated
    assert rated.rows.tolist() == [0, 1]
    assert rated.items.tolist() == [0, 2]
    assert rated.ratings.tolist() == [4.0, 1.0]
    assert rated.levels.tolist() == [3, 0]
    assert rated.p_like == pytest.approx([0.4, 0.4])
    assert rated.liked.tolist() == [True, False]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2), st.integers(0, 5)), max_size=20), st.integers(1, 9))
def test_parts_are_the_whole(triples: Triples, n: int) -> None:
    batch = batch_of(triples[::2], triples[1::2], plan_of(), n_users=7)
    whole, parts = measure(batch), [measure(part) for part in batch.parts(n)]
    assert 1 <= len(parts) <= n
    for name, values in whole.columns.items():
        np.testing.assert_allclose(np.concatenate([part.columns[name] for part in parts]), values, err_msg=name)
    for name, values in whole.totals.items():
        np.testing.assert_allclose(sum(part.totals[name] for part in parts), values, err_msg=name, atol=1e-12)
    assert whole.top is not None
    assert np.concatenate([part.top for part in parts if part.top is not None]).tolist() == whole.top.tolist()


def test_a_law_of_all_users_in_one_row_is_measured_alike() -> None:
    """As most popular gives it: a view without strides."""
    law = np.log(np.array([0.5, 0.2, 0.3]))
    asked: Triples = [(0, 0, 1), (1, 2, 3)]
    view, copy = (
        batch_of([(1, 0, 0)], asked, plan_of(), log_p=each)
        for each in (np.broadcast_to(law, (2, 3)), np.tile(law, (2, 1)))
    )
    for part, same in zip(view.parts(1), copy.parts(1), strict=True):
        one, other = measure(part), measure(same)
        assert all((one.columns[name] == values).all() for name, values in other.columns.items())
