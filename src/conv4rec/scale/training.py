"""Training on several workers: `conv4rec.training.train` in every one of them, under Ray Train.

Item tables that do not fit one worker are sharded: each has the rows of its items, and reads them from a file, so that
no worker ever has a whole table. Only the process that was asked holds the weights as a whole, once.
"""

import tempfile
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conv4rec.checkpoint import Checkpoint, best_weights, read_checkpoint, read_epochs, write_checkpoint
from conv4rec.config import ModelConfig, TrainConfig
from conv4rec.data.interactions import Interactions
from conv4rec.data.shards import Shards
from conv4rec.errors import TrainingError
from conv4rec.evaluation import Validation
from conv4rec.model.initial import blank_network
from conv4rec.model.network import Network
from conv4rec.scale.cluster import cluster, cores_each
from conv4rec.training import Epoch, Listener, Silent, TrainingResult, train
from conv4rec.training.schedule import choose_device, choose_softmax
from conv4rec.training.source import Source
from conv4rec.training.tables import choose_tables, part_of, share_tables
from conv4rec.training.world import World
from conv4rec.vocabulary import InteractionTypes

LOOK_EVERY = 0.5
"""Seconds between two looks at how far the workers are."""


@dataclass(frozen=True)
class _Start:
    """A network before training that no worker has as a whole: its weights are in a file that all can read."""

    config: ModelConfig
    n_items: int
    distinct: bool
    weights: Path

    @classmethod
    def of(cls, network: Network, weights: Path) -> "_Start":
        write_checkpoint(weights, Checkpoint(network.state_dict(), None, {}, [], 0, "before training"))
        return cls(network.config, len(network.consumption.bias), network.consumption.distinct, weights)

    def own_part(self, types: InteractionTypes, device: str) -> Network:
        """The network with the rows of this worker's items."""
        network = blank_network(self.config, self.n_items, types, any_repeated=not self.distinct)
        share_tables(network, World.here(), choose_device(device))
        network.load_state_dict(read_checkpoint(self.weights, part_of(network)).network, assign=True)
        return network


@dataclass(frozen=True)
class _Task:
    """What a worker does; every worker gets the same."""

    network: Network | _Start
    interactions: Interactions | Shards | Source
    types: InteractionTypes
    config: TrainConfig
    validation: Validation | None
    checkpoint: Path


@dataclass(frozen=True)
class RayTraining:
    """Trains as `conv4rec.training.train` does, in `workers` processes on one machine or many.

    The checkpoint of an epoch is that of a run without Ray: such a run may go on from it, with any number of workers.

    Attributes:
        workers: how many processes; each takes its part of every batch.
        address: of a running cluster; None starts Ray on this machine.
        max_failures: how often workers may die; each time all start again from the last epoch that was completed.
    """

    workers: int
    address: str | None = None
    max_failures: int = 3

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
    ) -> TrainingResult:
        """As `conv4rec.training.train`; all machines must see the folder of `checkpoint` under the same path.

        Raises:
            TrainingError: as there; too few cores or GPUs; or workers died more than `max_failures` times.
            MissingExtraError: Ray is not installed.
        """
        listener = Silent() if listener is None else listener
        with tempfile.TemporaryDirectory() as scratch, cluster(self.workers, self.address) as ray:
            path = Path(scratch) / "checkpoint" if checkpoint is None else checkpoint.absolute()
            path.parent.mkdir(parents=True, exist_ok=True)
            if not resume:
                path.unlink(missing_ok=True)
            told, tables = len(read_epochs(path)[0]), choose_tables(network, config, self.workers)
            listener.on_stage(f"starting {self.workers} Ray workers, then epoch")
            with ThreadPoolExecutor(1) as beside, tempfile.TemporaryDirectory(dir=path.parent) as storage:
                start = _Start.of(network, Path(storage) / "start") if tables.sharded else network
                task = _Task(start, interactions, types, self._on_device(config, ray), validation, path)
                run = beside.submit(self._fit, ray, task, storage)
                _follow(run, path, told, listener)
            return _finish(network, path, config, tables.told)

    def _on_device(self, config: TrainConfig, ray: Any) -> TrainConfig:
        """CUDA where it is asked for, or `auto`, and every worker can have a device of its own."""
        enough = ray.cluster_resources().get("GPU", 0) >= self.workers
        if config.device.startswith("cuda") and not enough:
            raise TrainingError(f"train.device = {config.device}: the cluster has no GPU for each of {self.workers}")
        return config.model_copy(update={"device": "cuda" if enough and config.device != "cpu" else "cpu"})

    def _fit(self, ray: Any, task: _Task, storage: str) -> None:
        from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
        from ray.train.torch import TorchConfig, TorchTrainer

        on_gpu = task.config.device == "cuda"
        trainer = TorchTrainer(
            _work,
            train_loop_config={"task": ray.put(task)},
            torch_config=TorchConfig(backend="cpu:gloo,cuda:nccl" if on_gpu else "gloo"),
            scaling_config=ScalingConfig(
                num_workers=self.workers,
                use_gpu=on_gpu,
                resources_per_worker={"CPU": cores_each(ray, self.workers), **({"GPU": 1} if on_gpu else {})},
            ),
            run_config=RunConfig(
                name="run", storage_path=storage, failure_config=FailureConfig(max_failures=self.max_failures)
            ),
        )
        try:
            fault = trainer.fit().return_value
        except TrainingFailedError as error:
            reason = str(error).strip().splitlines()[-1]
            raise TrainingError(f"workers died more than {self.max_failures} times, at last: {reason}") from None
        if fault is not None:
            raise TrainingError(fault)


def _work(settings: dict[str, Any]) -> str | None:
    """What every worker runs; an error that would come again is given back, so that Ray does not try again."""
    import ray

    task: _Task = ray.get(settings["task"])
    start, device = task.network, task.config.device
    try:
        train(
            start if isinstance(start, Network) else start.own_part(task.types, device),
            task.interactions,
            task.types,
            task.config,
            validation=task.validation,
            checkpoint=task.checkpoint,
            resume=True,
        )
    except TrainingError as error:
        return str(error)
    return None


def _follow(run: Future[None], path: Path, told: int, listener: Listener) -> None:
    """Tell the listener of epochs after the first `told` as they are completed; the error of the run is raised."""
    while True:
        over = bool(wait([run], timeout=LOOK_EVERY).done)
        epochs, best = read_epochs(path)
        for epoch in epochs[told:]:
            listener.on_epoch(Epoch(**epoch), is_best=epoch["number"] == best)
        told = max(told, len(epochs))
        if over:
            return run.result()


def _finish(network: Network, path: Path, config: TrainConfig, tables: str) -> TrainingResult:
    """What one process would have left: the best weights in the network, and the course of the run."""
    told, best_epoch = read_epochs(path)
    weights = network.state_dict()
    for name, value in best_weights(path):
        weights[name].copy_(value)
    network.eval()
    epochs = tuple(Epoch(**epoch) for epoch in told)
    seconds = sum(epoch.seconds for epoch in epochs)
    softmax = choose_softmax(config.softmax, len(network.consumption.bias))
    return TrainingResult(epochs, best_epoch, seconds, softmax, tables)
