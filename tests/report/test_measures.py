"""Every figure has a name and a unit."""

import pytest

from conv4rec.report.measures import measure_of, pick


@pytest.mark.parametrize(
    ("key", "title", "better"),
    [
        ("ndcg@20", "NDCG@20 (share of the best gain)", "higher"),
        ("rmse", "RMSE (rating points)", "lower"),
        ("nll", "NLL (nats per interaction)", "lower"),
        ("coverage@5", "coverage@5 (share of the catalogue)", None),
        ("recall@10^0.3_lloo", "recall@10^0.3 LLOO (weighted share)", "higher"),
        ("recall@10^1_loo", "recall@10^1 LOO (weighted share)", "higher"),
        ("peak_memory_bytes", "peak memory (MiB)", None),
        ("my own@3", "my own@3", None),
    ],
)
def test_name_unit_and_better_side(key: str, title: str, better: str | None) -> None:
    measure = measure_of(key)
    assert (measure.title, measure.better) == (title, better)


def test_pick_takes_20_or_the_longest_list_in_the_order_that_is_wanted() -> None:
    names = ["rmse", "ndcg@5", "ndcg@20", "ndcg@50", "recall@5", "recall@10", "recall@10^0.3_loo", "ndcg_like@5"]
    assert pick(names, ("recall", "ndcg", "rmse", "nll")) == ["recall@10", "ndcg@20", "rmse"]


def test_pick_finds_nothing_in_nothing() -> None:
    assert pick([], ("ndcg",)) == []
