"""The figures of a record."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from conv4rec.compare.jobs import Job, Request
from conv4rec.compare.measure import epochs_of, measure, protocol
from conv4rec.data.interactions import Interactions
from conv4rec.evaluation import Report, evaluate_by_user
from conv4rec.peers.peer import Claim
from conv4rec.predictions import Predictions
from conv4rec.records import Epoch as RecordedEpoch
from conv4rec.training import Epoch, TrainingResult
from tests.compare import fakes
from tests.compare.worlds import SMALL, parts_of, prepared, small_ratings


def test_the_figures_are_those_of_the_test_part() -> None:
    window = prepared()
    fitted = fakes.fit_popular(window.task, {"power": 1})
    measured = measure(fitted, window, SMALL.evaluate)
    expected = evaluate_by_user(
        fitted.predict,
        window.task.types,
        window.test.history,
        window.test.targets,
        SMALL.evaluate,
        reference=window.task.known,
        exclude=window.test.excluded,
    )
    fields = measured.fields()
    assert fields["metrics"] == expected.metrics
    assert fields["counts"] == expected.counts
    assert fields["intervals"] == expected.intervals
    assert fields["test_fingerprint"] == window.fingerprint
    assert fields["curves"].reliability_like
    assert measured.users_per_second > 0


def test_the_slices_divide_the_targets() -> None:
    window = prepared()
    fitted = fakes.fit_popular(window.task, {"power": 1})
    slices = measure(fitted, window, SMALL.evaluate).slices
    for by in ("popularity", "history"):
        assert sum(s.counts["interactions"] for s in slices if s.by == by) == len(window.test.targets)
    assert measure(fitted, window, SMALL.evaluate, with_slices=False).slices == ()


def test_a_model_is_measured_by_what_it_claims() -> None:
    window = prepared()
    ratings = measure(fakes.fit_ratings(window.task, {"power": 1}), window, SMALL.evaluate).report.metrics
    assert "rmse" in ratings
    assert not ratings.keys() & {"ndcg@5", "nll", "coverage@5"}


@dataclass(frozen=True)
class Trained:
    """A model that knows its epochs."""

    training: TrainingResult
    claims: frozenset[Claim] = fakes.BOTH
    n_bytes: int = 0

    def predict(self, users: NDArray[np.intp], histories: Interactions) -> Predictions:
        raise NotImplementedError


def test_epochs() -> None:
    epoch = Epoch(1, 2.0, 3.0, {"nll": 4.0}, 5.0)
    fields = epochs_of(Trained(TrainingResult((epoch,), 1, 5.0)))
    recorded = RecordedEpoch(number=1, loss_consume=2.0, loss_rating=3.0, validation={"nll": 4.0}, seconds=5.0)
    assert fields == {"epochs": (recorded,), "best_epoch": 1}
    assert epochs_of(fakes.fit_popular(prepared().task, {"power": 1})) == {}


def test_the_protocol_states_rules_and_warnings() -> None:
    request = Request(job=Job(model="m", data="d", recipe="random"), config=SMALL)
    parts = parts_of(small_ratings())
    told = protocol(request, parts, Report({}, {}, ("what was divided by",)))
    assert told["notes"][0].startswith("recipe random")
    assert told["notes"][1].startswith("relevant: ")
    assert told["notes"][-1] == "what was divided by"
    assert told["split"] == parts.split.recipe
    assert told["warnings"] == parts.split.warnings
    assert told["config"]["evaluate"]["k"] == pytest.approx([3, 5])
