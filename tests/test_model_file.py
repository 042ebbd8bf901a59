"""The model file: everything comes back, and nothing else is taken for a model."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal, assert_series_equal
from safetensors import safe_open
from safetensors.numpy import save_file

from conv4rec.config import Config, make_config
from conv4rec.data.interactions import Interactions
from conv4rec.errors import ModelFileError, SaveError
from conv4rec.ids import Ids
from conv4rec.model_file import HEADER, Origin, ReliabilityBin, SavedModel, load_model, read_origin, save_model
from conv4rec.vocabulary import InteractionTypes, Vocabulary


def make(users: list[Any], items: list[Any]) -> SavedModel:
    vocabulary = Vocabulary(
        Ids.fit(pl.Series(users), kind="user"),
        Ids.fit(pl.Series(items), kind="item"),
        InteractionTypes.of([0.5, 1], rated=[None, "buy"], unrated=["view"]),
    )
    indptr = np.zeros(len(vocabulary.users) + 1, dtype=np.int64)
    indptr[1:] = 2
    histories = Interactions(indptr, np.array([0, 0], np.int32), np.array([0, 6], np.uint8), len(vocabulary.items))
    side = pl.DataFrame(
        {
            "item_id": items,
            "title": ["Amélie", *[None] * (len(items) - 1)],
            "tags": [["a|b", "c"], *[[]] * (len(items) - 1)],
        }
    )
    weights: dict[str, Any] = {"a.b": np.arange(6, dtype=np.float32).reshape(2, 3), "scalar": np.float32(2).reshape(())}
    bins = (ReliabilityBin(predicted=0.25, observed=0.5, weight=1.0),)
    origin = Origin(
        data="made", data_fingerprint="f", notes=("note",), best_epoch=3, validation={"nll": 1.5}, reliability_like=bins
    )
    return SavedModel(make_config({"train": {"epochs": 3}}), vocabulary, weights, histories, side, origin)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_model(tmp_path / "m", make([3, 1], ["x", "y"]))
    return tmp_path / "m"


def rewrite(path: Path, *, header: dict[str, Any] | None = None, tensors: dict[str, Any] | None = None) -> None:
    """Write the file again with parts of it changed."""
    with safe_open(path, framework="numpy") as file:
        manifest = json.loads(file.metadata()[HEADER])
        values = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(values | (tensors or {}), path, metadata={HEADER: json.dumps(manifest | (header or {}))})


@pytest.mark.parametrize(("users", "items"), [([3, 1], ["x", "y"]), (["ü", ""], [-5, 2**40])])
def test_everything_comes_back(tmp_path: Path, users: list[Any], items: list[Any]) -> None:
    model = make(users, items)
    save_model(tmp_path / "m", model)
    loaded = load_model(tmp_path / "m")
    assert (loaded.config, loaded.origin) == (model.config, model.origin)
    assert loaded.vocabulary.types == model.vocabulary.types
    assert_series_equal(loaded.vocabulary.users.values, model.vocabulary.users.values)
    assert_series_equal(loaded.vocabulary.items.values, model.vocabulary.items.values)
    assert {name: value.tolist() for name, value in loaded.weights.items()} == {
        name: value.tolist() for name, value in model.weights.items()
    }
    assert model.items is not None
    assert loaded.items is not None
    by_id = model.items.sort("item_id").with_columns(pl.col("title").fill_null(""))
    assert_frame_equal(loaded.items.sort("item_id"), by_id)
    assert loaded.histories is not None
    assert model.histories is not None
    assert loaded.histories.fingerprint() == model.histories.fingerprint()


def test_the_origin_is_read_without_the_model(saved: Path, tmp_path: Path) -> None:
    assert read_origin(saved) == load_model(saved).origin
    with pytest.raises(ModelFileError, match="cannot be read: No such file"):
        read_origin(tmp_path / "nowhere")
    rewrite(saved, header={"origin": {"data": "d", "data_fingerprint": "f", "reliability_like": [{"predicted": 0.5}]}})
    with pytest.raises(ModelFileError, match="the manifest is damaged: origin.reliability_like.0.observed: Field"):
        read_origin(saved)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.sets(st.text(), min_size=1))
def test_any_string_is_an_id(tmp_path: Path, texts: set[str]) -> None:
    save_model(tmp_path / "any", make(sorted(texts), [1, 2]))
    assert load_model(tmp_path / "any").vocabulary.users.values.to_list() == sorted(texts)


def test_histories_and_side_table_may_be_left_out(tmp_path: Path) -> None:
    save_model(tmp_path / "m", replace(make([1, 2], [1, 2]), histories=None, items=None))
    loaded = load_model(tmp_path / "m")
    assert (loaded.histories, loaded.items) == (None, None)


def test_the_same_model_is_the_same_file(saved: Path, tmp_path: Path) -> None:
    save_model(tmp_path / "again", make([3, 1], ["x", "y"]))
    assert saved.read_bytes() == (tmp_path / "again").read_bytes()


def refused(path: Path, message: str) -> None:
    with pytest.raises(ModelFileError, match=message) as caught:
        load_model(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    refused(tmp_path / "none", "cannot be read: No such file")


def test_a_folder(tmp_path: Path) -> None:
    refused(tmp_path, "cannot be read|not a conv4rec model")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip", b"\x80\x04\x95pickle", b"\xff" * 64])
def test_a_foreign_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m").write_bytes(content)
    refused(tmp_path / "m", "not a conv4rec model, or cut short")


def test_a_safetensors_file_of_another_program(tmp_path: Path) -> None:
    save_file({"x": np.zeros(2)}, tmp_path / "m")
    refused(tmp_path / "m", "a safetensors file, but not a conv4rec model")


def test_a_truncated_file(saved: Path) -> None:
    whole = saved.read_bytes()
    for length in (len(whole) - 1, len(whole) // 2, 4):
        saved.write_bytes(whole[:length])
        refused(saved, "not a conv4rec model, or cut short")


def test_a_flipped_bit(saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    content[-3] ^= 1
    saved.write_bytes(content)
    refused(saved, "damaged: tensor .* does not have the hash of the manifest")


def test_a_newer_file(saved: Path) -> None:
    rewrite(saved, header={"schema_version": 99})
    refused(
        saved, "schema version 99, this conv4rec reads versions 2, 3 and 4; install a newer conv4rec or train again"
    )


def test_a_file_of_version_2_is_read_and_its_tables_shaped(tmp_path: Path) -> None:
    config = make_config({"model": {"channels": 2, "rating_channels": 3}})
    rows = np.arange(12, dtype=np.float32).reshape(6, 2)
    weights = {"consumption.encoder.table": rows, "rating.encoder.table": rows}
    save_model(tmp_path / "m", replace(make([1, 2], [1, 2]), config=config, weights=weights))
    assert load_model(tmp_path / "m").weights["rating.encoder.table"].tolist() == rows.tolist()
    rewrite(tmp_path / "m", header={"schema_version": 2})
    loaded = load_model(tmp_path / "m")
    assert loaded.weights["consumption.encoder.table"].tolist() == rows.reshape(3, 2, 2).tolist()
    assert loaded.weights["rating.encoder.table"].tolist() == rows.reshape(2, 3, 2).tolist()
    assert loaded.origin.initial_sha256 is None


def test_a_file_of_version_3_has_floors_that_do_not_grow(tmp_path: Path) -> None:
    scalars = np.arange(4, dtype=np.float32)
    save_model(tmp_path / "m", replace(make([1, 2], [1, 2]), weights={"consumption_experts.scalars": scalars}))
    rewrite(tmp_path / "m", header={"schema_version": 3})
    found = load_model(tmp_path / "m").weights["consumption_experts.scalars"]
    assert found.tolist() == [0.0, 1.0, 2.0, 3.0, 0.0]
    assert found.dtype == np.float32


def test_an_older_file(saved: Path) -> None:
    rewrite(saved, header={"schema_version": 1})
    refused(saved, "schema version 1, this conv4rec reads versions 2, 3 and 4; train again")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"schema_version": None}, "schema version None"),
        ({"config": {"train": {"epochs": -1}}}, r"the manifest is damaged: config\.train\.epochs"),
        ({"config": {"surprise": 1}}, r"the manifest is damaged: config\.surprise: Extra inputs"),
        ({"sha256": {}}, "the manifest and the tensors do not agree on"),
        ({"outcomes": []}, "the parts of the model do not fit together"),
    ],
)
def test_a_manifest_that_does_not_fit(saved: Path, header: dict[str, Any], message: str) -> None:
    rewrite(saved, header=header)
    refused(saved, message)


def test_a_manifest_that_is_not_json(tmp_path: Path) -> None:
    save_file({"x": np.zeros(2)}, tmp_path / "m", metadata={HEADER: "{"})
    refused(tmp_path / "m", "the manifest is damaged: expected a schema_version")


@pytest.mark.parametrize(
    "broken",
    [
        {"items": np.array([0, 9], np.int32)},
        {"items": np.array([0, -1], np.int32)},
        {"channels": np.array([0, 200], np.uint8)},
        {"indptr": np.array([0, 2, 1], np.int64)},
        {"items": np.array([0.0, 0.0])},
    ],
)
def test_histories_that_point_nowhere(tmp_path: Path, broken: dict[str, Any]) -> None:
    model = make([1, 2], [1, 2])
    assert model.histories is not None
    save_model(tmp_path / "m", replace(model, histories=replace(model.histories, **broken)))
    refused(tmp_path / "m", "the histories point to users, items or types that are not there")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SaveError, match="cannot be written"):
        save_model(tmp_path / "file" / "m", make([1, 2], [1, 2]))


def test_the_default_settings_are_saved_whole(saved: Path) -> None:
    assert load_model(saved).config == Config.model_validate({"train": {"epochs": 3}})
