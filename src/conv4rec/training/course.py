"""What a run tells while it goes, and what remains of it."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Epoch:
    """What one pass over the users showed. Losses are nats per masked interaction, `seconds` include validation."""

    number: int
    loss_consume: float
    loss_rating: float
    validation: dict[str, float]
    seconds: float
    weights: dict[str, float] = field(default_factory=dict)
    """Mean and quantiles of w+ over unlabelled items, where `train.denoise` is at work: docs/denoising.md."""


@dataclass(frozen=True)
class TrainingResult:
    """The epochs of a run, and the number of the one whose weights were kept."""

    epochs: tuple[Epoch, ...]
    best_epoch: int
    seconds: float = field(compare=False)
    softmax: str = "exact"
    """`exact` or `sampled`, as chosen."""
    item_tables: str = ""
    """Of several workers: whether each has all item tables, and why; nothing for one process."""


class Listener(Protocol):
    """Hears of progress; a progress bar is one."""

    def on_batch(self, *, epoch: int, epochs: int, done: int, total: int, loss: float) -> None: ...

    def on_epoch(self, epoch: Epoch, *, is_best: bool) -> None: ...

    def on_stage(self, name: str) -> None: ...


class Silent:
    """A listener that does nothing."""

    def on_batch(self, *, epoch: int, epochs: int, done: int, total: int, loss: float) -> None: ...

    def on_epoch(self, epoch: Epoch, *, is_best: bool) -> None: ...

    def on_stage(self, name: str) -> None: ...
