"""Logits by item are those of the law, in another unit; histories are encoded alike whichever way is the faster."""

import numpy as np
import pytest
import torch

from conv4rec.model import law
from conv4rec.model.bags import bag
from conv4rec.model.batch import Batch
from conv4rec.model.logits import Logits
from conv4rec.model.predictor import NetworkPredictor
from tests.model.test_experts import make_blended
from tests.model.test_network import SHOP, TYPES, I, make_histories, make_network
from tests.predictor_contract import some_histories

CPU = torch.device("cpu")


@pytest.mark.parametrize("blended", [False, True])
@pytest.mark.parametrize("n_users", [1, 9, 40])
@torch.inference_mode()
def test_are_those_of_the_law(blended: bool, n_users: int) -> None:
    network = make_blended(TYPES) if blended else make_network(TYPES)
    histories = some_histories(TYPES, I, n_users=max(2, n_users)).select(np.arange(n_users))
    batch = Batch.of(histories, CPU)
    logits = Logits.of(network, batch, network.consumption.encode(batch))
    found = torch.cat([logits.block(start, min(start + 4, I))[0] for start in range(0, I, 4)])
    expected = NetworkPredictor(network, TYPES).predict(histories).log_p_consume
    assert law.log_p_consume(found.T * logits.unit).numpy() == pytest.approx(expected, abs=1e-4)


@torch.inference_mode()
def test_many_histories_are_encoded_as_few_are() -> None:
    network = make_network(SHOP)
    path, few = network.consumption, make_histories(SHOP)
    everybody = few.select(np.tile(np.arange(few.n_users), 20))
    assert len(few) < len(path.convolution) * I <= len(everybody)
    one_by_one = path.encode(Batch.of(few, CPU)).repeat(20, 1)
    assert path.encode(Batch.of(everybody, CPU)).numpy() == pytest.approx(one_by_one.numpy(), abs=1e-5)
    batch = Batch.of(few, CPU)
    assert (
        path.encoder(bag(path.encoder.table, batch.cells, path.convolution), batch.counts) == path.encode(batch)
    ).all()
