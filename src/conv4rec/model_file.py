"""The model file: one safetensors file with a JSON manifest in its header. No pickle; it is read as untrusted input.

Ids, titles, histories and weights are tensors; types, settings and the origin of the model are the manifest, with a
SHA-256 of every tensor. Strings are two tensors: their UTF-8 bytes, and where each begins.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from conv4rec._version import __version__
from conv4rec.config import Config
from conv4rec.data.interactions import Interactions
from conv4rec.errors import ModelFileError
from conv4rec.ids import Ids
from conv4rec.tensor_file import Tensors, all_tensors, hashes_of, opened, read_manifest, verify, write_tensors
from conv4rec.vocabulary import InteractionType, InteractionTypes, Vocabulary

SCHEMA_VERSION = 4
READABLE = (2, 3, 4)
"""Version 2 holds no digest of the initial weights, and the tables of the encoders in another order; up to version 3
floors of the item-item path do not grow with the history.
"""
FLOORS = "consumption_experts.scalars"
HEADER = "conv4rec_manifest"
WHAT = "a conv4rec model"
TAG_SEPARATOR = "\x1f"


class ReliabilityBin(BaseModel):
    """A bin of predicted probabilities."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    predicted: float
    """Mean probability in the bin."""
    observed: float
    """How often it happened."""
    weight: float
    """Share of the predictions (of the predicted mass, for consumption) that lies in the bin."""


class Origin(BaseModel):
    """Where a model came from, for people and for `conv4rec evaluate`.

    Attributes:
        data: name of the data.
        data_fingerprint: hash of the interactions.
        notes: what was done while loading them.
        best_epoch: the one that was kept.
        validation: figures of the fitted model on held-out validation data.
        initial_sha256: of the weights before training that do not depend on the data (`model/initial.py`): they are
            drawn again where they are needed; None in files of schema version 2.
        reliability_like: bins of p_like on the same data; none where nothing is rated.
        reliability_consume: bins of p_consume on the same data.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str
    data_fingerprint: str
    notes: tuple[str, ...] = ()
    best_epoch: int = 0
    validation: dict[str, float] = {}
    initial_sha256: str | None = None
    reliability_like: tuple[ReliabilityBin, ...] = ()
    reliability_consume: tuple[ReliabilityBin, ...] = ()


@dataclass(frozen=True)
class SavedModel:
    """What a model file holds.

    Attributes:
        config: the settings of the run.
        vocabulary: users, items, interaction types.
        weights: of the network, by name.
        histories: of all users, or None where they were left out; then only posted histories can be answered.
        items: side table for display.
        origin: data and outcome of the training.
        compressed: the indexes of a compressed model, by name; none for others.
    """

    config: Config
    vocabulary: Vocabulary
    weights: Tensors
    histories: Interactions | None
    items: pl.DataFrame | None
    origin: Origin
    compressed: Mapping[str, NDArray[Any]] = field(default_factory=dict)


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int
    package_version: str
    config: Config
    outcomes: tuple[tuple[str | None, float | None], ...]
    partial: tuple[tuple[str | None, float | None], ...]
    origin: Origin
    sha256: dict[str, str]


def save_model(path: Path, model: SavedModel) -> None:
    """Write the file whole or not at all; raises SaveError where it cannot be written."""
    tensors: Tensors = {f"weights/{name}": value for name, value in model.weights.items()}
    tensors |= {f"compressed/{name}": value for name, value in model.compressed.items()}
    tensors |= _pack_ids("users", model.vocabulary.users) | _pack_ids("items", model.vocabulary.items)
    if model.histories is not None:
        tensors |= _pack_histories(model.histories)
    if model.items is not None:
        tensors |= _pack_side_table(model.items)
    types = model.vocabulary.types
    manifest = _Manifest(
        schema_version=SCHEMA_VERSION,
        package_version=__version__,
        config=model.config,
        outcomes=tuple((t.name, t.rating) for t in types.outcomes),
        partial=tuple((t.name, t.rating) for t in types.partial),
        origin=model.origin,
        sha256=hashes_of(tensors),
    )
    write_tensors(path, tensors, HEADER, manifest.model_dump_json())


def load_model(path: Path) -> SavedModel:
    """Read what `save_model` wrote.

    Raises:
        ModelFileError: the file is not there, not a conv4rec model, damaged, truncated, or of a newer version.
    """
    manifest, tensors = _read(path)
    try:
        return _unpack(manifest, tensors)
    except (KeyError, ValueError, IndexError, pl.exceptions.PolarsError) as error:
        raise ModelFileError(f"{path}: the parts of the model do not fit together: {error}") from None


def read_origin(path: Path) -> Origin:
    """Where the model of a file came from, without reading the model. Raises ModelFileError as `load_model` does."""
    with opened(path, HEADER, WHAT) as (_, text):
        return _manifest(path, text).origin


def _read(path: Path) -> tuple[_Manifest, Tensors]:
    with opened(path, HEADER, WHAT) as (_, text):
        manifest, tensors = _manifest(path, text), all_tensors(path)
    verify(path, manifest.sha256, tensors)
    return manifest, tensors


def _manifest(path: Path, text: str) -> _Manifest:
    return read_manifest(path, text, _Manifest, READABLE, "train again")


def _unpack(manifest: _Manifest, tensors: Tensors) -> SavedModel:
    outcomes, partial = (
        tuple(InteractionType(name, rating) for name, rating in listed)
        for listed in (manifest.outcomes, manifest.partial)
    )
    types = InteractionTypes(outcomes, partial)
    vocabulary = Vocabulary(_unpack_ids(tensors, "users", "user"), _unpack_ids(tensors, "items", "item"), types)
    weights, compressed = _below(tensors, "weights/"), _below(tensors, "compressed/")
    if manifest.schema_version == 2:
        weights |= _shaped(weights, manifest.config)
    if manifest.schema_version < 4 and FLOORS in weights:
        weights[FLOORS] = np.append(weights[FLOORS], np.float32(0.0))
    histories = _unpack_histories(tensors, vocabulary)
    side = _unpack_side_table(tensors)
    return SavedModel(manifest.config, vocabulary, weights, histories, side, manifest.origin, compressed)


def _below(tensors: Tensors, prefix: str) -> Tensors:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _shaped(weights: Tensors, config: Config) -> Tensors:
    """The tables of the encoders of version 2, (I C, D), as (I, C, D)."""
    channels = {"consumption": config.model.channels, "rating": config.model.rating_channels}
    tables = {f"{path}.encoder.table": C for path, C in channels.items() if f"{path}.encoder.table" in weights}
    return {name: weights[name].reshape(-1, C, weights[name].shape[-1]) for name, C in tables.items()}


def _pack_ids(name: str, ids: Ids) -> Tensors:
    return {name: ids.values.to_numpy()} if ids.are_integers else _pack_strings(name, ids.values)


def _unpack_ids(tensors: Tensors, name: str, kind: str) -> Ids:
    values = tensors[name] if name in tensors else _unpack_strings(tensors, name)
    return Ids(pl.Series(f"{kind}_id", values), kind)


def _pack_histories(histories: Interactions) -> Tensors:
    return {
        "histories/indptr": histories.indptr,
        "histories/items": histories.items,
        "histories/channels": histories.channels,
    }


def _unpack_histories(tensors: Tensors, vocabulary: Vocabulary) -> Interactions | None:
    if "histories/indptr" not in tensors:
        return None
    indptr, items, channels = (tensors[f"histories/{name}"] for name in ("indptr", "items", "channels"))
    n_users, n_items = len(vocabulary.users), len(vocabulary.items)
    fits = (
        [x.dtype.name for x in (indptr, items, channels)] == ["int64", "int32", "uint8"]
        and len(indptr) == n_users + 1
        and indptr[0] == 0
        and bool((np.diff(indptr) >= 0).all())
        and indptr[-1] == len(items) == len(channels)
        and (len(items) == 0 or (items.min() >= 0 and items.max() < n_items))
        and (len(items) == 0 or channels.max() < vocabulary.types.n_channels)
    )
    if not fits:
        raise ValueError("the histories point to users, items or types that are not there")
    return Interactions(indptr, items, channels, n_items)


def _pack_side_table(items: pl.DataFrame) -> Tensors:
    packed = _pack_ids("side/item_id", Ids(items["item_id"], "item"))
    if "title" in items.columns:
        packed |= _pack_strings("side/title", items["title"].fill_null(""))
    if "tags" in items.columns:
        packed |= _pack_strings("side/tags", items["tags"].list.join(TAG_SEPARATOR).fill_null(""))
    return packed


def _unpack_side_table(tensors: Tensors) -> pl.DataFrame | None:
    if not any(name.startswith("side/item_id") for name in tensors):
        return None
    columns: dict[str, pl.Series] = {"item_id": _unpack_ids(tensors, "side/item_id", "item").values}
    if "side/title/bytes" in tensors:
        columns["title"] = _unpack_strings(tensors, "side/title")
    if "side/tags/bytes" in tensors:
        joined = _unpack_strings(tensors, "side/tags").str.split(TAG_SEPARATOR)
        columns["tags"] = joined.list.eval(pl.element().filter(pl.element() != ""))
    return pl.DataFrame(columns)


def _pack_strings(name: str, strings: pl.Series) -> Tensors:
    encoded = [text.encode() for text in strings]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    return {f"{name}/bytes": np.frombuffer(b"".join(encoded), dtype=np.uint8), f"{name}/ends": ends}


def _unpack_strings(tensors: Mapping[str, NDArray[Any]], name: str) -> pl.Series:
    raw, ends = tensors[f"{name}/bytes"].tobytes(), tensors[f"{name}/ends"].tolist()
    return pl.Series([raw[a:b].decode() for a, b in itertools.pairwise(ends)], dtype=pl.String)
