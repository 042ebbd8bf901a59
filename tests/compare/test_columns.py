"""Which figures a table shows."""

import pytest

from conv4rec.compare.columns import HIGHER, LOWER, better, column, usual_columns
from conv4rec.config import EvaluateConfig
from conv4rec.evaluation import evaluate
from conv4rec.records import Cost, Record
from tests.compare.worlds import fitted_popular


@pytest.mark.parametrize(
    ("metric", "expected"),
    [("ndcg@20", "higher"), ("auc", "higher"), ("rmse", "lower"), ("ece_like", "lower"), ("coverage@5", None)],
)
def test_which_way_is_better(metric: str, expected: str | None) -> None:
    assert better(metric) == expected


def test_every_metric_of_a_report_has_been_thought_about() -> None:
    popular, history, targets = fitted_popular()
    measured = {name.partition("@")[0] for name in evaluate(popular, history, targets, EvaluateConfig(k=(5,))).metrics}
    descriptive = {"coverage", "gini", "popularity", "novelty", "diversity"}
    assert measured - HIGHER - LOWER == descriptive


@pytest.mark.parametrize(("lengths", "k"), [((5, 10, 20), 20), ((10, 50), 10), ((5, 100), 100)])
def test_the_usual_columns_take_lists_of_20_or_10_or_the_longest(lengths: tuple[int, ...], k: int) -> None:
    metrics = {f"{name}@{n}": 0.5 for name in ("ndcg", "recall", "mrr") for n in lengths} | {"rmse": 1.0}
    record = Record(model="a", data="d", recipe="r", metrics=metrics, cost=Cost(fit_seconds=1.0))
    assert [c.key for c in usual_columns([record])] == [f"ndcg@{k}", f"recall@{k}", "rmse", "fit_seconds"]


def test_the_value_of_a_column() -> None:
    record = Record(model="a", data="d", recipe="r", metrics={"rmse": 0.9}, cost=Cost(model_bytes=2**20))
    assert column("rmse").of(record) == 0.9
    assert column("model_bytes").of(record) == 2**20
    assert column("fit_seconds").of(record) is None
    assert column("mae").of(record) is None
    assert column("model_bytes").is_cost
