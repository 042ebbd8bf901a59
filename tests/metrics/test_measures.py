"""Columns by hand, and figures of the data and of replicates by one formula."""

import math

import numpy as np
import pytest

from conv4rec.metrics.batch import Batch
from conv4rec.metrics.measures import (
    consume_columns,
    curves,
    figures,
    list_columns,
    measure,
    order_columns,
    ranking_columns,
    rating_columns,
)
from tests.metrics.test_batch import CLICKS, STARS, batch_of, plan_of
from tests.triples import Triples

LAW = np.log(np.array([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]]))
TAKEN: Triples = [(0, 0, 4)]
ASKED: Triples = [(0, 1, 0), (0, 2, 4), (1, 2, 5)]


def example() -> Batch:
    return batch_of(TAKEN, ASKED, plan_of(), log_p=LAW)


def test_ranking_columns() -> None:
    columns, totals = ranking_columns(example())
    assert columns["recall@1"].tolist() == [1.0, 1.0]
    assert columns["precision@2"].tolist() == [1.0, 0.5]
    assert columns["ranked"].tolist() == [1.0, 1.0]
    assert columns["auc_users"].tolist() == [0.0, 1.0]  # user 0 has no other item left
    assert columns["auc"].tolist() == [0.0, 1.0]
    assert totals["hits_by_rank"].tolist() == [2, 1]
    assert totals["recalled_by_rank"].tolist() == [1.5, 0.5]


def test_users_who_are_not_ranked_add_nothing() -> None:
    columns, _ = ranking_columns(batch_of([(0, 1, 0)], [(0, 1, 0)], plan_of(), log_p=LAW))
    assert all(values.tolist() == [0.0, 0.0] for values in columns.values())


def test_list_columns() -> None:
    plan = plan_of()
    assert plan.catalogue is not None
    top = np.array([[2, 0], [1, -1], [-1, -1]], dtype=np.int32)
    columns = list_columns(top, plan.catalogue, plan.ks)
    assert columns["listed@2"].tolist() == [1.0, 1.0, 0.0]
    assert columns["pairs@1"].tolist() == [0.0, 0.0, 0.0]
    assert columns["pairs@2"].tolist() == [1.0, 0.0, 0.0]
    assert columns["diversity@2"].tolist() == [1.0, 0.0, 0.0]  # nobody has any item


def test_consume_columns() -> None:
    columns, totals = consume_columns(example())
    assert columns["nll_consume"] == pytest.approx([-math.log(0.3 * 0.2), -math.log(0.6)])
    squares = [0.38, 0.44]
    assert columns["brier_consume"] == pytest.approx([2 * (1 + squares[0]) - 2 * 0.5, 1 + squares[1] - 2 * 0.6])
    assert columns["consume_predicted"].sum(axis=1) == pytest.approx([2.0, 1.0])
    assert columns["consume_observed"].sum(axis=1).tolist() == [2.0, 1.0]
    assert totals["consume_pairs"].sum() == 9.0  # 3 interactions x 3 items


def test_rating_columns() -> None:
    columns, totals = rating_columns(example())  # a uniform law of five ratings, given 1 and 5
    assert columns["rated"].tolist() == [2.0, 0.0]
    assert columns["square"] == pytest.approx([8.0, 0.0])
    assert columns["size"] == pytest.approx([4.0, 0.0])
    assert columns["right"].tolist() == [1.0, 0.0]
    assert columns["brier_like"] == pytest.approx([0.4**2 + 0.6**2, 0.0])
    assert totals["rating_observed"].tolist() == [1, 0, 0, 0, 1]
    assert totals["rating_predicted"] == pytest.approx([0.4] * 5)
    assert totals["fine_likes"].sum(axis=1).tolist() == [1, 1]


def test_order_columns() -> None:
    columns = order_columns(example())  # items 1, disliked, and 2, liked, are equally likely to be liked
    assert columns["ndcg_like@1"].tolist() == [0.0, 0.0]
    assert columns["ndcg_like@2"] == pytest.approx([1 / math.log2(3), 0.0])
    assert columns["like_users"].tolist() == [1.0, 0.0]


def test_only_what_is_claimed_is_measured() -> None:
    batch = batch_of([], [(0, 1, 0)], plan_of(CLICKS), log_p=LAW)
    assert "nll_rating" in measure(batch).columns
    assert "rated" not in measure(batch).columns


def test_figures_of_the_data_and_of_replicates_are_one_formula() -> None:
    batch, plan = example(), plan_of()
    measured = measure(batch)
    weights = np.array([[1.0, 2.0, 0.0], [1.0, 1.0, 0.0]])
    plain = {name: values.sum(axis=0) for name, values in measured.columns.items()}
    drawn = {name: np.tensordot(weights.T, values, axes=1) for name, values in measured.columns.items()}
    found, replicates = figures(plain, plan), figures(drawn, plan)
    assert set(found) == set(replicates)
    for name, values in replicates.items():
        assert values.shape == (3,), name
        assert values[0] == pytest.approx(float(found[name]), nan_ok=True), name
        assert np.isnan(values[2]), name
    assert replicates["nll_consume"][1] == pytest.approx(-(2 * math.log(0.06) + math.log(0.6)) / 5)


def test_curves_are_empty_where_there_is_nothing_to_draw() -> None:
    plan = plan_of(STARS)
    measured = measure(batch_of([(0, 1, 0)], [(0, 1, 5)], plan, log_p=LAW))  # seen before, and not rated
    sums = {name: values.sum(axis=0) for name, values in measured.columns.items()}
    found = curves(sums, measured.totals, plan)
    assert set(found) == {"reliability_consume", "precision_recall"}
    assert found["precision_recall"] == []
