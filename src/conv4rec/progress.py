"""A progress bar for training, on standard error."""

from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from conv4rec.training import Epoch

SHOWN = ("ndcg@20", "rmse", "nll")


class ProgressBar:
    """Listens to training and shows loss, validation figures and the remaining time.

    Example:
        with ProgressBar() as bar:
            model.fit("ml-100k", listener=bar)
    """

    def __init__(self, *, console: Console | None = None) -> None:
        self.console = Console(stderr=True) if console is None else console
        self.progress = Progress(
            TextColumn("{task.description} {task.completed:.0f}/{task.total:.0f}"),
            BarColumn(bar_width=8),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=self.console,
        )
        self.task: TaskID = self.progress.add_task("epoch", total=1, figures="")
        self.validation = ""

    def __enter__(self) -> "ProgressBar":
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def on_batch(self, *, epoch: int, epochs: int, done: int, total: int, loss: float) -> None:
        """Move the bar by a fraction of an epoch."""
        figures = f"loss {loss:.2f}{self.validation}"
        self.progress.update(self.task, total=epochs, completed=epoch - 1 + done / total, figures=figures)

    def on_epoch(self, epoch: Epoch, *, is_best: bool) -> None:  # noqa: ARG002
        """Show what validation gave."""
        shown = [f"{name} {epoch.validation[name]:.3f}" for name in SHOWN if name in epoch.validation]
        self.validation = "; held out " + " ".join(shown) if shown else ""
        loss = epoch.loss_consume + epoch.loss_rating
        self.progress.update(self.task, completed=epoch.number, figures=f"loss {loss:.2f}{self.validation}")

    def on_pass(self, number: int, of: int, figures: str) -> None:
        """Show a pass of compression."""
        self.progress.update(self.task, description="compress", total=of, completed=number, figures=figures)

    def on_stage(self, name: str) -> None:
        """Say what is done after the epochs."""
        self.progress.update(self.task, description=name)
