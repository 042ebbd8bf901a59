"""The map of interaction types: against products written out, and what it must say of known worlds."""

import json

import numpy as np
import polars as pl
import pytest
import torch

from conv4rec.recommender import Conv4Rec
from conv4rec.verbs.type_map import type_map


def cosine(table: pl.DataFrame, path: str, a: str, b: str, column: str = "effect_cosine") -> float:
    return float(table.filter(path=path, type=a, other=b)[column].item())


def test_likeness_is_that_of_what_types_add_to_the_bottleneck(fitted: Conv4Rec) -> None:
    path = fitted.predictor.network.consumption
    found = fitted.interaction_types()
    table = path.encoder.table.detach().double()
    adds = torch.einsum("kc,icd->kid", path.convolution.detach().double(), table).reshape(path.convolution.shape[0], -1)
    expected = torch.nn.functional.cosine_similarity(adds[1], adds[4], dim=0)  # the checkerboard has twos and fives
    assert cosine(found.alike, "consumption", "2", "5") == pytest.approx(float(expected), abs=1e-6)
    rows = path.convolution.detach()
    assert cosine(found.alike, "consumption", "2", "5", "cosine") == pytest.approx(
        float(torch.nn.functional.cosine_similarity(rows[1], rows[4], dim=0)), abs=1e-5
    )
    strength = found.strength.filter(path="consumption", type="5")["strength"].item()
    assert strength == pytest.approx(float(adds[4].norm()) / 24**0.5, abs=1e-6)


def test_only_what_occurs_is_told(fitted: Conv4Rec, fitted_without: Conv4Rec) -> None:
    assert set(fitted.interaction_types().alike["type"]) == {"2", "5"}
    assert set(fitted_without.interaction_types().alike["type"]) == {"1", "2", "3", "4", "5", "unrated"}


def test_channels_hold_the_kernel(fitted: Conv4Rec) -> None:
    channels = fitted.interaction_types().channels
    rows = fitted.predictor.network.consumption.convolution.detach().numpy()
    mine = channels.filter(path="consumption", type="5").sort("channel")
    assert mine["weight"].to_list() == pytest.approx(rows[4].tolist())
    assert channels.columns == ["path", "channel", "type", "weight", "size"]
    json.dumps(fitted.interaction_types().to_dict(), allow_nan=False)


def test_mixing_channels_changes_the_rows_and_not_the_likeness(fitted: Conv4Rec) -> None:
    import copy

    network, types = copy.deepcopy(fitted.predictor.network), fitted.vocabulary.types
    met = np.ones(types.n_channels, dtype=np.bool_)
    before = type_map(network, types, met).alike
    mix = torch.randn(4, 4, generator=torch.Generator().manual_seed(0)) + 2 * torch.eye(4)
    path = network.consumption
    with torch.no_grad():
        path.convolution.copy_(path.convolution @ mix)
        path.encoder.table.copy_(torch.einsum("ce,ied->icd", torch.linalg.inv(mix), path.encoder.table))
    after = type_map(network, types, met).alike
    assert after["effect_cosine"].to_numpy() == pytest.approx(before["effect_cosine"].to_numpy(), abs=1e-4)
    assert after["cosine"].to_numpy() != pytest.approx(before["cosine"].to_numpy(), abs=1e-2)


def test_ratings_of_films_are_alike_where_they_are_near(films: Conv4Rec) -> None:
    alike = films.interaction_types().alike
    assert cosine(alike, "rating", "1", "2") > 0.8 > 0 > cosine(alike, "rating", "1", "5")
    assert cosine(alike, "rating", "4", "5") > 0.8
    assert cosine(alike, "consumption", "4", "5") > 0.8


def test_one_type_has_one_path(clicks: Conv4Rec) -> None:
    found = clicks.interaction_types()
    assert found.alike["path"].to_list() == ["consumption"]
    assert found.alike["effect_cosine"].to_list() == pytest.approx([1.0])
