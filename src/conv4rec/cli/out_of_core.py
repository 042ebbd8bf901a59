"""`conv4rec train` for ratings that do not fit into memory: shards on disk, then a model from them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from conv4rec.cli.output import print_json, print_metrics

if TYPE_CHECKING:
    from conv4rec.config import Config
    from conv4rec.data.shards import Shards
    from conv4rec.evaluation import Report
    from conv4rec.recommender import Conv4Rec
    from conv4rec.training import Trainer

BYTES = 160
"""Of memory for a rating while a folder is read and trained on in memory: measured in docs/scale.md."""


def shards_folder(data: Sequence[str], asked: Path | None, model: Path, settings: "Config") -> Path | None:
    """Where the shards go; None where the ratings are trained on in memory. A decision of ours is printed."""
    folder = Path(data[0])
    if len(data) > 1 or not folder.is_dir():
        return asked if asked is None else _refuse(data)
    if asked is not None:
        return asked
    from conv4rec.data.pieces import ParquetFolder, has_parquet

    if not has_parquet(folder):
        return None
    rows, limit = ParquetFolder.open(folder, settings.data).n_rows, settings.data.memory_mb
    need = rows * BYTES / (1 << 20)
    target = model.with_name(f"{model.name}.shards") if need > limit else None
    where = "in memory" if target is None else f"by shards in {target}"
    _say(f"{rows:,} rows need about {need:,.0f} MiB of memory, data.memory_mb is {limit:,}: training {where}")
    return target


def train(
    source: Path,
    target: Path,
    model: Path,
    settings: "Config",
    trainer: "Trainer | None",
    *,
    resume: bool,
    as_json: bool,
) -> None:
    """Make the shards unless they are there, train on them, measure on what is held out, save the model."""
    from conv4rec.data.sharding import shards_of
    from conv4rec.progress import ProgressBar
    from conv4rec.recommender import Conv4Rec
    from conv4rec.training import train as in_this_process

    shards = shards_of(source, target, settings.data, settings.split, tell=_say)
    checkpoint = model.with_name(f"{model.name}.checkpoint")
    with ProgressBar() as bar:
        fitted = Conv4Rec(settings)
        run = in_this_process if trainer is None else trainer
        fitted.fit_shards(shards, trainer=run, listener=bar, checkpoint=checkpoint, resume=resume)
    fitted.save(model)
    checkpoint.unlink(missing_ok=True)
    _tell(fitted, shards, _measure(fitted, shards), model, as_json=as_json)


def _measure(fitted: "Conv4Rec", shards: "Shards") -> "Report | None":
    from conv4rec.evaluation import evaluate

    held = shards.held_out()
    if not len(held.test):
        return None
    return evaluate(fitted.predictor, held.history, held.test, fitted.config.evaluate, exclude=held.validation)


def _tell(fitted: "Conv4Rec", shards: "Shards", report: "Report | None", model: Path, *, as_json: bool) -> None:
    training, test = fitted.training, {} if report is None else {"test": report.metrics}
    notes = [*shards.notes, "the model holds no histories: it answers posted ones"]
    notes += [training.item_tables] if training.item_tables else []
    if as_json:
        told: dict[str, Any] = {
            "model": str(model),
            "data": shards.name,
            "shards": str(shards.folder),
            "fit_seconds": round(training.seconds, 3),
            "epochs": len(training.epochs),
            "best_epoch": training.best_epoch,
            "metrics": {"validation": fitted.origin.validation, **test},
            "counts": {} if report is None else report.counts,
            "notes": [*notes, *(() if report is None else report.notes)],
            "config": fitted.config.model_dump(mode="json"),
        }
        print_json(told)
        return
    console = Console()
    for note in notes:
        console.print(note, style="dim", highlight=False, markup=False)
    if report is not None:
        print_metrics(report.metrics, report.notes)
    kept = f"epoch {training.best_epoch} of {len(training.epochs)} kept"
    console.print(f"{kept}, {training.seconds:.0f} s; saved to {model}", highlight=False, markup=False)


def _refuse(data: Sequence[str]) -> Path:
    from conv4rec.errors import DataError

    raise DataError(f"--shards: {', '.join(data)} is not one folder of Parquet files")


def _say(text: str) -> None:
    Console(stderr=True).print(text, highlight=False, markup=False)
