"""`conv4rec train`: ratings in, test figures and a model file out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from conv4rec.cli import options
from conv4rec.cli.output import print_json, print_metrics

if TYPE_CHECKING:
    from conv4rec.config import Config
    from conv4rec.data.ratings import Ratings
    from conv4rec.data.split import Split
    from conv4rec.evaluation import Report
    from conv4rec.recommender import Conv4Rec


def train(
    data: options.Source,
    test: options.TestSource = None,
    model: Annotated[Path, typer.Option("--model", "-m", help="Where to save the model.")] = Path("model.conv4rec"),
    resume: Annotated[bool, typer.Option(help="Go on from the checkpoint that a killed run left.")] = False,
    config: options.Toml = None,
    set_: options.Sets = None,
    user_column: options.UserColumn = None,
    item_column: options.ItemColumn = None,
    rating_column: options.RatingColumn = None,
    timestamp_column: options.TimeColumn = None,
    type_column: options.TypeColumn = None,
    as_json: options.Json = False,
) -> None:
    """Train on ratings, measure on held-out data, save the model.

    The network sees the train part alone; the validation part decides when to stop; the test part is used once, at the
    end. The saved model knows all interactions as the users' histories.
    """
    from conv4rec.config import load_config
    from conv4rec.data.ratings import join, same_scale
    from conv4rec.data.split import given_split, split

    settings = load_config(config, set_ or ())
    columns = {"user": user_column, "item": item_column, "rating": rating_column, "type": type_column}
    columns["timestamp"] = timestamp_column
    ratings = options.read_ratings(data, settings.data, **columns)
    if test is None:
        known, parts = ratings, split(ratings, settings.split)
    else:
        held_out = options.read_ratings(test, same_scale(settings.data, ratings), **columns)
        parts = given_split(ratings, held_out, validation=settings.split.validation, seed=settings.split.seed)
        known = join(ratings, held_out)
    fitted = fit(settings, parts, known, checkpoint=model.with_name(model.name + ".checkpoint"), resume=resume)
    report = fitted.evaluate(parts.test) if parts.test is not None else None
    fitted.save(model)
    model.with_name(model.name + ".checkpoint").unlink(missing_ok=True)
    _tell(fitted, parts, known, report, model, as_json=as_json)


def fit(settings: "Config", parts: "Split", known: "Ratings", *, checkpoint: Path, resume: bool) -> "Conv4Rec":
    """Fit with a progress bar on standard error."""
    from conv4rec.progress import ProgressBar
    from conv4rec.recommender import Conv4Rec

    with ProgressBar(settings.train.epochs) as bar:
        return Conv4Rec(settings).fit_split(parts, known, listener=bar, checkpoint=checkpoint, resume=resume)


def _tell(
    fitted: "Conv4Rec", parts: "Split", known: "Ratings", report: "Report | None", model: Path, *, as_json: bool
) -> None:
    training = fitted.training
    assert training is not None  # noqa: S101 - fit has just returned
    if as_json:
        metrics: dict[str, Any] = {"validation": fitted.origin.validation}
        metrics |= {} if report is None else {"test": report.metrics}
        print_json(
            {
                "model": str(model),
                "data": known.name,
                "fit_seconds": round(training.seconds, 3),
                "epochs": len(training.epochs),
                "best_epoch": training.best_epoch,
                "metrics": metrics,
                "counts": {} if report is None else report.counts,
                "notes": [*known.notes, parts.recipe, *(() if report is None else report.notes)],
                "config": fitted.config.model_dump(mode="json"),
            }
        )
        return
    console = Console()
    for note in (*known.notes, parts.recipe):
        console.print(f"[dim]{note}[/dim]", highlight=False)
    if report is not None:
        print_metrics(report.metrics, report.notes)
    console.print(
        f"epoch {training.best_epoch} of {len(training.epochs)} kept, {training.seconds:.0f} s; saved to {model}"
    )
