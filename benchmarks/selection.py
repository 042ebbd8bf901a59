"""From values offline and online to how well one chooses for the other; no model is known here."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from conv4rec.timed_evaluation import BETAS

Array = NDArray[np.float64]
Case = dict[str, Any]
"""What `model_selection.run_case` gives."""

FIVE = 5
"""Models to choose from, as in the paper."""
MEASURES = ("msr", "spearman", "kendall", "lost")
ASKED = (((True, 0.3), (False, 0.0)), ((True, 0.0), (False, 0.0)), ((True, 0.3), (True, 0.0)))
"""What was to be compared before anything was run: (time-aware, beta) against (time-aware, beta)."""


def choices(offline: Array, online: Array, truth: Array) -> Array:
    """(..., M) offline values and (M,) online values of M models to what becomes of choosing by the first.

    Returns (4, ...), means over all sets of FIVE models: how often the choice is the online-best, Spearman's and
    Kendall's rank correlation of the two, and the share of the best true value that the choice loses. Equal offline
    values share the choice; any of equal online-best ones is right.
    """
    sets = np.array(list(combinations(range(len(online)), FIVE)))  # (S, 5)
    values, won, worth = offline[..., sets], online[sets], truth[sets]  # (..., S, 5), (S, 5), (S, 5)
    chosen = values == values.max(axis=-1, keepdims=True)
    share = chosen / chosen.sum(axis=-1, keepdims=True)
    right = (share * (won == won.max(axis=1, keepdims=True))).sum(axis=-1)
    best = worth.max(axis=1)
    lost = 1 - (share * worth).sum(axis=-1) / best
    spearman = _correlation(rankdata(values, axis=-1), rankdata(won, axis=1))
    kendall = _correlation(*(_pairs(part) for part in (values, won)))
    return np.stack([part.mean(axis=-1) for part in (right, spearman, kendall, lost)])


def _pairs(values: Array) -> Array:
    """(..., M) to (..., M M): the sign of every difference; their correlation is Kendall's tau-b."""
    signs = np.sign(values[..., :, None] - values[..., None, :])
    return signs.reshape(*values.shape[:-1], -1)


def _correlation(first: Array, second: Array) -> Array:
    """Over the last axis; 0 where one of the two is constant."""
    first, second = (part - part.mean(axis=-1, keepdims=True) for part in (first, second))
    size = np.sqrt((first**2).sum(axis=-1) * (second**2).sum(axis=-1))
    return np.asarray((first * second).sum(axis=-1) / np.maximum(size, 1e-300))


def summarise(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """A row per protocol, answer, form and beta: means over cases with 95 % intervals, by bootstrap over cases."""
    rows = []
    for protocol in cases[0]["offline"]:
        for answer in cases[0]["online"]:
            logged, true = (_over_cases(cases, protocol, answer, online) for online in ("ictr", "truth"))
            for form, time_aware in enumerate((True, False)):
                for place, beta in enumerate(BETAS):
                    found = {name: mean_over_cases(logged[:, at, form, place]) for at, name in enumerate(MEASURES)}
                    found["msr_of_truth"] = mean_over_cases(true[:, 0, form, place])
                    rows.append(
                        {"protocol": protocol, "answer": answer, "time_aware": time_aware, "beta": beta} | found
                    )
    return rows


def sensitivity(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """MSR over beta once more, for a part of the worlds or of the models; means over cases, by log and truth."""
    plain = [place for place, name in enumerate(cases[0]["models"]) if "discounted" not in name]
    groups = {
        "worlds that stay": ([case for case in cases if case["world"].startswith("steady")], None),
        "worlds that drift": ([case for case in cases if not case["world"].startswith("steady")], None),
        "models that do not discount": (cases, plain),
    }
    rows = []
    for group, (some, models) in groups.items():
        for protocol in cases[0]["offline"]:
            for answer in cases[0]["online"]:
                msr = [_over_cases(some, protocol, answer, to, models)[:, 0].mean(axis=0) for to in ("ictr", "truth")]
                for form, time_aware in enumerate((True, False)):
                    keys = {"of": group, "protocol": protocol, "answer": answer, "time_aware": time_aware}
                    values = {"msr": msr[0][form].round(4).tolist(), "msr_of_truth": msr[1][form].round(4).tolist()}
                    rows.append(keys | values)
    return rows


def compare(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Differences of MSR between settings named before the study, case by case."""
    rows = []
    for protocol in cases[0]["offline"]:
        for answer in cases[0]["online"]:
            msr = _over_cases(cases, protocol, answer, "ictr")[:, 0]
            for pair in ASKED:
                one, other = (msr[:, int(not time_aware), BETAS.index(beta)] for time_aware, beta in pair)
                first, second = (f"{'lloo' if time_aware else 'loo'} {beta:g}" for time_aware, beta in pair)
                rows.append(
                    {
                        "protocol": protocol,
                        "answer": answer,
                        "of": first,
                        "over": second,
                        "gain": mean_over_cases(one - other),
                    }
                )
    return rows


def ceilings(cases: Sequence[Case]) -> dict[str, Any]:
    """How often the winner by the log is the true winner: what noise and chance hits leave of a perfect choice."""
    return {
        answer: mean_over_cases(
            np.array(
                [
                    choices(*(np.array(case["online"][answer][name]) for name in ("truth", "ictr", "truth")))[0]
                    for case in cases
                ]
            )
        )
        for answer in cases[0]["online"]
    }


def _over_cases(
    cases: Sequence[Case], protocol: str, answer: str, online: str, models: Sequence[int] | None = None
) -> Array:
    """(cases, 4, forms, betas): `choices` of every case, among these models."""
    found = []
    for case in cases:
        values = case["online"][answer]
        columns = (case["offline"][protocol], values[online], values["truth"])
        offline, logged, truth = (
            np.array(column) if models is None else np.array(column)[models] for column in columns
        )
        found.append(choices(np.moveaxis(offline, 0, -1), logged, truth))
    return np.array(found)


def mean_over_cases(values: Array) -> dict[str, Any]:
    """Mean of (cases,) values and its percentile interval."""
    drawn = np.random.default_rng(0).integers(0, len(values), (2000, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), [0.025, 0.975])
    return {"mean": round(float(values.mean()), 4), "interval": [round(float(low), 4), round(float(high), 4)]}
