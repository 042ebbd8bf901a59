"""The figures of a fitted model, as they stand in a record."""

from dataclasses import asdict, dataclass
from typing import Any

from conv4rec.compare.cost import users_per_second
from conv4rec.compare.jobs import Request
from conv4rec.compare.prepare import Loaded, Prepared
from conv4rec.config import EvaluateConfig
from conv4rec.data.interactions import Interactions
from conv4rec.data.parts import Parts
from conv4rec.data.ratings import join
from conv4rec.data.split import HoldOut
from conv4rec.data.timeline import Timeline
from conv4rec.evaluation import Report, evaluate_by_user
from conv4rec.peers.ours import Ours
from conv4rec.peers.peer import Fitted, Peer, Trained
from conv4rec.recipes import recipe_notes
from conv4rec.records import Curves, Epoch, RecallBeta, Slice
from conv4rec.slices import slice_targets
from conv4rec.theory.reading import read_predictor
from conv4rec.timed_evaluation import evaluate_over_time


@dataclass(frozen=True)
class Measurement:
    """What a fitted model shows on the test part: the report, its parts, and how fast it scores."""

    report: Report
    slices: tuple[Slice, ...]
    users_per_second: float
    test_fingerprint: str

    def fields(self) -> dict[str, Any]:
        """The fields of a record that follow from it, but for the costs."""
        report = self.report
        return {
            "test_fingerprint": self.test_fingerprint,
            "counts": report.counts,
            "metrics": report.metrics,
            "intervals": report.intervals,
            "curves": Curves.model_validate(report.curves),
            "slices": self.slices,
        }


def measure(fitted: Fitted, prepared: Prepared, config: EvaluateConfig, *, with_slices: bool = True) -> Measurement:
    """Evaluate on the test part, on its parts, and time the scoring.

    The parts, thirds by popularity of the item and by length of the history, come without intervals.
    """
    task, test = prepared.task, prepared.test
    report = _evaluate(fitted, prepared, test.targets, config)
    slices = _slices(fitted, prepared, config) if with_slices else ()
    speed = users_per_second(fitted, task.types, test, memory_mb=config.memory_mb)
    return Measurement(report, slices, speed, prepared.fingerprint)


def recall_over_time(
    fitted: Fitted, loaded: Loaded, config: EvaluateConfig
) -> tuple[tuple[RecallBeta, ...], tuple[str, ...]]:
    """recall@K^beta of the test part for the usual grid, without intervals, and notes; or no points, and why.

    Every interaction is predicted twice from a profile of its own, which takes a model that can be given histories.
    """
    test, prepared, peer = loaded.parts.split.test, loaded.prepared, loaded.peer
    assert test is not None  # noqa: S101 - `prepare` has seen to it
    reason = _why_not_over_time(test, peer, fitted)
    if reason is not None:
        return (), (f"recall@K^beta: not measured, {reason}",)
    known = test.history if test.excluded is None else join(test.history, test.excluded)
    history, targets = (Timeline.from_ratings(part, prepared.vocabulary) for part in (known, test.targets))
    task, plain = prepared.task, config.model_copy(update={"bootstrap": 0})
    report = evaluate_over_time(fitted.predict, task.types, history, targets, plain, reference=task.known)
    points = (RecallBeta(k=p.k, beta=p.beta, time_aware=p.time_aware, value=p.value) for p in report.points)
    return tuple(points), report.notes


def _why_not_over_time(test: HoldOut, peer: Peer, fitted: Fitted) -> str | None:
    if "consume" not in fitted.claims:
        return f"{peer.name} does not rank"
    if not peer.new_users:
        return f"{peer.name} cannot be given the history of a moment"
    has_times = all(
        part.has_timestamps and not part.frame["timestamp"].has_nulls() for part in (test.history, test.targets)
    )
    return None if has_times else "not every interaction has a time stamp"


def epochs_of(fitted: Fitted) -> dict[str, Any]:
    """The fields of a record about training; none for a model that knows no epochs."""
    if not isinstance(fitted, Trained):
        return {}
    training = fitted.training
    return {"epochs": tuple(Epoch(**asdict(e)) for e in training.epochs), "best_epoch": training.best_epoch}


def insights_of(fitted: Fitted, prepared: Prepared) -> dict[str, Any]:
    """The field of a record about kernels and histograms; none for a model that is not ours."""
    if not isinstance(fitted, Ours):
        return {}
    return {"insights": read_predictor(fitted.predictor, prepared.task.known, prepared.vocabulary)}


def protocol(request: Request, parts: Parts, report: Report) -> dict[str, Any]:
    """The fields of a record about what was asked, and by which rules."""
    return {
        "split": parts.split.recipe,
        "notes": (*recipe_notes(request.job.recipe, request.config), *report.notes),
        "warnings": parts.split.warnings,
        "config": request.config.model_dump(mode="json"),
    }


def _evaluate(fitted: Fitted, prepared: Prepared, targets: Interactions, config: EvaluateConfig) -> Report:
    task, test = prepared.task, prepared.test
    return evaluate_by_user(
        fitted.predict,
        task.types,
        test.history,
        targets,
        config,
        claims=fitted.claims,
        reference=task.known,
        exclude=test.excluded,
    )


def _slices(fitted: Fitted, prepared: Prepared, config: EvaluateConfig) -> tuple[Slice, ...]:
    task, test = prepared.task, prepared.test
    plain = config.model_copy(update={"bootstrap": 0})
    found = []
    for part in slice_targets(test.history, test.targets, task.known):
        report = _evaluate(fitted, prepared, part.targets, plain)
        found.append(Slice(by=part.by, label=part.label, metrics=report.metrics, counts=report.counts))
    return tuple(found)
