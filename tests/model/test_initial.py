"""Networks before training, without memory, and with weights that they keep as they are."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from conv4rec.config import Config, ModelConfig
from conv4rec.ids import Ids
from conv4rec.model.initial import blank_network, draw_network, network_with
from conv4rec.model.network import Network
from conv4rec.model.statistics import Statistics
from conv4rec.model_file import Origin, SavedModel, save_model
from conv4rec.recommender import Conv4Rec
from conv4rec.vocabulary import InteractionTypes, Vocabulary

TYPES = InteractionTypes.of([1, 2, 3])
PEAK = """
import sys
from pathlib import Path
from conv4rec import Conv4Rec

def peak():
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024

Conv4Rec.load(sys.argv[1], device="cpu")
before = peak()
Conv4Rec.load(sys.argv[2], device="cpu")
print(peak() - before)
"""
"""The first model is small, and loads what is needed besides."""


def weights_of(network: Network) -> dict[str, Any]:
    return {name: value.numpy() for name, value in network.state_dict().items()}


def test_a_blank_network_has_shapes_and_no_tables() -> None:
    blank = blank_network(ModelConfig(), 1000, TYPES)
    drawn = draw_network(Config(), Statistics.blank(1000, TYPES))
    found, expected = blank.state_dict(), drawn.state_dict()
    assert {name: value.shape for name, value in found.items()} == {name: v.shape for name, v in expected.items()}
    assert [name for name, _ in blank.named_parameters()] == [name for name, _ in drawn.named_parameters()]
    assert all(value.untyped_storage().nbytes() < 10_000 for value in found.values())


def test_weights_are_kept_as_they_are(fitted: Conv4Rec) -> None:
    network = fitted.exact_predictor.network
    weights = {name: value.copy() for name, value in weights_of(network).items()}
    same = network_with(fitted.config.model, len(fitted.vocabulary.items), fitted.vocabulary.types, weights)
    for name, value in same.state_dict().items():
        assert value.data_ptr() == weights[name].ctypes.data, name
        assert torch.equal(value, network.state_dict()[name]), name
    assert not [name for name, value in same.named_parameters() if not value.requires_grad]


def test_weights_of_another_type_are_refused() -> None:
    weights = weights_of(draw_network(Config(), Statistics.blank(4, TYPES)))
    weights["consumption.decoder"] = weights["consumption.decoder"].astype(np.float64)
    with pytest.raises(ValueError, match="consumption.decoder is of torch.float64, expected torch.float32"):
        network_with(ModelConfig(), 4, TYPES, weights)


def test_a_model_is_loaded_with_its_weights_in_memory_once(tmp_path: Path) -> None:
    config = Config()
    for n_items in (10, 10_000):
        weights = weights_of(draw_network(config, Statistics.blank(n_items, TYPES)))
        users, items = (Ids.fit(pl.Series(range(n)), kind=kind) for n, kind in ((2, "user"), (n_items, "item")))
        known = Vocabulary(users, items, TYPES)
        origin = Origin(data="made", data_fingerprint="f")
        save_model(tmp_path / str(n_items), SavedModel(config, known, weights, None, None, origin))
    command = [sys.executable, "-c", PEAK, str(tmp_path / "10"), str(tmp_path / "10000")]
    grown = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    size = (tmp_path / "10000").stat().st_size
    assert size > 50 << 20
    assert grown < 1.3 * size
