"""The table says what is best, what is not distinguished from it, and what failed."""

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from conv4rec.compare.tables import Table, make_tables
from conv4rec.records import Cost, Record
from conv4rec.report.comparison import all_figures, comparison, every_column, without_contest
from conv4rec.report.groups import groups_of
from tests.made_records import failed_record

NOISE = np.random.default_rng(0).normal(size=400) * 0.01


def record(model: str, **figures: float) -> Record:
    return Record(model=model, data="d", recipe="r", metrics=figures, cost=Cost(fit_seconds=2.0))


def replicates(found: Record) -> dict[str, NDArray[np.float64]]:
    """Around the figure; the second model moves on its own a little."""
    own = np.random.default_rng(len(found.model)).normal(size=400) * 0.002
    return {name: value + NOISE + own for name, value in found.metrics.items()}


def table_of(*records: Record, tested: bool = True) -> Table:
    (group,) = groups_of(records)
    (table,) = make_tables(group.records, replicates if tested else lambda _: {}, columns=every_column(group))
    return without_contest(table)


@pytest.fixture
def table() -> Table:
    return table_of(
        record("best", **{"ndcg@20": 0.3, "rmse": 0.9}),
        record("nearly", **{"ndcg@20": 0.2999}),
        record("far <off>", **{"ndcg@20": 0.1}),
        failed_record("broken").model_copy(update={"data": "d", "recipe": "r"}),
    )


def cells(html: str) -> dict[str, list[str]]:
    """Rows by their head; tags within cells are kept."""
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', html)
    return {head: re.findall(r"<td[^>]*>(.*?)</td>", row) for head, row in rows}


def test_the_best_is_strong_and_what_is_not_distinguished_is_marked(table: Table) -> None:
    found = cells(comparison(table, table.columns))
    assert list(found) == ["best", "nearly", "far &lt;off&gt;", "broken"]
    assert found["best"][0].startswith('<strong title="the best of its column">0.3000</strong><small>0.2')
    assert re.match(
        r'0\.2999<span title="not distinguished from the best: p = [01]\.\d+">\xa0≈</span>', found["nearly"][0]
    )
    assert found["far &lt;off&gt;"][0].startswith("0.1000<small>")
    assert found["nearly"][1] == "—"


def test_a_failed_model_is_a_row_that_says_why(table: Table) -> None:
    html = comparison(table, table.columns)
    why = "failed: MissingExtraError: bpr needs implicit: pip install 'conv4rec[peers]'"
    assert f'<td class="failed" colspan="{len(table.columns)}">{why}</td>' in html


def test_heads_have_units_and_the_better_side(table: Table) -> None:
    html = comparison(table, table.columns)
    assert '<th scope="col">NDCG@20\xa0↑<small>share of the best gain</small></th>' in html
    assert '<th scope="col">RMSE\xa0↓<small>rating points</small></th>' in html
    assert '<th scope="col">fit\xa0↓<small>s</small></th>' in html


def test_marks_are_explained(table: Table) -> None:
    html = comparison(table, table.columns)
    assert "≈: not distinguished from the best (paired bootstrap over the same users" in html
    assert "Bold: the best of its column." in html
    assert "its 95 % interval" in html
    untested = table_of(record("a", rmse=1.0), record("b", rmse=2.0), tested=False)
    assert "Differences were not tested: there are no bootstrap replicates" in comparison(untested, untested.columns)


def test_a_model_alone_is_not_called_the_best() -> None:
    alone = table_of(record("a", rmse=1.0))
    html = comparison(alone, alone.columns)
    assert "strong" not in html
    assert "Bold" not in html
    assert "not tested" not in html


def test_several_runs_show_their_spread_and_what_failed() -> None:
    runs = [record("a", rmse=value).model_copy(update={"seed": seed}) for seed, value in enumerate((1.0, 2.0))]
    third = Record(model="a", data="d", recipe="r", seed=2, error="out of memory")
    table = table_of(*runs, third, tested=False)
    html = comparison(table, table.columns)
    assert "1.5000<small>± 0.7071</small>" in html
    assert "<small>1 of 3 runs failed: out of memory</small>" in html
    assert "means over 3 runs" in html


def test_all_figures_have_a_row_each_and_usual_ones_come_first() -> None:
    table = table_of(record("a", **{"mrr@5": 0.1, "rmse": 1.0}), record("b", **{"mrr@5": 0.2}))
    assert [column.key for column in table.columns][:2] == ["rmse", "fit_seconds"]
    html = all_figures(table)
    assert '<th scope="row">MRR@5\xa0↑<small>1 / rank of the first hit</small></th>' in html
    assert html.count('<th scope="row">') == len(table.columns)
