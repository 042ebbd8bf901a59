"""The consumption logit of a pair: that of the network, from a history without what is asked about."""

import numpy as np
import pytest
import torch

from conv4rec.config import ModelConfig
from conv4rec.denoising import ConsumptionLogit, Pairs, score_pairs
from conv4rec.model.batch import Batch
from tests.denoising.worlds import checkerboard

CONFIG = ModelConfig(embedding_dim=8, dropout=0.0)


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    return checkerboard(6, 12)[0]


@pytest.fixture(scope="module")
def model(pairs: Pairs) -> ConsumptionLogit:
    torch.manual_seed(0)
    return ConsumptionLogit.of(pairs, CONFIG)


def network_logit(model: ConsumptionLogit, pairs: Pairs, user: int, item: int, out: set[int]) -> float:
    """What the whole network says of the user's history without the items `out`."""
    kept = pairs.take((pairs.users == user) & ~np.isin(pairs.items, list(out)))
    history = Batch.of(kept.histories.select(np.array([user])), torch.device("cpu"))
    with torch.no_grad():
        return float(model.path(history)[0, item] + model.offset)


def test_each_pair_by_itself_is_the_network_without_it(model: ConsumptionLogit, pairs: Pairs) -> None:
    for user, item in ((0, 0), (3, 7), (5, 2), (5, 3)):
        found = model(torch.tensor([user]), torch.tensor([item])).item()
        assert found == pytest.approx(network_logit(model, pairs, user, item, {item}), abs=1e-5)


def test_pairs_asked_together_are_left_out_together(model: ConsumptionLogit, pairs: Pairs) -> None:
    users, items = torch.tensor([2, 4, 2, 2]), torch.tensor([1, 1, 0, 8])
    expected = [
        network_logit(model, pairs, u, i, {1, 0, 8} if u == 2 else {1})
        for u, i in zip(users.tolist(), items.tolist(), strict=True)
    ]
    assert model(users, items).tolist() == pytest.approx(expected, abs=1e-5)


def test_the_label_of_a_pair_is_not_read_off_its_history(pairs: Pairs) -> None:
    torch.manual_seed(0)
    first = ConsumptionLogit.of(pairs, CONFIG)
    torch.manual_seed(0)
    second = ConsumptionLogit.of(pairs.flip(1.0, 0), CONFIG)
    user = pairs.users == 0
    mine = torch.from_numpy(pairs.users[user]), torch.from_numpy(pairs.items[user])
    first.path.bias.data.zero_()
    second.path.bias.data.zero_()
    assert torch.equal(first(*mine), second(*mine)), "all pairs of the user are asked: there is no history left"


def test_a_user_without_any_other_pair_gets_what_nothing_known_gets(model: ConsumptionLogit, pairs: Pairs) -> None:
    lonely = Pairs(np.array([0]), np.array([4]), np.ones(1, dtype=np.float32), 6, 12)
    torch.manual_seed(0)
    found = score_pairs(ConsumptionLogit.of(lonely, CONFIG), np.array([0, 1]), np.array([4, 4]))
    assert found[0] == found[1]
    assert np.isfinite(score_pairs(model, pairs.users, pairs.items)).all()
