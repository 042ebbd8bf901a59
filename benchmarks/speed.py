"""What Conv4Rec takes beside the products it cannot do without, and beside a peer. Two cores, medians of five turns.

    python -m benchmarks.speed                 # writes benchmarks/results/speed.json
    python -m benchmarks.speed --only step     # one part of it: step, lists, one

step: a step of training on 256 users of ML-1M (3,706 items), and of as many of a catalogue of 50,000; against its
matrix products alone, made from the same numbers: users x items and its two gradients (dense; by torch.mm, and by
oneDNN, which the step uses), and sums over histories, products at pairs, and their gradients (sparse, by the library
that the step uses). No softmax, optimiser, masks or indices.
lists: the best 100 of all items for the 6,040 users of ML-1M, against one product of random matrices of that size and
numpy's argpartition; in the process that has fitted, and in one that has read the model. one: a list for one posted
history, against one forward pass of the law of that user.
The fit beside that of a peer: `conv4rec compare`, see benchmarks/results/compare-cost.json.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from benchmarks.machine import in_turns, machine
from torch import Tensor
from torch.nn import functional

from conv4rec import Conv4Rec
from conv4rec.config import Config, TrainConfig
from conv4rec.data.interactions import Interactions
from conv4rec.data.parts import load_parts
from conv4rec.model.batch import Batch
from conv4rec.model.network import Network
from conv4rec.model.products import product
from conv4rec.model.statistics import Statistics
from conv4rec.training.memory import kept_memory
from conv4rec.training.run import _Run
from conv4rec.training.source import Share
from conv4rec.vocabulary import InteractionTypes

RESULT = Path(__file__).parent / "results" / "speed.json"
USERS, BATCHES, K = 256, 3, 100
Triple = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Products:
    """The products of one step on a batch: values that are asked for, and gradients."""

    dense_numbers: tuple[Tensor, Tensor, Tensor]
    bags: list[tuple[Triple, Triple, Tensor | None]]
    pairs: tuple[Any, Any, Any, Any]

    def dense(self, times: Callable[[Tensor, Tensor], Tensor]) -> None:
        """Users x items, and the gradients of both."""
        decoder, z, spread = self.dense_numbers
        times(z, decoder.T)
        times(spread, decoder)
        times(spread.T, z)

    def sparse(self) -> None:
        """Sums over histories with their gradients, and products at pairs with theirs, of both paths."""
        for forward, backward, weights in self.bags:
            _sums(*forward, weights)
            _sums(*backward, weights)
        found, users, of_users, of_items = self.pairs
        torch.bmm(
            functional.embedding(*found).view(len(found[0]), -1, users[1].shape[1]),
            functional.embedding(*users)[:, :, None],
        )
        _sums(*of_users)
        for _ in range(found[1].shape[1] // users[1].shape[1]):
            _sums(*of_items)

    @classmethod
    def of(cls, network: Network, batch: Batch) -> "Products":
        """Draw the numbers, and bring the indices in order, for a batch of which parts are hidden as in training."""
        path, rating, n_types = network.consumption, network.rating, len(network.consumption.convolution)
        assert rating is not None
        n_items, width = path.decoder.shape
        dense = path.decoder.detach(), torch.randn(batch.n_rows, width), torch.randn(batch.n_rows, n_items)
        hidden = torch.rand(len(batch.rows)) < TrainConfig().mask
        seen, asked = batch.keep(~hidden), batch.keep(hidden)
        cells, n_cells = seen.rows * n_types + seen.channels, seen.n_rows * n_types
        bags = [_bag(each.encoder.table.detach(), seen, cells, n_cells, None) for each in (path, rating)]
        bags.append(_bag(rating.encoder.table.detach(), seen, seen.rows, seen.n_rows, torch.randn(len(seen.rows))))
        return cls(dense, bags, _pairs(rating.decoder.detach(), asked))


def _bag(
    table: Tensor, batch: Batch, cells: Tensor, n_cells: int, weights: Tensor | None
) -> tuple[Triple, Triple, Tensor | None]:
    flat, order = table.flatten(1), torch.argsort(batch.items, stable=True)
    forward = batch.items, flat, _starts(cells, n_cells)
    backward = cells[order], torch.randn(n_cells, flat.shape[1]), _starts(batch.items[order], len(flat))
    return forward, backward, weights


def _pairs(decoder: Tensor, batch: Batch) -> tuple[Any, Any, Any, Any]:
    C, width, order = decoder.shape[1], decoder.shape[2], torch.argsort(batch.items, stable=True)
    z, n = torch.randn(batch.n_rows, width), len(batch.rows)
    places = (batch.items[:, None] * C + torch.arange(C)).flatten()
    of_users = places, decoder.flatten(0, 1), _starts(batch.rows, batch.n_rows) * C, torch.randn(n * C)
    of_items = batch.rows[order], z, _starts(batch.items[order], len(decoder)), torch.randn(n)
    return (batch.items, decoder.flatten(1)), (batch.rows, z), of_users, of_items


def _sums(where: Tensor, table: Tensor, starts: Tensor, weights: Tensor | None) -> Tensor:
    return functional.embedding_bag(where, table, starts, mode="sum", per_sample_weights=weights)


def _starts(rows: Tensor, n_rows: int) -> Tensor:
    count = torch.bincount(rows, minlength=n_rows)
    return torch.cumsum(count, 0) - count


def step(interactions: Interactions, types: InteractionTypes, config: Config) -> dict[str, float]:
    """Seconds of a step and of its products, and their ratios."""
    network = Network(config.model, Statistics.of(interactions, types)).train()
    run = _Run(network, interactions, types, config.train, None)
    users = torch.randperm(interactions.n_users, generator=torch.Generator().manual_seed(0))[: BATCHES * USERS]
    batches = [run.data.data.batch(some) for some in users.view(BATCHES, USERS)]  # type: ignore[attr-defined]
    products = [Products.of(network, batch) for batch in batches]
    jobs: dict[str, Callable[[], object]] = {
        "step": lambda: deque((run.step(Share(batch, USERS)) for batch in batches), 0),
        "dense": lambda: deque(map(partial(Products.dense, times=torch.mm), products), 0),
        "dense_by_onednn": lambda: deque(map(partial(Products.dense, times=product), products), 0),
        "sparse": lambda: deque(map(Products.sparse, products), 0),
    }
    with kept_memory():  # as training does; for all of them
        seconds = {name: value / len(batches) for name, value in in_turns(jobs).items()}
    return seconds | {
        "to_products": seconds["step"] / (seconds["dense"] + seconds["sparse"]),
        "to_products_by_onednn": seconds["step"] / (seconds["dense_by_onednn"] + seconds["sparse"]),
    }


def _times(n: int, job: Callable[[], object]) -> None:
    for _ in range(n):
        job()


def steps(parts: Any, config: Config) -> dict[str, Any]:
    """Of ML-1M, and of a catalogue of 50,000 items, 100 interactions a user."""
    vocabulary = parts.known.vocabulary()
    real = Interactions.from_ratings(parts.split.train, vocabulary)
    rng, n_items = np.random.default_rng(0), 50_000
    share = 1.0 / (np.arange(n_items) + 50.0)
    items = rng.choice(n_items, size=(1000, 100), p=share / share.sum()).astype(np.int32)
    users = np.repeat(np.arange(1000, dtype=np.int32), 100)
    channels = rng.integers(0, 5, items.size).astype(np.uint8)
    large = Interactions.from_triples(users, items.ravel(), channels, n_users=1000, n_items=n_items)
    return {
        "3706": step(real, vocabulary.types, config),
        "50000": step(large, InteractionTypes.of([1, 2, 3, 4, 5]), config),
    }


def lists(model: Conv4Rec) -> dict[str, float]:
    """The best 100 for everybody, lists alone and with the law beside each item, against product and argpartition."""
    users, rng = model.vocabulary.users.values.to_list(), np.random.default_rng(0)
    z = rng.normal(size=(len(users), 256)).astype(np.float32)
    decoder = rng.normal(size=(256, len(model.vocabulary.items))).astype(np.float32)
    jobs: dict[str, Callable[[], object]] = {
        "lists": lambda: model.recommend(users, K, law=False),
        "with_law": lambda: model.recommend(users, K),
        "floor": lambda: np.argpartition(-(z @ decoder), K, axis=1)[:, :K],
    }
    seconds = in_turns(jobs)
    return seconds | {
        "ratio": seconds["lists"] / seconds["floor"],
        "ratio_with_law": seconds["with_law"] / seconds["floor"],
    }


def one(model: Conv4Rec) -> dict[str, float]:
    """A list of 20 for one posted history, against one forward pass of the law of consumption of that user."""
    user = model.vocabulary.users.values[7]
    known = model.history_of(user)
    history = dict(zip(known["item_id"].to_list(), known["rating"].to_list(), strict=True))
    interactions = model._known_histories().select(model.vocabulary.users.indices([user]))
    jobs: dict[str, Callable[[], object]] = {
        "recommend_for": lambda: _times(20, lambda: model.recommend_for(history, 20)),
        "forward": lambda: _times(20, lambda: model.predictor.predict(interactions).type_law.grid()),
    }
    seconds = {name: value / 20 for name, value in in_turns(jobs).items()}
    return seconds | {"ratio": seconds["recommend_for"] / seconds["forward"]}


def lists_elsewhere(model: Conv4Rec) -> dict[str, float]:
    """`lists` in a new process, which reads the model."""
    with TemporaryDirectory() as folder:
        model.save(Path(folder) / "model")
        command = [sys.executable, "-m", "benchmarks.speed", "--model", str(Path(folder) / "model")]
        told: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return told


def main() -> None:
    """Measure what was asked for, and write it beside what was measured before."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["step", "lists", "one"], nargs="*")
    parser.add_argument("--model", type=Path, help="tell what lists of this saved model take, and nothing else")
    arguments = parser.parse_args()
    if arguments.model:
        print(json.dumps(lists(Conv4Rec.load(arguments.model))))
        return
    wanted = arguments.only or ["step", "lists", "one"]
    config, parts = Config(), load_parts("ml-1m", Config())
    result = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    if "step" in wanted:
        result["step"] = steps(parts, config)
    if {"lists", "one"} & set(wanted):
        started = time.perf_counter()
        model = Conv4Rec(config).fit_split(parts.split, parts.known)
        result["fit_of_these"] = {"seconds": time.perf_counter() - started, "validation": model.origin.validation}
        if "lists" in wanted:
            result["lists"] = {"after_fit": lists(model), "read": lists_elsewhere(model)}
        if "one" in wanted:
            result["one"] = one(model)
    result |= {"command": " ".join(sys.argv), "machine": machine()}
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
