"""Records survive the disk, and what is none is refused in one line."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv4rec.errors import DataError
from conv4rec.evaluation import Report
from conv4rec.records import Budget, Cost, Record, errors_of, read_records, read_replicates, record_path, write_record
from tests.made_records import failed_record, make_record

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


@pytest.mark.parametrize("record", [make_record("conv4rec"), make_record("ease", seed=2), failed_record()])
def test_every_field_of_a_record_comes_back(record: Record, tmp_path: Path) -> None:
    write_record(tmp_path, record)
    assert read_records(tmp_path) == (record,)


@given(st.dictionaries(st.text(), st.floats(allow_nan=False)), st.text(min_size=1, max_size=30))
def test_any_name_and_any_figure_comes_back(metrics: dict[str, float], name: str) -> None:
    record = Record(model=name, data=name, recipe="random", metrics=metrics)
    assert Record.model_validate_json(record.model_dump_json()) == record
    assert all(letter.isalnum() or letter in "._-" for letter in record.job)


def test_records_come_in_the_order_of_their_files(tmp_path: Path) -> None:
    for model in ("svd", "ease", "bpr"):
        write_record(tmp_path, failed_record(model))
    assert [record.model for record in read_records(tmp_path)] == ["bpr", "ease", "svd"]


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [("schema_version", 2, "schema_version: Input should be 1"), ("notes_", [], "notes_: Extra inputs")],
)
def test_a_record_of_another_kind_is_refused(field: str, value: object, told: str, tmp_path: Path) -> None:
    path = write_record(tmp_path, RECORD)
    path.write_text(json.dumps(RECORD.model_dump(mode="json") | {field: value}))
    with pytest.raises(DataError, match=f"w1.json: not a record: {told}"):
        read_records(tmp_path)
