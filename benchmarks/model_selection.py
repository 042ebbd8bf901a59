"""Is the model that wins offline the one that wins online? For each form of recall@K^beta, in worlds with known truth.

python -m benchmarks.model_selection [seeds]: makes every world of WORLDS with as many seeds, lets users live through a
past, evaluates the contestants on it by two protocols, shows them to the users of an online phase that is answered in
three ways, and compares the winners. Writes benchmarks/results/model_selection.json, and its picture to docs/images.

A choice is made among every set of FIVE of the contestants, so that guessing is right in one case of five, as in the
paper. Model selection recall (MSR): share of choices in which the offline-best is the online-best. Source: arXiv
2308.06885, METHOD.md section 6; the worlds are ours.
"""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.machine import machine
from benchmarks.selection import FIVE, ceilings, compare, sensitivity, summarise
from benchmarks.small_models import fit_all
from numpy.typing import NDArray

from conv4rec.config import EvaluateConfig
from conv4rec.data.draws import DAY
from conv4rec.data.drift import TYPES, DriftConfig, World, live_past, make_world
from conv4rec.data.interactions import Interactions
from conv4rec.data.timeline import Timeline
from conv4rec.model.predictor import SingleTypeLaw
from conv4rec.online import ictr
from conv4rec.online_phase import OnlineConfig, Recommend, run_online
from conv4rec.predictions import Predictions
from conv4rec.timed_evaluation import BETAS, evaluate_over_time

Array = NDArray[np.float64]

RESULTS = Path(__file__).parent / "results" / "model_selection.json"
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "model_selection.svg"
TEST_USERS, LAST_DAYS, WITHIN = 0.1, 14, 600.0
SIZE: dict[str, Any] = {"n_users": 5000, "n_items": 300, "visits": 0.08, "newcomers": 0.5}
WORLDS: dict[str, dict[str, Any]] = {
    "steady, weak popularity": {"popularity": 0.4},
    "steady": {"popularity": 0.8},
    "steady, strong popularity": {"popularity": 1.2},
    "tastes drift": {"popularity": 0.8, "taste_memory": 30},
    "popularity drifts": {"popularity": 0.8, "popularity_memory": 30},
    "both drift, items arrive": {"popularity": 0.8, "taste_memory": 30, "popularity_memory": 30, "arrivals": 0.3},
    "both drift, strong popularity": {"popularity": 1.2, "taste_memory": 30, "popularity_memory": 30},
    "both drift fast, many arrive": {"popularity": 0.8, "taste_memory": 15, "popularity_memory": 10, "arrivals": 0.5},
}
ANSWERS: dict[str, dict[str, Any]] = {
    "by liking": {"response": "liking", "list_at": "end"},
    "by liking and popularity": {"response": "full", "list_at": "end"},
    "by liking, list shown first": {"response": "liking", "list_at": "start"},
}
"""How users answer a list. In the third, much of what they would have done anyway falls into the window of iCTR."""


def run_case(name: str, seed: int) -> dict[str, Any]:
    """One world: what every contestant is worth offline and online."""
    world = make_world(DriftConfig(**SIZE, **WORLDS[name], seed=seed))
    past = live_past(world)
    offline = {"held-out users": _held_out_users(past, seed), "last days": _last_days(past, seed)}
    models = fit_all(past, seed)
    online = _online(world, past, models, seed)
    told = {"world": name, "seed": seed, "interactions": len(past), "models": list(models)}
    return told | {"offline": offline, "online": online}


def _held_out_users(past: Timeline, seed: int) -> list[Any]:
    """Fitted on other users; every interaction of the held-out ones is asked about."""
    users = past.interactions.users
    is_test = np.random.default_rng([seed, 4]).random(past.interactions.n_users) < TEST_USERS
    train = past.keep(~is_test[users])
    return _offline(fit_all(train, seed), past.keep(np.zeros(len(past), dtype=bool)), past.keep(is_test[users]), train)


def _last_days(past: Timeline, seed: int) -> list[Any]:
    """Fitted on all but the last days; every interaction in them is asked about."""
    is_late = past.times > past.times.max() - LAST_DAYS * DAY
    train = past.keep(~is_late)
    return _offline(fit_all(train, seed), train, past.keep(is_late), train)


def _offline(models: Mapping[str, Recommend], history: Timeline, targets: Timeline, train: Timeline) -> list[Any]:
    """(models, 2, betas): recall@10^beta, LLOO then LOO."""
    config = EvaluateConfig(k=(10,), bootstrap=0)
    values = []
    for recommend in models.values():

        def predict(users: NDArray[np.intp], histories: Interactions, recommend: Recommend = recommend) -> Predictions:
            return Predictions(TYPES, recommend(users, histories), SingleTypeLaw(len(users), histories.n_items))

        report = evaluate_over_time(predict, TYPES, history, targets, config, reference=train.interactions)
        values.append([round(point.value, 6) for point in report.points])
    return np.reshape(values, (len(models), 2, len(BETAS))).tolist()


def _online(world: World, past: Timeline, models: Mapping[str, Recommend], seed: int) -> dict[str, Any]:
    """For every way to answer: iCTR per contestant from the log, and its true chance that a list is taken from."""
    found = {}
    for answer, settings in ANSWERS.items():
        phase = run_online(world, past, models, OnlineConfig(**settings, seed=seed))
        table = ictr(phase.shown, phase.interactions, [WITHIN], EvaluateConfig(bootstrap=0))
        logged = dict(zip(table["model"], table["ictr"], strict=True))
        found[answer] = {
            "ictr": [round(logged[name], 5) for name in models],
            "truth": phase.p_taken.mean(axis=0).round(5).tolist(),
            "lists": len(phase.shown),
        }
    return found


def draw(rows: list[dict[str, Any]], n_cases: int, path: Path) -> None:
    """MSR over beta, for both forms, a panel per protocol and answer; guessing as a line."""
    import altair as alt
    import polars as pl

    flat = [
        {
            "beta": row["beta"],
            "form": "LLOO: from earlier interactions" if row["time_aware"] else "LOO: from all others",
            "protocol": row["protocol"],
            "answer": row["answer"],
            "msr": 100 * row["msr"]["mean"],
            "low": 100 * row["msr"]["interval"][0],
            "high": 100 * row["msr"]["interval"][1],
        }
        for row in rows
    ]
    frame = pl.DataFrame(flat)
    x = alt.X("beta:Q", title="β, discount of popular items (exponent)")
    colour = alt.Color("form:N", title=None, legend=alt.Legend(orient="top", labelLimit=300, symbolOpacity=1))
    base = alt.Chart(frame).encode(x=x, color=colour)
    band = base.mark_area(opacity=0.15).encode(y=alt.Y("low:Q", title="choices that are right (%)"), y2="high:Q")
    line = base.mark_line(point=True).encode(y="msr:Q")
    guess = alt.Chart(frame).mark_rule(strokeDash=[4, 4], color="black").encode(y=alt.datum(100 / FIVE))
    panel = (band + line + guess).properties(width=230, height=170)
    chart = panel.facet(
        column=alt.Column("answer:N", title="how users answer a list", sort=list(ANSWERS)),
        row=alt.Row("protocol:N", title="what is asked offline"),
    )
    title = "Is the model that wins offline the one that wins online?"
    below = f"dashed: guessing among {FIVE}; bands: 95 % over {n_cases} simulated worlds; K = 10"
    chart.properties(title=alt.TitleParams(title, subtitle=below, anchor="start")).save(path)


def dump(told: Mapping[str, Any]) -> str:
    """JSON with a row a line."""
    parts = []
    for name, value in told.items():
        rows = ",\n".join(f"  {json.dumps(row)}" for row in value) if isinstance(value, list) else ""
        parts.append(f" {json.dumps(name)}: " + (f"[\n{rows}\n ]" if rows else json.dumps(value)))
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main() -> None:
    """Run every case, then summarise, store and draw."""
    torch.set_num_threads(1)
    n_seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    started, cases = time.perf_counter(), []
    for seed in range(n_seeds):
        for name in WORLDS:
            cases.append(run_case(name, seed))
            sys.stderr.write(f"{time.perf_counter() - started:.0f} s: {name}, seed {seed}\n")
    rows = summarise(cases)
    seconds = {"seconds": round(time.perf_counter() - started), "cpu_seconds": round(time.process_time())}
    design = {"size": SIZE, "worlds": WORLDS, "answers": ANSWERS, "contestants": cases[0]["models"]}
    told = {
        "command": f"python -m benchmarks.model_selection {n_seeds}",
        "with": machine() | seconds,
        "design": design | {"chosen_from": FIVE, "k": 10, "within_seconds": WITHIN},
        "log_winner_is_true_winner": ceilings(cases),
        "comparisons": compare(cases),
        "summary": rows,
        "sensitivity": sensitivity(cases),
        "cases": cases,
    }
    RESULTS.write_text(dump(told))
    draw(rows, len(cases), PICTURE)


if __name__ == "__main__":
    main()
