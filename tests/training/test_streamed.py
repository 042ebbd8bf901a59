"""Batches from disk train the model of batches from memory, in the same order to the bit."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from conv4rec.config import Config
from conv4rec.data.sharding import shards_of
from conv4rec.data.shards import Shards, stack
from conv4rec.evaluation import Validation
from conv4rec.model.batch import Resident
from conv4rec.model.network import Network
from conv4rec.model.statistics import Statistics
from conv4rec.training import train
from conv4rec.training.source import InMemory, Share
from conv4rec.training.streamed import Streamed, ahead
from conv4rec.training.world import World
from tests.conftest import make_checkerboard

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory, small_config: Config) -> Shards:
    folder = tmp_path_factory.mktemp("streamed")
    (folder / "data").mkdir()
    make_checkerboard().frame.write_parquet(folder / "data" / "ratings.parquet")
    return shards_of(folder / "data", folder / "shards", small_config.data, small_config.split, shard=100)


def test_the_model_is_that_of_memory_to_the_bit(shards: Shards, small_config: Config) -> None:
    types, held = shards.types, shards.held_out()
    streamed = Streamed(shards, CPU, held=180)

    def order(n: int) -> torch.Tensor:
        found = streamed.order_of(int(torch.randint(1 << 62, ())))
        assert len(found) == n
        return torch.from_numpy(found)

    networks = []
    for source in (streamed, InMemory(Resident.of(stack(list(shards)), CPU), order)):
        torch.manual_seed(7)
        networks.append(Network(small_config.model.model_copy(update={"dropout": 0.3}), Statistics.of(shards, types)))
        settings = small_config.train.model_copy(update={"epochs": 3, "batch_size": 7})
        train(networks[-1], source, types, settings, validation=Validation(held.history, held.validation))
    one, other = (network.state_dict() for network in networks)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_statistics_of_shards_are_those_of_all(shards: Shards) -> None:
    parts, whole = (Statistics.of(x, shards.types) for x in (shards, stack(list(shards))))
    for name in ("log_popularity", "log_repeat", "log_item_histogram", "item_value"):
        assert torch.allclose(getattr(parts, name), getattr(whole, name)), name


@pytest.mark.parametrize("held", [1, 180, 10**6])
def test_every_user_comes_once_in_an_order_of_its_own(shards: Shards, held: int) -> None:
    streamed = Streamed(shards, CPU, held=held)
    orders = [streamed.order_of(seed) for seed in (1, 1, 2)]
    assert np.array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[0], orders[2])
    assert np.array_equal(np.sort(orders[2]), np.arange(shards.n_users))


def test_processes_share_a_batch(shards: Shards) -> None:
    def passed(world: World) -> list[Share]:
        torch.manual_seed(3)
        return list(Streamed(shards, CPU, held=180).shares(7, world))

    for whole, first, second in zip(*(passed(World(*place)) for place in ((0, 1), (0, 2), (1, 2))), strict=True):
        assert torch.equal(whole.batch.items, torch.cat([first.batch.items, second.batch.items]))
        assert (first.before, first.after) == (0, len(second.batch.items))
        assert (second.before, second.after) == (len(first.batch.items), 0)
        assert (first.rows_after, second.rows_before) == (second.batch.n_rows, first.batch.n_rows)
        assert whole.n_users == first.n_users == second.n_users == first.batch.n_rows + second.batch.n_rows


def test_an_error_of_the_thread_comes_out_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("damaged")

    made = ahead(items(), 3)
    assert next(made) == 1
    with pytest.raises(ValueError, match="damaged"):
        next(made)


def test_a_pass_that_is_given_up_ends_its_thread() -> None:
    before = threading.active_count()
    made = ahead(iter(range(100)), 2)
    assert next(made) == 0
    made.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_no_more_is_made_ahead_than_asked_for() -> None:
    made: list[int] = []

    @dataclass
    class Items:
        def __iter__(self) -> Iterator[int]:
            for number in range(10):
                made.append(number)
                yield number

    passed = ahead(iter(Items()), 2)
    assert next(passed) == 0
    assert len(made) <= 5
    assert list(passed) == list(range(1, 10))


def test_a_checkpoint_of_shards_is_not_one_of_memory(shards: Shards, tmp_path: Path) -> None:
    assert Streamed(shards, CPU).fingerprint != Streamed(shards, CPU, held=180).fingerprint
    assert str(tmp_path) not in Streamed(shards, CPU).fingerprint
