"""Requests and results lie on disk, where the processes of jobs and later runs find them."""

from pathlib import Path

import pytest

from conv4rec.compare.jobs import Job, Limits, Request, RunFolder, Tuned
from conv4rec.config import make_config
from conv4rec.errors import DataError
from conv4rec.records import Budget, write_record

JOB = Job(model="m:A", data="d", recipe="r", seed=2, window=3)
REQUEST = Request(job=JOB, config=make_config({"train": {"epochs": 3}}), params={"a": [1, 2]}, limits=Limits(seconds=5))
TUNED = Tuned(params={"b": 1.5}, budget=Budget(trials=1, seconds=2.0, monitor="rmse", value=0.9))


def test_requests_and_results_come_back(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert [folder.read_request(JOB.name), folder.read_tuned(JOB.name), folder.read_record(JOB.name)] == [None] * 3
    folder.write_request(REQUEST)
    folder.write_tuned(JOB.name, TUNED)
    record = JOB.record(error="no")
    write_record(tmp_path, record)
    assert folder.read_request(JOB.name) == REQUEST
    assert folder.read_tuned(JOB.name) == TUNED
    assert folder.read_record(JOB.name) == record
    folder.forget(JOB.name)
    assert [folder.read_tuned(JOB.name), folder.read_record(JOB.name)] == [None, None]
    assert folder.read_request(JOB.name) == REQUEST
    folder.forget(JOB.name)


def test_names_of_files(tmp_path: Path) -> None:
    assert JOB.name == "d__r__m-A__s2__w3"
    assert RunFolder(tmp_path).log(JOB.name, "fit") == tmp_path / "logs" / "d__r__m-A__s2__w3.fit.log"
    assert RunFolder(tmp_path).storage == f"sqlite:///{tmp_path}/tune.db"


def test_a_request_of_another_version_is_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_request(REQUEST)
    path = tmp_path / "requests" / f"{JOB.name}.json"
    path.write_text(path.read_text().replace('"slices"', '"pieces"'))
    with pytest.raises(DataError, match=r"w3.json: not a request of this version: pieces: Extra inputs"):
        folder.read_request(JOB.name)
