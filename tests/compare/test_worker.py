"""What the process of a job does, here in this process."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from conv4rec.compare import worker
from conv4rec.compare.events import Events, in_one_line
from conv4rec.compare.jobs import Job, Limits, Request, RunFolder
from conv4rec.compare.prepare import for_search, load
from conv4rec.compare.tune import Search, search
from conv4rec.config import Config, make_config
from conv4rec.errors import DataError
from conv4rec.records import Record, read_replicates
from tests.compare import fakes
from tests.compare.worlds import SMALL, write_small_csv


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("data") / "r.csv"
    write_small_csv(path)
    return str(path)


def events() -> Events:
    return Events(io.StringIO())


def request(csv: str, model: str = "POPULAR", recipe: str = "random", **fields: Any) -> Request:
    settings = {"split": {"recipe": {"strong": "user"}.get(recipe, recipe)}}
    job = Job(model=f"tests.compare.fakes:{model}", data=csv, recipe=recipe)
    return Request(job=job, config=make_config(SMALL.model_dump() | settings), **fields)


def fitted(folder: Path, wanted: Request) -> Record:
    run = RunFolder(folder)
    run.write_request(wanted)
    worker.fit(run, wanted.job.name, events())
    record = run.read_record(wanted.job.name)
    assert record is not None
    return record


def test_a_record_holds_what_was_asked_and_what_came_of_it(csv: str, tmp_path: Path) -> None:
    record = fitted(tmp_path, request(csv, params={"power": 0.75}))
    assert record.params == {"power": 0.75, "dull": 7}
    assert record.budget is None
    assert record.cost.model_bytes == 2**20
    assert record.cost.peak_memory_bytes is not None
    assert record.cost.fit_seconds is not None
    assert {"ndcg@5", "rmse", "nll", "coverage@3"} <= record.metrics.keys()
    assert record.intervals.keys() >= {"ndcg@5", "rmse"}
    assert record.notes[0].startswith("recipe random")
    assert record.split.startswith("random, seed 0")
    assert Config.model_validate(record.config) == request(csv).config
    assert {s.by for s in record.slices} == {"popularity", "history"}
    assert read_replicates(tmp_path, record)["rmse"].shape == (50,)
    assert record.curves.recall_beta == ()


def test_a_search_comes_first_and_the_fit_takes_what_it_found(csv: str, tmp_path: Path) -> None:
    run, wanted, heard = RunFolder(tmp_path), request(csv, limits=Limits(trials=4)), events()
    run.write_request(wanted)
    worker.tune(run, wanted.job.name, heard)
    tuned = run.read_tuned(wanted.job.name)
    loaded = load(wanted)
    limits = Limits(trials=4)
    expected = search(Search(fakes.POPULAR, for_search(loaded.prepared.task), {}, limits))
    assert tuned is not None
    assert tuned.params == expected.params
    record = fitted(tmp_path, wanted)
    assert record.params == {**fakes.DEFAULTS, **tuned.params}
    assert record.budget == tuned.budget
    assert (tmp_path / "tune.db").exists()
    assert isinstance(heard.channel, io.StringIO)
    told = [json.loads(line) for line in heard.channel.getvalue().splitlines()]
    assert [event["trial"] for event in told if "trial" in event] == [0, 1, 2, 3]


def test_a_search_without_limits_is_refused(csv: str, tmp_path: Path) -> None:
    RunFolder(tmp_path).write_request(request(csv))
    with pytest.raises(DataError, match="no limits of a search in the request"):
        worker.tune(RunFolder(tmp_path), request(csv).job.name, events())


def test_a_job_without_a_request_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"{tmp_path}: no request of the name nothing"):
        worker.fit(RunFolder(tmp_path), "nothing", events())


def test_a_model_that_cannot_predict_new_users(csv: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="per-user cannot predict users that it was not fitted on"):
        fitted(tmp_path, request(csv, "PER_USER", "strong"))


def test_recall_over_time(csv: str, tmp_path: Path) -> None:
    record = fitted(tmp_path, request(csv, over_time=True, slices=False))
    points = record.curves.recall_beta
    assert {(p.k, p.time_aware) for p in points} == {(k, t) for k in (3, 5) for t in (True, False)}
    assert all(0 <= p.value <= 1 for p in points)
    assert record.slices == ()


@pytest.mark.parametrize(
    ("model", "reason"),
    [("RATINGS", "ratings does not rank"), ("PER_USER", "per-user cannot be given the history of a moment")],
)
def test_where_recall_over_time_cannot_be_measured_a_note_says_why(
    csv: str, tmp_path: Path, model: str, reason: str
) -> None:
    record = fitted(tmp_path, request(csv, model, over_time=True, slices=False))
    assert record.curves.recall_beta == ()
    assert record.notes[-1] == f"recall@K^beta: not measured, {reason}"


def test_recall_over_time_needs_times(tmp_path: Path, checkerboard: Any) -> None:
    checkerboard.frame.write_csv(tmp_path / "r.csv")
    record = fitted(tmp_path, request(str(tmp_path / "r.csv"), over_time=True, slices=False))
    assert record.notes[-1] == "recall@K^beta: not measured, not every interaction has a time stamp"


def test_a_setting_that_somebody_chose_is_not_searched(csv: str) -> None:
    settings = make_config({"train": {"learning_rate": 0.5, "epochs": 2}})
    ours = Request(job=Job(model="conv4rec", data=csv, recipe="random"), config=settings, params={"train.mask": 0.4})
    assert load(ours).fixed == {"train.learning_rate": 0.5, "train.mask": 0.4}


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("a\n  b"), "ValueError: a b"),
        (DataError("ratings.csv:17: no"), "ratings.csv:17: no"),
        (KeyboardInterrupt(), "interrupted"),
        (MemoryError(), "out of memory"),
        (MemoryError("8 TiB"), "out of memory: 8 TiB"),
        (AssertionError(), "AssertionError"),
    ],
)
def test_errors_in_one_line(error: BaseException, text: str) -> None:
    assert in_one_line(error) == text


def test_the_same_seed_gives_the_same_figures(csv: str, tmp_path: Path) -> None:
    first, second = (fitted(tmp_path / name, request(csv)) for name in "ab")
    assert replace_cost(first) == replace_cost(second)
    assert first.model_copy(update={"seed": 1}) != first


def replace_cost(record: Record) -> Record:
    return record.model_copy(update={"cost": None})
