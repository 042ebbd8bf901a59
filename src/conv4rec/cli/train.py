"""`conv4rec train`: ratings in, test figures and a model file out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from conv4rec.cli import options
from conv4rec.cli.output import download_bar, print_json, print_metrics

if TYPE_CHECKING:
    from conv4rec.config import Config
    from conv4rec.data.parts import Parts
    from conv4rec.evaluation import Report
    from conv4rec.recommender import Conv4Rec


def train(
    data: options.Source,
    test: options.TestSource = None,
    query: options.Query = None,
    model: Annotated[Path, typer.Option("--model", "-m", help="Where to save the model.")] = Path("model.conv4rec"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint of a killed run.")] = False,
    config: options.Toml = None,
    set_: options.Sets = None,
    as_json: options.Json = False,
) -> None:
    """Train on ratings, measure on held-out data, save the model.

    The network sees the train part alone; the validation part decides when to stop; the test part is used once, at the
    end. The saved model knows all interactions as the users' histories.
    """
    from conv4rec.config import load_config
    from conv4rec.data.parts import load_parts

    settings = load_config(config, options.given(set_))
    with download_bar() as progress:
        parts = load_parts(data, settings, test=test, query=query, progress=progress)
    fitted = fit_and_save(settings, parts, model, resume=resume)
    report = None if parts.split.test is None else fitted.evaluate(parts.split.test)
    if as_json:
        print_json(_told(fitted, parts, report, model))
    else:
        _tell(fitted, parts, report, model)


def fit_and_save(settings: "Config", parts: "Parts", model: Path, *, resume: bool = False) -> "Conv4Rec":
    """Fit with a progress bar on standard error and a checkpoint beside the model, which the saved model replaces."""
    from conv4rec.progress import ProgressBar
    from conv4rec.recommender import Conv4Rec

    checkpoint = model.with_name(model.name + ".checkpoint")
    if resume and not checkpoint.exists():
        Console(stderr=True).print(f"no checkpoint {checkpoint}: starting anew", highlight=False, markup=False)
    with ProgressBar(settings.train.epochs) as bar:
        fitted = Conv4Rec(settings)
        fitted.fit_split(parts.split, parts.known, listener=bar, checkpoint=checkpoint, resume=resume)
    fitted.save(model)
    checkpoint.unlink(missing_ok=True)
    return fitted


def _told(fitted: "Conv4Rec", parts: "Parts", report: "Report | None", model: Path) -> dict[str, Any]:
    metrics: dict[str, Any] = {"validation": fitted.origin.validation}
    return {
        "model": str(model),
        "data": parts.known.name,
        "fit_seconds": round(fitted.training.seconds, 3),
        "epochs": len(fitted.training.epochs),
        "best_epoch": fitted.training.best_epoch,
        "metrics": metrics if report is None else metrics | {"test": report.metrics},
        "counts": {} if report is None else report.counts,
        "notes": [*parts.known.notes, parts.split.recipe, *(() if report is None else report.notes)],
        "config": fitted.config.model_dump(mode="json"),
    }


def _tell(fitted: "Conv4Rec", parts: "Parts", report: "Report | None", model: Path) -> None:
    console, training = Console(), fitted.training
    for note in (*parts.known.notes, parts.split.recipe):
        console.print(note, style="dim", highlight=False, markup=False)
    if report is not None:
        print_metrics(report.metrics, report.notes)
    kept = f"epoch {training.best_epoch} of {len(training.epochs)} kept"
    console.print(f"{kept}, {training.seconds:.0f} s; saved to {model}", highlight=False, markup=False)
