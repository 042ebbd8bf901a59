"""A record: everything one run has shown, as one JSON file beside its bootstrap replicates.

A run folder holds `records/<job>.json` and `records/<job>.safetensors` for every job in it. Records are read by tables
and reports.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from conv4rec.atomic import write_atomically
from conv4rec.errors import DataError
from conv4rec.evaluation import Report
from conv4rec.insights import Insights
from conv4rec.model_file import ReliabilityBin

FOLDER = "records"
"""Where the records lie in a run folder."""
REPLICATES = ".safetensors"


class Part(BaseModel):
    """A piece of a record; a field that does not exist is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, ser_json_inf_nan="strings")


class Budget(Part):
    """What the search for hyper-parameters was allowed, and what it used."""

    trials: int
    """Settings tried, with those that failed."""
    failed: int = 0
    """Settings that gave no value."""
    seconds: float
    """Time spent on them."""
    limit_trials: int | None = None
    """Most settings allowed; None: no limit."""
    limit_seconds: float | None = None
    """Most time allowed; None: no limit."""
    monitor: str
    """The validation figure that chose."""
    value: float
    """Its best value."""
    default: float | None = None
    """Its value at the defaults, which are always tried first; None: they failed."""


class Cost(Part):
    """What it took; null where it was not measured."""

    fit_seconds: float | None = None
    """Wall-clock time of the fit, with its validation."""
    users_per_second: float | None = None
    """Users scored over the whole catalogue in a second."""
    peak_memory_bytes: int | None = None
    """Largest resident memory of the process until the fit ended: libraries, data and model."""
    model_bytes: int | None = None
    """Size of everything the fitted model keeps."""


class PrecisionRecall(Part):
    """Precision and recall of lists of length k."""

    k: int
    precision: float
    """Hits over k, mean over users."""
    recall: float
    """Hits over relevant items, mean over users: here without the min(k, .) of recall@k."""


class RatingShare(Part):
    """How often a rating value is given, and how often it is predicted."""

    rating: float
    predicted: float
    observed: float


class RecallBeta(Part):
    """One point of recall@K^beta, METHOD.md section 6."""

    k: int
    beta: float
    time_aware: bool
    """Whether the profile holds earlier interactions only (LLOO), or all others (LOO)."""
    value: float


class CompressionPoint(Part):
    """What a compressed model keeps of itself in so many bytes."""

    bytes_per_item: float
    """Of the vectors that are searched for `recommend`, with their biases, or of the index of their codes."""
    recall_reconstructed: float
    """Share of the 100 nearest items of an item that are among the 100 nearest by the cosine of decoded embeddings."""
    recall_sparse: float
    """The same by the cosine of codes."""
    ndcg: float
    """ndcg@20 on the test part, candidates ranked by the exact law."""
    ndcg_decoded: float
    """The same, ranked by the decoded vectors alone."""


class Curves(Part):
    """What pictures are drawn from; empty where it is not defined or was not measured."""

    precision_recall: tuple[PrecisionRecall, ...] = ()
    reliability_like: tuple[ReliabilityBin, ...] = ()
    reliability_consume: tuple[ReliabilityBin, ...] = ()
    ratings: tuple[RatingShare, ...] = ()
    recall_beta: tuple[RecallBeta, ...] = ()
    compression: tuple[CompressionPoint, ...] = ()


class Slice(Part):
    """The figures on a part of the test data."""

    by: Literal["popularity", "history"]
    """What the parts are made by: popularity of the target item, length of the user's history."""
    label: str
    """The part, in words, such as `least popular third` or `8 to 20 interactions`."""
    metrics: dict[str, float]
    counts: dict[str, int]


class Epoch(Part):
    """One pass over the users; losses are nats per masked interaction."""

    number: int
    loss_consume: float
    loss_rating: float
    validation: dict[str, float]
    seconds: float
    weights: dict[str, float] = {}
    """Mean and quantiles of w+, where inverse learning was at work."""


class Record(Part):
    """One model on one recipe of one data set with one seed."""

    schema_version: Literal[1] = 1
    model: str
    data: str
    recipe: str
    """Name of the protocol."""
    seed: int = 0
    """Seed of the split and of the fit."""
    window: int = 1
    """Number of the time window, from 1; 1 where there is only one."""
    error: str | None = None
    """Why there are no figures."""
    params: dict[str, Any] = {}
    """Hyper-parameters used."""
    budget: Budget | None = None
    """How they were searched; None: not searched."""
    split: str = ""
    """How the parts were made, in a sentence."""
    test_fingerprint: str = ""
    """Hash of what was asked: records with the same one were asked the same, so that their replicates are paired."""
    notes: tuple[str, ...] = ()
    """Relevance rule, denominators, and what is absent and why."""
    warnings: tuple[str, ...] = ()
    """Leaks and other dangers."""
    counts: dict[str, int] = {}
    metrics: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    """Bootstrap confidence interval of a metric, over users."""
    cost: Cost = Cost()
    epochs: tuple[Epoch, ...] = ()
    best_epoch: int | None = None
    curves: Curves = Curves()
    slices: tuple[Slice, ...] = ()
    insights: Insights = Insights()
    """Kernels, histograms, bounds and sets; empty for models that have none."""
    config: dict[str, Any] = {}
    """All settings of the run."""

    @property
    def job(self) -> str:
        """The name of the record's files: letters, digits, `.`, `_` and `-` only."""
        parts = (self.data, self.recipe, self.model, f"s{self.seed}", f"w{self.window}")
        return "__".join("".join(c if c.isalnum() or c in "._-" else "-" for c in part) for part in parts)


def record_path(run: Path, job: str) -> Path:
    """The file of a job's record."""
    return run / FOLDER / f"{job}.json"


def write_record(run: Path, record: Record, report: Report | None = None) -> Path:
    """Write the record, and first the replicates of the report where there are any; each file whole or not at all."""
    path = record_path(run, record.job)
    if report is not None and report.replicates:
        payload = save({name: np.ascontiguousarray(values) for name, values in report.replicates.items()})
        write_atomically(path.with_suffix(REPLICATES), lambda part: part.write_bytes(payload))
    write_atomically(path, lambda part: part.write_text(record.model_dump_json(indent=1) + "\n"))
    return path


def read_records(run: Path) -> tuple[Record, ...]:
    """All records of a run folder, by file name. Raises DataError for a folder without any, or a file that is none."""
    paths = sorted((run / FOLDER).glob("*.json"))
    if not paths:
        raise DataError(f"{run}: no records there; expected files written by `conv4rec compare` or `evaluate --run`")
    return tuple(_read(path) for path in paths)


def read_replicates(run: Path, record: Record) -> dict[str, NDArray[np.float64]]:
    """(replicates,) values of every metric of a record; empty where it has none."""
    path = record_path(run, record.job).with_suffix(REPLICATES)
    if not path.exists():
        return {}
    try:
        return load_file(path)
    except SafetensorError as error:
        raise DataError(f"{path}: not a file of replicates: {error}") from None


def _read(path: Path) -> Record:
    try:
        return Record.model_validate_json(path.read_bytes())
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise DataError(f"{path}: not a record: {where}: {fault['msg']}") from None


def errors_of(records: Iterable[Record]) -> dict[str, str]:
    """Job and reason of every record that has no figures."""
    return {record.job: record.error for record in records if record.error is not None}
