"""`conv4rec train`: ratings in, test figures and a model file out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from conv4rec.cli import options, out_of_core
from conv4rec.cli.output import download_bar, print_json, print_metrics, print_warnings
from conv4rec.errors import DataError

if TYPE_CHECKING:
    from conv4rec.config import Config
    from conv4rec.data.parts import Parts
    from conv4rec.evaluation import Report
    from conv4rec.recommender import Conv4Rec
    from conv4rec.training import Trainer

Figures = dict[str, dict[str, float]]


@dataclass(frozen=True)
class _Run:
    """A model, the window it was fitted on, and its test figures where there is a test part."""

    fitted: "Conv4Rec"
    parts: "Parts"
    report: "Report | None"

    @property
    def metrics(self) -> Figures:
        validation = {"validation": self.fitted.origin.validation}
        return validation if self.report is None else validation | {"test": self.report.metrics}


def train(
    data: options.Sources,
    test: options.TestSource = None,
    query: options.Query = None,
    model: Annotated[Path, typer.Option("--model", "-m", help="Where to save the model.")] = Path("model.conv4rec"),
    recipe: options.Recipe = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint of a killed run.")] = False,
    shards: Annotated[
        Path | None, typer.Option("--shards", help="Train from disk, by shards in this folder; see docs/scale.md.")
    ] = None,
    workers: options.Workers = None,
    address: options.Address = None,
    config: options.Toml = None,
    set_: options.Sets = None,
    as_json: options.Json = False,
) -> None:
    """Train on ratings, measure on held-out data, save the model.

    The network sees the train part alone; the validation part decides when to stop; the test part is used once, at the
    end. The saved model knows all interactions as the users' histories. With rolling windows a model is trained for
    each, figures are means over them, and the model of the last window is saved. Sources that are given together are
    joined: --data ml-1m --data sqlite:///conv4rec.db adds the feedback in a store, whose erased users are left out.

    A folder of Parquet files that is larger than data.memory_mb is trained from disk, by shards. With --workers the
    training runs in several processes, on this machine or a Ray cluster.
    """
    from conv4rec.recipes import load_windows, recipe_notes

    settings = options.settings(config, recipe, set_)
    trainer = options.trainer(workers, address)
    target = out_of_core.shards_folder(data, shards, model, settings)
    if target is not None:
        if test is not None or query is not None or recipe is not None:
            raise DataError("training by shards splits by random: give no --test, --query or --recipe")
        out_of_core.train(Path(data[0]), target, model, settings, trainer, resume=resume, as_json=as_json)
        return
    with download_bar() as progress:
        source = data[0] if len(data) == 1 else data
        windows = load_windows(source, recipe, settings, test=test, query=query, progress=progress)
    warnings = _warnings(windows)
    print_warnings(warnings)
    runs = [
        _run(settings, parts, model, trainer, window=f".window{number}" if len(windows) > 1 else "", resume=resume)
        for number, parts in enumerate(windows, start=1)
    ]
    notes = (*windows[-1].known.notes, *(() if recipe is None else recipe_notes(recipe, settings)))
    if as_json:
        about = {"model": str(model), "data": windows[-1].known.name, "recipe": recipe}
        print_json(about | _told(runs, notes) | {"warnings": warnings, "config": settings.model_dump(mode="json")})
    else:
        _tell(runs, notes, model)


def fit_and_save(
    settings: "Config",
    parts: "Parts",
    model: Path,
    trainer: "Trainer | None" = None,
    *,
    window: str = "",
    resume: bool = False,
) -> "Conv4Rec":
    """Fit with a progress bar on standard error and a checkpoint beside the model, which the saved model replaces.

    `window` goes into the name of the checkpoint, where several models are fitted one after the other; `trainer` is
    None for this process.
    """
    from conv4rec.progress import ProgressBar
    from conv4rec.recommender import Conv4Rec
    from conv4rec.training import train as in_this_process

    checkpoint = model.with_name(f"{model.name}{window}.checkpoint")
    if resume and not checkpoint.exists():
        Console(stderr=True).print(f"no checkpoint {checkpoint}: starting anew", highlight=False, markup=False)
    with ProgressBar() as bar:
        fitted = Conv4Rec(settings)
        run = in_this_process if trainer is None else trainer
        fitted.fit_split(parts.split, parts.known, trainer=run, listener=bar, checkpoint=checkpoint, resume=resume)
    fitted.save(model)
    checkpoint.unlink(missing_ok=True)
    return fitted


def _run(
    settings: "Config", parts: "Parts", model: Path, trainer: "Trainer | None", *, window: str, resume: bool
) -> _Run:
    fitted = fit_and_save(settings, parts, model, trainer, window=window, resume=resume)
    return _Run(fitted, parts, None if parts.split.test is None else fitted.evaluate(parts.split.test))


def _warnings(windows: "Sequence[Parts]") -> list[str]:
    prefixes = [f"window {number}: " if len(windows) > 1 else "" for number in range(1, len(windows) + 1)]
    return [f"{prefix}{text}" for prefix, parts in zip(prefixes, windows, strict=True) for text in parts.split.warnings]


def _told(runs: Sequence[_Run], notes: Sequence[str]) -> dict[str, Any]:
    if len(runs) == 1:
        alone = _told_run(runs[0])
        return alone | {"notes": [*notes, *alone["notes"]]}
    return {
        "fit_seconds": round(sum(run.fitted.training.seconds for run in runs), 3),
        "metrics": _means(runs),
        "windows": [_told_run(run) for run in runs],
        "notes": [*notes, f"metrics: plain mean over {len(runs)} windows; saved: the model of the last one"],
    }


def _told_run(run: _Run) -> dict[str, Any]:
    training, report = run.fitted.training, run.report
    return {
        "fit_seconds": round(training.seconds, 3),
        "epochs": len(training.epochs),
        "best_epoch": training.best_epoch,
        "softmax": training.softmax,
        **({"item_tables": training.item_tables} if training.item_tables else {}),
        "metrics": run.metrics,
        "counts": {} if report is None else report.counts,
        "notes": [run.parts.split.recipe, *(() if report is None else report.notes)],
    }


def _means(runs: Sequence[_Run]) -> Figures:
    """Plain means over windows, of the figures that all of them have."""
    figures = [run.metrics for run in runs]
    return {
        part: {
            name: sum(each[part][name] for each in figures) / len(runs)
            for name in figures[0][part]
            if all(name in each[part] for each in figures)
        }
        for part in figures[0]
    }


def _tell(runs: Sequence[_Run], notes: Sequence[str], model: Path) -> None:
    console, training = Console(), runs[-1].fitted.training
    for note in (*notes, *(run.parts.split.recipe for run in runs)):
        console.print(note, style="dim", highlight=False, markup=False)
    if len(runs) > 1:
        _tell_windows(console, runs)
    elif runs[0].report is not None:
        print_metrics(runs[0].report.metrics, runs[0].report.notes)
    if training.item_tables:
        console.print(training.item_tables, style="dim", highlight=False, markup=False)
    kept = f"{training.softmax} softmax; epoch {training.best_epoch} of {len(training.epochs)} kept"
    seconds = sum(run.fitted.training.seconds for run in runs)
    console.print(f"{kept}, {seconds:.0f} s; saved to {model}", highlight=False, markup=False)


def _tell_windows(console: Console, runs: Sequence[_Run]) -> None:
    """A metric a row, a window a column, then their mean; below, how many users and interactions there were."""
    reports = [run.report for run in runs if run.report is not None]
    table = Table("metric", *(f"window {n}" for n in range(1, len(runs) + 1)), "mean", box=None, pad_edge=False)
    for name, mean in _means(runs)["test"].items():
        table.add_row(name, *(f"{report.metrics[name]:.4f}" for report in reports), f"{mean:.4f}")
    for name in reports[0].counts:
        table.add_row(name.replace("_", " "), *(f"{report.counts[name]:,}" for report in reports), "")
    console.print(table)
    for note in reports[-1].notes:
        console.print(f"last window: {note}", style="dim", highlight=False, markup=False)
