"""What people read."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv4rec.compare.columns import column
from conv4rec.compare.markdown import budget_in_words, escape, shown, to_dict, to_markdown
from conv4rec.compare.paired import Comparison
from conv4rec.compare.tables import Cell, make_tables
from conv4rec.records import Budget, Cost, Record

RMSE, PEAK = column("rmse"), column("peak_memory_bytes")


def test_cells() -> None:
    assert shown(Cell(0.84321, (0.8, 0.9), None, 1, is_best=True), RMSE) == "**0.8432** (0.8000 to 0.9000)"
    tied = Cell(0.85, None, 0.01, 3, comparison=Comparison(0.01, None, 0.3, 0.6))
    assert shown(tied, RMSE) == "0.8500 ≈ ± 0.0100"
    worse = Cell(0.95, None, None, 1, comparison=Comparison(0.1, (0.05, 0.15), 0.001, 0.002))
    assert shown(worse, RMSE) == "0.9500"
    assert shown(Cell(2000 * 2.0**20, None, None, 1), PEAK) == "2,000"


@given(st.text())
def test_escaped_text_stays_in_its_cell(text: str) -> None:
    escaped = escape(text)
    assert "\n" not in escaped
    assert "\r" not in escaped
    assert re.search(r"(?<!\\)(?:\\\\)*\|", escaped) is None
    assert re.sub(r"\\(.)", r"\1", escaped) == " ".join(text.split())


BUDGET = Budget(trials=20, failed=1, seconds=12.34, limit_trials=20, limit_seconds=600, monitor="ndcg@20", value=0.3)


def test_a_budget_in_words() -> None:
    assert budget_in_words((BUDGET,)) == (
        "searched by ndcg@20 on validation, at most 20 trials and 600 s a run; used 20 trials (1 failed) and 12.3 s"
    )
    other = BUDGET.model_copy(update={"trials": 10, "failed": 0, "seconds": 10.0, "limit_seconds": None})
    first = BUDGET.model_copy(update={"limit_seconds": None})
    assert budget_in_words((first, other)) == (
        "searched by ndcg@20 on validation, at most 20 trials a run; used 15 trials (0.5 failed) and 11.2 s a run, mean"
    )


def records() -> list[Record]:
    good = Record(
        model="ease",
        data="ml|1m",
        recipe="random",
        budget=BUDGET,
        notes=("recall@k divides by min(k, relevant items)",),
        warnings=("3 leaks",),
        metrics={"ndcg@20": 0.32, "recall@20": 0.35},
        cost=Cost(fit_seconds=3.6),
    )
    failed = Record(model="worse*", data="ml|1m", recipe="random", error="ValueError: a | b")
    ratings = Record(model="svd", data="ml|1m", recipe="random", metrics={"rmse": 0.86})
    return [failed, ratings, good]


def test_a_whole_table() -> None:
    text = to_markdown(make_tables(records())[0])
    lines = text.splitlines()
    assert lines[0] == r"### ml\|1m, random"
    assert lines[2].startswith("| model | NDCG@20 ↑ | Recall@20 ↑ | RMSE ↓ | fit, s ↓ |")
    assert lines[4].startswith("| ease | 0.3200 | 0.3500 | — | 3.6 |")
    assert lines[5].startswith("| svd | — | — | 0.8600 | — |")
    assert lines[6].startswith(r"| worse\* | failed: ValueError: a \| b |  |")
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines[2:7]}) == 1
    for note in (
        "- Figures: seed 0.",
        "- —: the model makes no claim on it.",
        r"- worse\*, seed 0, failed: ValueError: a \| b",
        "- ease: searched by ndcg@20 on validation, at most 20 trials and 600 s a run; used 20 trials (1 failed)",
        "- svd: hyper-parameters not searched",
        "- Warning: 3 leaks",
    ):
        assert note in text
    assert "≈" not in text
    assert "±" not in text


def test_several_seeds_and_no_search() -> None:
    seeds = [
        Record(model="a", data="d", recipe="r", seed=s, window=w, metrics={"rmse": 0.9}) for s in (0, 1) for w in (1, 2)
    ]
    text = to_markdown(make_tables(seeds)[0])
    assert "- Figures: mean over 2 seeds, 2 windows." in text
    assert "- After ±: standard deviation over seeds and windows." in text
    assert "- Hyper-parameters: defaults or given, none were searched." in text


def test_marks_are_explained_where_they_are_used() -> None:
    both = [Record(model=m, data="d", recipe="r", metrics={"rmse": 0.9}) for m in "ab"]
    (table,) = make_tables(both, lambda _: {"rmse": np.linspace(0.8, 1.0, 20)}, columns=(RMSE,))
    assert "- ≈: not distinguished from the best" in to_markdown(table)


def test_json_holds_everything() -> None:
    (table,) = make_tables(records())
    told = json.loads(json.dumps(to_dict(table), allow_nan=False))
    assert [row["model"] for row in told["rows"]] == ["ease", "svd", "worse*"]
    cell = told["rows"][0]["cells"]["ndcg@20"]
    assert cell["value"] == pytest.approx(0.32)
    assert (cell["is_best"], cell["is_tied"], cell["n_runs"]) == (False, False, 1)
    assert told["rows"][2]["failures"] == [{"seed": 0, "window": 1, "reason": "ValueError: a | b"}]
    assert told["rows"][0]["budgets"][0]["limit_trials"] == 20
    assert told["columns"][0] == {"key": "ndcg@20", "title": "NDCG@20", "better": "higher", "unit": 1.0, "digits": 4}
