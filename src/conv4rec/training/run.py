"""A run of training: passes over the users, early stopping, checkpoints that a killed run goes on from."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from conv4rec.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from conv4rec.config import TrainConfig
from conv4rec.data.interactions import Interactions
from conv4rec.data.shards import Shards
from conv4rec.errors import TrainingError
from conv4rec.evaluation import Validation, validate
from conv4rec.model.held import AllItems
from conv4rec.model.network import Network
from conv4rec.model.predictor import NetworkPredictor
from conv4rec.model.softmax import CELLS, Proposal
from conv4rec.training.course import Epoch, Listener, Silent, TrainingResult
from conv4rec.training.memory import kept_memory
from conv4rec.training.penalties import Penalty
from conv4rec.training.schedule import (
    choose_batch_size,
    choose_device,
    choose_epochs,
    choose_softmax,
    make_optimizer,
    speed,
)
from conv4rec.training.source import InMemory, Source
from conv4rec.training.step import Step
from conv4rec.training.streamed import Streamed
from conv4rec.training.tables import choose_tables, part_of, share_tables
from conv4rec.training.unlabelled import UnlabelledTerm
from conv4rec.training.world import World
from conv4rec.vocabulary import InteractionTypes

HIGHER_IS_BETTER = ("ndcg@20",)
WHERE = ("device", "item_tables", "memory_mb")
"""Settings that do not change what is trained: a run may go on with others."""


class Trainer(Protocol):
    """Whatever trains a network as `train` does: in this process, or in many."""

    def __call__(
        self,
        network: Network,
        interactions: Interactions | Shards | Source,
        types: InteractionTypes,
        config: TrainConfig,
        *,
        validation: Validation | None = None,
        listener: Listener | None = None,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> TrainingResult: ...


def train(
    network: Network,
    interactions: Interactions | Shards | Source,
    types: InteractionTypes,
    config: TrainConfig,
    *,
    validation: Validation | None = None,
    listener: Listener | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
) -> TrainingResult:
    """Fit `network` in place and leave it with the weights of the best validated epoch (the last without validation).

    Where torch.distributed joins several processes, each calls this with the same arguments, takes its part of every
    batch, and ends with the same model; the first one writes the checkpoints. Where item tables are sharded, each takes
    all of a batch, and ends with its part of the network; the checkpoint has the whole.

    Args:
        network: as initialised; on a resumed run its weights are replaced.
        interactions: the training interactions, or where batches of them come from.
        types: what the channels of `interactions` are.
        config: see TrainConfig.
        validation: decides when to stop; None trains for all of `config.epochs`.
        listener: hears of every batch and epoch.
        checkpoint: file written after every epoch.
        resume: go on from `checkpoint` if it is there; the result is that of an unbroken run.

    Raises:
        TrainingError: the loss is not finite, or the checkpoint is of another run.
    """
    run = _Run(network, interactions, types, config, validation)
    listener = Silent() if listener is None else listener
    if resume and checkpoint is not None and checkpoint.exists():
        run.restore(read_checkpoint(checkpoint, run.part))
    with kept_memory():
        while not run.finished:
            epoch = run.run_epoch(listener)
            if checkpoint is not None:
                run.write(checkpoint)
            listener.on_epoch(epoch, is_best=run.best_epoch == epoch.number)
    return run.close()


class _Run:
    """The state of a run between two epochs. Everything random in an epoch follows from the seed and its number."""

    def __init__(
        self,
        network: Network,
        interactions: Interactions | Shards | Source,
        types: InteractionTypes,
        config: TrainConfig,
        validation: Validation | None,
    ) -> None:
        self.device = choose_device(config.device)
        self.world = World.here()
        if isinstance(network.consumption.held, AllItems) and choose_tables(network, config, self.world.size).sharded:
            share_tables(network, self.world, self.device)
        held, bias = network.consumption.held, network.consumption.bias
        self.users = self.world if isinstance(held, AllItems) else World()  # who share the users of a batch
        self.network = network.to(self.device)
        self.data = _source(interactions, self.device)
        self.types, self.config = types, config
        self.validation = None if validation is None else validation.sample(config.validation_users, config.seed)
        self.n_epochs = choose_epochs(config.epochs, self.data.n_interactions)
        self.learning_rate = config.learning_rate * speed(self.data.n_interactions)
        self.softmax = choose_softmax(config.softmax, held.n_items(len(bias)))
        sampled = self.softmax == "sampled"
        network.lean(sampled)
        whole = choose_batch_size(config.batch_size, self.data.n_users) * len(bias) <= CELLS  # or it is taken in blocks
        network.by_column(not sampled and whole)
        self.optimizer = make_optimizer(network, config, self.data.n_interactions, lean=sampled)
        network.zero_grad()  # a step leaves no gradients behind; a network may come with some
        self.unlabelled = UnlabelledTerm(network.consumption, self.optimizer, config, self.users, self.n_epochs)
        covers = torch.from_numpy(types.covers).to(self.device)
        proposal = Proposal(held.join(bias.detach()[None])[0].exp(), config.draws) if sampled else None
        penalty = Penalty(network, config)
        alone = self.world.size == 1 and config.denoise == "none" and not penalty.weighs
        network.move_by(self.optimizer.moments if alone else None)
        self.step = Step(network, self.optimizer, covers, config, self.users, self.unlabelled, penalty, proposal)
        self.part = part_of(network, self.optimizer)
        self.epochs: list[Epoch] = []
        self.best_epoch = 0
        self.best: dict[str, Tensor] | None = None  # None: the weights as they are

    @property
    def finished(self) -> bool:
        waited = len(self.epochs) - self.best_epoch
        return len(self.epochs) >= self.n_epochs or waited >= self.config.patience

    def run_epoch(self, listener: Listener) -> Epoch:
        started, number = time.perf_counter(), len(self.epochs) + 1
        if self.best is None and self.validation is not None:
            self.best = self._weights()
        self.network.train()
        self._set_learning_rate(number)
        self.unlabelled.begin(number)
        with _seeded(self.config.seed, number, self.device), _deterministic(self.device):
            consume, rating = self._pass_over_users(number, listener)
        measured = self._validate()
        weights = self.unlabelled.close(measured)
        epoch = Epoch(number, consume, rating, measured, time.perf_counter() - started, weights)
        self.epochs.append(epoch)
        if self._is_best(epoch):
            self.best_epoch, self.best = number, None
        return epoch

    def state(self) -> Checkpoint:
        return Checkpoint(
            network={name: value.detach().cpu() for name, value in self.network.state_dict().items()},
            best=self.best,
            optimizer=self.optimizer.state_dict(),
            epochs=[asdict(epoch) for epoch in self.epochs],
            best_epoch=self.best_epoch,
            fingerprint=self._fingerprint(),
        )

    def write(self, checkpoint: Path) -> None:
        """The first process writes; where tables are sharded, the others give it theirs."""
        if self.part is not None:
            write_checkpoint(checkpoint, self.state(), self.part, self.world.collect)
        elif self.world.rank == 0:
            write_checkpoint(checkpoint, self.state())

    def restore(self, saved: Checkpoint) -> None:
        if saved.fingerprint != self._fingerprint():
            raise TrainingError(
                "the checkpoint is of a run with other data or settings: "
                f"it has {saved.fingerprint}, this run {self._fingerprint()}; remove it or train without resume"
            )
        self.network.load_state_dict(saved.network)
        self.optimizer.load_state_dict(saved.optimizer)
        self.epochs = [Epoch(**epoch) for epoch in saved.epochs]
        self.best_epoch, self.best = saved.best_epoch, saved.best

    def close(self) -> TrainingResult:
        if self.best is not None:
            self.network.load_state_dict(self.best)
        self.network.lean(False)
        self.network.by_column(False)
        self.network.move_by(None)
        self.network.eval()
        seconds = sum(epoch.seconds for epoch in self.epochs)
        return TrainingResult(tuple(self.epochs), self.best_epoch, seconds, self.softmax)

    def _pass_over_users(self, number: int, listener: Listener) -> tuple[float, float]:
        totals, done, n_users = torch.zeros(4, dtype=torch.float64), 0, self.data.n_users
        for share in self.data.shares(choose_batch_size(self.config.batch_size, n_users), self.users):
            sums = self.step(share)
            if not sums.isfinite().all():
                raise TrainingError(
                    f"epoch {number}: the loss is {_mean(sums[0], sums[1]):g}; lower train.learning_rate "
                    f"(now {self.config.learning_rate:g}) or check the data"
                )
            totals += sums
            done += share.n_users
            loss = _mean(totals[0], totals[1]) + _mean(totals[2], totals[3])
            listener.on_batch(epoch=number, epochs=self.n_epochs, done=done, total=n_users, loss=loss)
        return _mean(totals[0], totals[1]), _mean(totals[2], totals[3])

    def _set_learning_rate(self, number: int) -> None:
        """Linear decay, from the full rate in the first epoch to one step above zero in the last."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * (1 - (number - 1) / self.n_epochs)

    def _validate(self) -> dict[str, float]:
        if self.validation is None:
            return {}
        return self.world.agree(validate(NetworkPredictor(self.network, self.types), self.validation))

    def _is_best(self, epoch: Epoch) -> bool:
        name = self.config.monitor
        if epoch.validation and name not in epoch.validation:
            raise TrainingError(
                f"train.monitor = {name}: not defined on these data; expected {', '.join(epoch.validation)}"
            )
        if not epoch.validation or self.best_epoch == 0:
            return True
        now, before = epoch.validation[name], self.epochs[self.best_epoch - 1].validation[name]
        return now > before if name in HIGHER_IS_BETTER else now < before

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()}

    def _fingerprint(self) -> str:
        held_out = "none" if self.validation is None else self.validation.targets.fingerprint()
        settings = self.config.model_dump(exclude=set(WHERE)) | self.network.config.model_dump()
        return f"data {self.data.fingerprint}, validation {held_out}, settings {settings}"


def _source(data: Interactions | Shards | Source, device: torch.device) -> Source:
    if isinstance(data, Interactions):
        return InMemory.of(data, device)
    return Streamed(data, device) if isinstance(data, Shards) else data


@contextmanager
def _seeded(seed: int, epoch: int, device: torch.device) -> Iterator[None]:
    """Random numbers that depend on the seed and the epoch alone; the caller's generators are left as they were."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed * 1_000_003 + epoch)
        yield


@contextmanager
def _deterministic(device: torch.device) -> Iterator[None]:
    """On CUDA, sums in a fixed order instead of the order of arrival; on the CPU they are so already.

    cuBLAS reads its part from the environment when it starts, so that a program that used CUDA before must set
    CUBLAS_WORKSPACE_CONFIG itself.
    """
    if device.type != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def _mean(total: Tensor, count: Tensor) -> float:
    return float(total / count.clamp(min=1))
