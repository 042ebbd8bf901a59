"""Records survive the disk, and what is none is refused in one line."""

from pathlib import Path

import numpy as np
import pytest

from conv4rec.errors import DataError
from conv4rec.evaluation import Report
from conv4rec.records import Budget, Cost, Record, errors_of, read_records, read_replicates, record_path, write_record

RECORD = Record(
    model="my_models:EASE",
    data="some where/ratings.csv",
    recipe="random",
    seed=3,
    budget=Budget(trials=20, failed=1, seconds=3.5, limit_trials=20, monitor="ndcg@20", value=0.5, default=0.4),
    cost=Cost(fit_seconds=1.5),
    metrics={"rmse": 0.9, "nll": float("inf")},
    intervals={"rmse": (0.8, 1.0)},
)


def test_the_name_of_the_files_holds_plain_characters_only() -> None:
    assert RECORD.job == "some-where-ratings.csv__random__my_models-EASE__s3__w1"


def test_a_record_and_its_replicates_come_back(tmp_path: Path) -> None:
    report = Report(RECORD.metrics, {}, replicates={"rmse": np.array([0.8, 1.0])})
    path = write_record(tmp_path, RECORD, report)
    assert path == record_path(tmp_path, RECORD.job) == tmp_path / "records" / f"{RECORD.job}.json"
    assert read_records(tmp_path) == (RECORD,)
    assert read_replicates(tmp_path, RECORD)["rmse"].tolist() == [0.8, 1.0]
    assert sorted(p.suffix for p in path.parent.iterdir()) == [".json", ".safetensors"]


def test_what_lies_beside_the_records_is_left_alone(tmp_path: Path) -> None:
    write_record(tmp_path, RECORD)
    (tmp_path / "compare.json").write_text("{}")
    assert read_records(tmp_path) == (RECORD,)
    assert read_replicates(tmp_path, RECORD) == {}


def test_a_record_without_figures_says_why(tmp_path: Path) -> None:
    broken = RECORD.model_copy(update={"model": "broken", "error": "out of memory"})
    for record in (RECORD, broken):
        write_record(tmp_path, record)
    assert errors_of(read_records(tmp_path)) == {broken.job: "out of memory"}


def test_a_folder_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"{tmp_path}: no records there; expected files written by `conv4rec compare`"):
        read_records(tmp_path)


def test_a_file_that_is_no_record_is_refused(tmp_path: Path) -> None:
    path = write_record(tmp_path, RECORD)
    path.write_text('{"model": "a", "data": "b"}')
    with pytest.raises(DataError, match=r"w1.json: not a record: recipe: Field required"):
        read_records(tmp_path)


def test_replicates_that_are_damaged_are_refused(tmp_path: Path) -> None:
    path = write_record(tmp_path, RECORD)
    path.with_suffix(".safetensors").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"w1.safetensors: not a file of replicates: "):
        read_replicates(tmp_path, RECORD)
