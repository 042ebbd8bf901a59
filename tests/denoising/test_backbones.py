"""The backbones against their equations, pair by pair."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from conv4rec.denoising import GMF, MLP, NeuMF

Floats = NDArray[Any]
USERS, ITEMS = torch.tensor([0, 2, 1, 2]), torch.tensor([3, 0, 3, 1])


def numbers(tensor: torch.Tensor) -> Floats:
    return tensor.detach().double().numpy()


def dense(layer: torch.nn.Module, x: Floats) -> Floats:
    assert isinstance(layer, torch.nn.Linear)
    return np.asarray(numbers(layer.weight) @ x + numbers(layer.bias))


def product(model: GMF, user: int, item: int) -> Floats:
    return np.asarray(numbers(model.users.weight[user]) * numbers(model.items.weight[item]))


def tower(model: MLP, user: int, item: int) -> Floats:
    x = np.concatenate([numbers(model.users.weight[user]), numbers(model.items.weight[item])])
    return np.asarray(np.maximum(dense(model.tower[2], np.maximum(dense(model.tower[0], x), 0)), 0))


@pytest.mark.parametrize("kind", ["gmf", "mlp", "neumf"])
def test_a_logit_is_what_the_equations_say(kind: str) -> None:
    torch.manual_seed(0)
    pairs = list(zip(USERS.tolist(), ITEMS.tolist(), strict=True))
    model: GMF | MLP | NeuMF
    if kind == "gmf":
        model = gmf = GMF(3, 4, 6)
        features = [product(gmf, *pair) for pair in pairs]
    elif kind == "mlp":
        model = mlp = MLP(3, 4, 6)
        features = [tower(mlp, *pair) for pair in pairs]
    else:
        model = both = NeuMF(3, 4, 6)
        features = [np.concatenate([product(both.product, *p), tower(both.tower, *p)]) for p in pairs]
    expected = [float(dense(model.output, feature)[0]) for feature in features]
    assert model(USERS, ITEMS).tolist() == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_neumf_has_vectors_of_its_own_for_each_part() -> None:
    model = NeuMF(3, 4, 6)
    shapes = [tuple(p.shape) for name, p in model.named_parameters() if name.endswith(("users.weight", "items.weight"))]
    assert shapes == [(3, 6), (4, 6)] * 2
