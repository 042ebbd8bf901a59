"""Whether sets of ratings cover as often as they promise: where test data are exchangeable, and where they are not.

    python -m benchmarks.conformal            # writes benchmarks/results/conformal.json

ml-1m: a random half of the test part calibrates, the other half is measured, in all and by length of history.
yahoo-r3: users chose what to rate, and then rated songs drawn at random. Sets are calibrated on held-out chosen ratings
and measured on those drawn, with several weights: none; by rating (naive Bayes from the random ratings of a twentieth
of the users, who are in no test); by item, 1 / p_consume of the model; and both. `random`: calibrated on the ratings of
these few users, which is what weights are to make unnecessary.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.machine import machine

from conv4rec import Conv4Rec, load_parts
from conv4rec.config import Config, SplitConfig, override
from conv4rec.data.named import given_parts
from conv4rec.data.split import HoldOut, split
from conv4rec.evaluation import Validation
from conv4rec.theory.conformal import ConformalSets, calibrate, measure, selection_weights
from conv4rec.theory.held_out_sets import Asked, ask, calibrate_model

RESULT = Path(__file__).parent / "results" / "conformal.json"
COVERAGES = (0.8, 0.9)
SAMPLE = 0.05
"""Share of the users with random ratings whose ratings tell the propensities."""


def main() -> None:
    """Measure both and write them down."""
    settings = sys.argv[1:]
    result = {
        "command": " ".join(sys.argv),
        "ml-1m": exchangeable("ml-1m", settings),
        "yahoo-r3": selected("yahoo-r3", settings),
        "machine": machine(),
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def exchangeable(data: str, settings: list[str]) -> dict[str, Any]:
    """Coverage and size by group, for every coverage asked for."""
    config = override(Config(), settings)
    parts = load_parts(data, config)
    model = Conv4Rec(config).fit_split(parts.split, parts.known)
    assert parts.split.test is not None
    found = {}
    for coverage in COVERAGES:
        marginal = calibrate_model(model, parts.split.test, coverage)[1]
        by_history = calibrate_model(model, parts.split.test, coverage, by_history=True)[1]
        found[f"{coverage:g}"] = {
            "marginal": [asdict(each) for each in marginal],
            "by_history": [asdict(each) for each in by_history],
        }
    return found


def selected(data: str, settings: list[str]) -> dict[str, Any]:
    """Coverage on songs drawn at random, by kind of calibration."""
    config = override(Config(), settings)
    given = given_parts(data, config=config.data)
    assert given is not None
    chosen, drawn = given
    parts = split(chosen, SplitConfig(recipe="random", validation=0.1, test=0.1))
    model = Conv4Rec(config).fit_split(parts, chosen)
    assert parts.test is not None
    held_out = Validation.of(parts.test, model.vocabulary)
    calibration = ask(model.predictor, held_out)
    sample, test = _by_user(
        ask(model.predictor, Validation.of(HoldOut(parts.train, drawn), model.vocabulary)), model, parts.train, drawn
    )
    found: dict[str, Any] = {"n": {"calibration": len(calibration), "sample": len(sample), "test": len(test)}}
    found["ratings"] = {name: _shares(each) for name, each in {"chosen": calibration, "drawn": test}.items()}
    for coverage in COVERAGES:
        kinds = _kinds(calibration, sample, test, coverage)
        own = _halves(calibration, coverage)
        found[f"{coverage:g}"] = {"chosen, without weights": own} | kinds
    return found


def _kinds(calibration: Asked, sample: Asked, test: Asked, coverage: float) -> dict[str, Any]:
    """Coverage on the test by kind of weights."""
    n_levels = calibration.p_rating.shape[1]
    by_rating = selection_weights(calibration.levels, sample.levels, n_levels)
    by_item = np.exp(-(calibration.log_p_consume - calibration.log_p_consume.max()))
    rated = by_rating[calibration.levels]
    return {
        "without weights": _measured(calibrate(calibration.p_rating, calibration.levels, coverage), test),
        "by rating": _measured(
            calibrate(calibration.p_rating, calibration.levels, coverage, weights=rated, level_weights=by_rating), test
        ),
        "by item": _measured(calibrate(calibration.p_rating, calibration.levels, coverage, weights=by_item), test),
        "by rating and item": _measured(
            calibrate(calibration.p_rating, calibration.levels, coverage, weights=rated * by_item), test
        ),
        "random": _measured(calibrate(sample.p_rating, sample.levels, coverage), test),
    }


def _halves(asked: Asked, coverage: float) -> dict[str, Any]:
    """On other ratings that users chose: a half calibrates."""
    half = np.random.default_rng(0).random(len(asked)) < 0.5
    first, second = asked.keep(half), asked.keep(~half)
    return _measured(calibrate(first.p_rating, first.levels, coverage), second)


def _measured(sets: ConformalSets, asked: Asked) -> dict[str, Any]:
    return asdict(measure(sets, asked.p_rating, asked.levels)[0]) | {"as_many_as": float(sets.n_calibration[0])}


def _by_user(asked: Asked, model: Conv4Rec, train: Any, drawn: Any) -> tuple[Asked, Asked]:
    """What the propensities are told from, and the test: no user is in both."""
    targets = Validation.of(HoldOut(train, drawn), model.vocabulary).targets
    users = np.unique(targets.users)
    few = np.random.default_rng(0).permutation(users)[: round(SAMPLE * len(users))]
    chosen = np.isin(targets.users, few)
    return asked.keep(chosen), asked.keep(~chosen)


def _shares(asked: Asked) -> list[float]:
    counts = np.bincount(asked.levels, minlength=asked.p_rating.shape[1])
    return [float(share) for share in counts / counts.sum()]


if __name__ == "__main__":
    main()
