"""What is asked for: a job is one fit and its figures; a request says how; a run folder holds what came of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from conv4rec.atomic import write_atomically
from conv4rec.config import Config, Positive, Section
from conv4rec.errors import DataError
from conv4rec.records import Budget, Record, record_path

Kept = TypeVar("Kept", bound=BaseModel)


class Job(Section):
    """One model on one window of one recipe of one data set with one seed."""

    model: str
    """A name of the registry, or `package.module:NAME`."""
    data: str
    """A named data set or a path."""
    recipe: str
    """The protocol."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the split and of the fit."""
    window: Positive = 1
    """Number of the time window."""

    def record(self, **fields: Any) -> Record:
        """A record of this job."""
        return Record(**self.model_dump(), **fields)

    @property
    def name(self) -> str:
        """The name of the job's files."""
        return self.record().job


class Limits(Section):
    """How long hyper-parameters may be searched."""

    trials: Positive | None = None
    """Settings to try, with those that fail. None: no limit."""
    seconds: Annotated[float, Field(gt=0.0)] | None = None
    """No trial starts when this time has been spent on them. None: no limit."""


class Request(Section):
    """A job, and how it is to be done."""

    job: Job
    """What is fitted on what."""
    config: Config
    """Settings of data, protocol and figures, and of our own model."""
    params: dict[str, Any] = Field(default_factory=dict)
    """Hyper-parameters that differ from the model's defaults; they are not searched."""
    limits: Limits | None = None
    """Search hyper-parameters within these limits. None: no search."""
    storage: str | None = None
    """Where optuna keeps its studies, a URL. None: an SQLite file in the run folder."""
    slices: bool = True
    """Whether parts of the test data are measured for themselves as well."""
    over_time: bool = False
    """Whether recall@K^beta is measured as well."""


class Tuned(Section):
    """What a search found."""

    params: dict[str, Any]
    """The best hyper-parameters, where they differ from the model's defaults."""
    budget: Budget
    """What the search was allowed, and what it used."""


@dataclass(frozen=True)
class RunFolder:
    """Where everything about a run lies.

    Attributes:
        root: holds `requests/`, `tuned/`, `logs/`, `records/`, `tune.db`, and the tables `compare.json` and
            `compare.md`.
    """

    root: Path

    def write_request(self, request: Request) -> None:
        """Keep a request for the process that does it, and for the day the run goes on."""
        _write(self._file("requests", request.job.name), request)

    def read_request(self, name: str) -> Request | None:
        """The request of a job, by its name; None where there is none."""
        return _read(Request, self._file("requests", name))

    def write_tuned(self, name: str, tuned: Tuned) -> None:
        """Keep what a search found."""
        _write(self._file("tuned", name), tuned)

    def read_tuned(self, name: str) -> Tuned | None:
        """What a search found; None where it has not ended."""
        return _read(Tuned, self._file("tuned", name))

    def read_record(self, name: str) -> Record | None:
        """The record of a job; None where there is none."""
        return _read(Record, record_path(self.root, name))

    def forget(self, name: str) -> None:
        """Remove what came of a job; the trials of its search stay in their study."""
        record = record_path(self.root, name)
        for path in (record, record.with_suffix(".safetensors"), self._file("tuned", name)):
            path.unlink(missing_ok=True)

    def log(self, name: str, action: str) -> Path:
        """What the process of a job wrote on standard error."""
        return self.root / "logs" / f"{name}.{action}.log"

    @property
    def storage(self) -> str:
        """The URL of the studies of this run."""
        return f"sqlite:///{self.root.absolute() / 'tune.db'}"

    def _file(self, folder: str, name: str) -> Path:
        return self.root / folder / f"{name}.json"


def _write(path: Path, value: BaseModel) -> None:
    write_atomically(path, lambda part: part.write_text(value.model_dump_json(indent=1) + "\n"))


def _read(kind: type[Kept], path: Path) -> Kept | None:
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise DataError(f"{path}: not a {kind.__name__.lower()} of this version: {where}: {fault['msg']}") from None
