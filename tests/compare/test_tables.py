"""The numbers of a table, by hand."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from conv4rec.compare.columns import column
from conv4rec.compare.tables import Table, make_tables, tables_of
from conv4rec.evaluation import Report
from conv4rec.records import Budget, Cost, Record, write_record

NDCG, RMSE, FIT = column("ndcg@20"), column("rmse"), column("fit_seconds")
N = 99
RISING = np.arange(N) / N - 0.5
"""Replicates around zero: half of them below."""


def record(model: str, seed: int = 0, **metrics: float) -> Record:
    return Record(
        model=model,
        data="d",
        recipe="r",
        seed=seed,
        metrics={name.replace("_at_", "@"): value for name, value in metrics.items()},
        cost=Cost(fit_seconds=10.0 * (1 + seed)),
        test_fingerprint=f"test {seed}",
    )


def table(records: list[Record], replicates: Mapping[tuple[str, int], Mapping[str, np.ndarray]] | None = None) -> Table:
    found = {} if replicates is None else replicates
    (made,) = make_tables(records, lambda r: found.get((r.model, r.seed), {}), columns=(NDCG, RMSE, FIT))
    return made


def test_means_spreads_and_the_best() -> None:
    values = {
        "a": ({"ndcg_at_20": 0.2}, {"ndcg_at_20": 0.4}),
        "b": ({"ndcg_at_20": 0.1, "rmse": 0.9}, {"ndcg_at_20": 0.1, "rmse": 0.7}),
    }
    made = table([record(model, seed, **values[model][seed]) for model in "ab" for seed in (0, 1)])
    a, b = made.rows
    assert (a.model, b.model) == ("a", "b")
    assert made.runs == ((0, 1), (1, 1))
    assert a.cells["ndcg@20"].value == pytest.approx(0.3)
    assert a.cells["ndcg@20"].spread == pytest.approx(np.std([0.2, 0.4], ddof=1))
    assert (a.cells["ndcg@20"].is_best, b.cells["ndcg@20"].is_best) == (True, False)
    assert "rmse" not in a.cells
    assert b.cells["rmse"].value == pytest.approx(0.8)
    assert not b.cells["rmse"].is_best  # alone in its column
    assert a.cells["fit_seconds"].value == 15.0
    assert a.cells["ndcg@20"].comparison is None


def test_the_interval_is_that_of_the_mean_of_replicates() -> None:
    """Two seeds whose replicates move against each other: their mean does not move."""
    records = [record("a", 0, ndcg_at_20=0.4), record("a", 1, ndcg_at_20=0.6)]
    (row,) = table(records, {("a", 0): {"ndcg@20": 0.4 + RISING}, ("a", 1): {"ndcg@20": 0.6 - RISING}}).rows
    assert row.cells["ndcg@20"].interval == pytest.approx((0.5, 0.5))
    (row,) = table(records[:1], {("a", 0): {"ndcg@20": 0.4 + RISING}}).rows
    assert row.cells["ndcg@20"].interval == pytest.approx(tuple(np.quantile(0.4 + RISING, [0.025, 0.975])))
    assert row.cells["fit_seconds"].interval is None


def test_without_replicates_the_interval_is_the_recorded_one() -> None:
    one = record("a", ndcg_at_20=0.4).model_copy(update={"intervals": {"ndcg@20": (0.3, 0.5)}})
    assert table([one]).rows[0].cells["ndcg@20"].interval == (0.3, 0.5)
    assert table([one, record("a", 1, ndcg_at_20=0.4)]).rows[0].cells["ndcg@20"].interval is None


def test_paired_comparisons_with_the_best() -> None:
    """b is always 0.1 below a, whoever is drawn; c goes its own way; the p-values of the two are corrected together."""
    records = [record("a", ndcg_at_20=0.5), record("b", ndcg_at_20=0.4), record("c", ndcg_at_20=0.45)]
    noise = np.roll(RISING, 30)
    made = table(
        records,
        {
            ("a", 0): {"ndcg@20": 0.5 + noise},
            ("b", 0): {"ndcg@20": 0.4 + noise},
            ("c", 0): {"ndcg@20": 0.45 + noise + RISING},
        },
    )
    a, c, b = (row.cells["ndcg@20"] for row in made.rows)
    assert a.comparison is None
    assert a.is_best
    assert not a.is_tied
    assert b.comparison is not None
    assert b.comparison.difference == pytest.approx(-0.1)
    assert b.comparison.interval == pytest.approx((-0.1, -0.1))
    assert b.comparison.p == pytest.approx(2 / (N + 1))
    assert b.comparison.p_holm == pytest.approx(4 / (N + 1))
    assert not b.is_tied
    assert c.comparison is not None
    assert c.comparison.p == pytest.approx(2 * (np.count_nonzero(RISING - 0.05 >= 0) + 1) / (N + 1))
    assert c.is_tied


def test_only_the_same_users_are_paired() -> None:
    replicates = {(model, seed): {"ndcg@20": 0.3 + RISING} for model in "ab" for seed in (0, 1)}
    mine, other = record("a", ndcg_at_20=0.5), record("b", ndcg_at_20=0.4)
    elsewhere = other.model_copy(update={"test_fingerprint": "another test"})
    assert table([mine, elsewhere], replicates).rows[1].cells["ndcg@20"].comparison is None
    reseeded = other.model_copy(update={"config": {"evaluate": {"seed": 1}}})
    assert table([mine, reseeded], replicates).rows[1].cells["ndcg@20"].comparison is None
    shorter = replicates | {("b", 0): {"ndcg@20": RISING[:50]}}
    assert table([mine, other], shorter).rows[1].cells["ndcg@20"].comparison is None
    assert table([mine, other], replicates).rows[1].cells["ndcg@20"].comparison is not None


def test_a_model_that_failed_on_a_seed_is_not_the_best_and_says_why() -> None:
    failed = Record(model="b", data="d", recipe="r", seed=1, error="out of memory")
    made = table([record("a", s, ndcg_at_20=0.3) for s in (0, 1)] + [record("b", 0, ndcg_at_20=0.9), failed])
    b, a = made.rows
    assert (a.cells["ndcg@20"].is_best, b.cells["ndcg@20"].is_best) == (True, False)
    assert (b.n_runs, b.failures) == (1, {(1, 1): "out of memory"})


def test_models_without_any_figure_come_last() -> None:
    failed = Record(model="a", data="d", recipe="r", error="no")
    made = table([failed, record("b", rmse=0.9), record("c", rmse=0.8), record("z", ndcg_at_20=0.1)])
    assert [row.model for row in made.rows] == ["z", "c", "b", "a"]
    assert made.rows[-1].cells == {}


def test_a_table_for_every_data_set_and_recipe() -> None:
    records = [record("a", ndcg_at_20=0.1).model_copy(update={"data": d, "recipe": r}) for d in "xy" for r in "pq"]
    assert [(t.data, t.recipe) for t in make_tables(records)] == [("x", "p"), ("x", "q"), ("y", "p"), ("y", "q")]
    assert [c.key for c in make_tables(records)[0].columns][:2] == ["ndcg@20", "fit_seconds"]


def test_notes_that_hold_for_all_and_every_warning() -> None:
    notes = [("rule", "mean over 940 users"), ("rule", "mean over 941 users")]
    records = [
        record("a", n).model_copy(update={"notes": said, "warnings": (f"w{n}",)}) for n, said in enumerate(notes)
    ]
    made = table(records)
    assert (made.notes, made.warnings) == (("rule",), ("w0", "w1"))


def test_budgets_are_those_of_the_runs() -> None:
    budget = Budget(trials=2, seconds=1.0, monitor="rmse", value=0.9)
    made = table([record("a", rmse=1.0).model_copy(update={"budget": budget}), record("b", rmse=1.1)])
    assert [row.budgets for row in made.rows] == [(budget,), ()]


def test_the_tables_of_a_folder(tmp_path: Path) -> None:
    for one, replicates in ((record("a", ndcg_at_20=0.5), RISING), (record("b", ndcg_at_20=0.4), RISING - 0.1)):
        write_record(tmp_path, one, Report(one.metrics, {}, replicates={"ndcg@20": replicates}))
    (made,) = tables_of(tmp_path)
    cell = made.rows[1].cells["ndcg@20"]
    assert cell.comparison is not None
    assert cell.comparison.p == pytest.approx(2 / (N + 1))
