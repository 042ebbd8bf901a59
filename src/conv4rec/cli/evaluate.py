"""`conv4rec evaluate`: a saved model against held-out data."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from conv4rec.cli import options
from conv4rec.cli.output import download_bar, print_json, print_metrics, print_rows, print_warnings

if TYPE_CHECKING:
    import polars as pl

    from conv4rec.data.parts import Parts
    from conv4rec.data.ratings import Ratings
    from conv4rec.data.split import HoldOut
    from conv4rec.evaluation import Report
    from conv4rec.recommender import Conv4Rec


def evaluate(
    model: options.Model,
    data: options.Source,
    test: options.TestSource = None,
    query: options.Query = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="Write a record into this folder too, for `conv4rec report`.")
    ] = None,
    coverage: Annotated[
        float | None, typer.Option("--coverage", help="Make sets of ratings too that hold the true one this often.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Measure a saved model on the test part of the data it was trained on, or on a --test part of your own.

    Without --test the split of the training is made again, from the settings in the model (of rolling windows the
    last); data other than those of the training are refused, because the model may have learned from their test part.

    --coverage 0.9 calibrates conformal sets of ratings on a random half of the test part, and measures on the other how
    often they hold the true rating and how large they are, in all and by the length of the user's history.
    """
    from conv4rec.data.parts import load_all_parts
    from conv4rec.errors import DataError
    from conv4rec.recommender import Conv4Rec

    fitted = Conv4Rec.load(model)
    with download_bar() as progress:
        parts = load_all_parts(data, fitted.config, test=test, query=query, progress=progress)[-1]
    if test is None:
        check_same_data(fitted, parts.known)
    if parts.split.test is None:
        raise DataError("the model was trained without a test part (split.test = 0): give one as --test")
    print_warnings(parts.split.warnings)
    report = fitted.evaluate(parts.split.test) if run is None else _record(fitted, parts, run, name=model.stem)
    notes = (parts.split.recipe, *report.notes)
    sets = None if coverage is None else _sets(fitted, parts.split.test, coverage)
    if as_json:
        told = {"counts": report.counts, "notes": notes, "warnings": parts.split.warnings}
        print_json(
            {"model": str(model), "data": parts.known.name, "metrics": {"test": report.metrics}}
            | told
            | ({} if sets is None else {"sets": sets.to_dicts()})
        )
        return
    print_metrics(report.metrics, notes)
    if sets is not None:
        print_rows(sets)


def _sets(fitted: "Conv4Rec", held_out: "HoldOut", coverage: float) -> "pl.DataFrame":
    """`group, asked, coverage, size, empty, n` of conformal sets, all users first."""
    import polars as pl

    from conv4rec.theory.held_out_sets import calibrate_model

    _, found = calibrate_model(fitted, held_out, coverage, by_history=True)
    columns = ("group", "coverage", "size", "empty", "n")
    rows = pl.DataFrame({name: [getattr(each, name) for each in found] for name in columns})
    return rows.insert_column(1, pl.lit(coverage).alias("asked"))


def _record(fitted: "Conv4Rec", parts: "Parts", run: Path, *, name: str) -> "Report":
    """Measure as `conv4rec compare` does, by parts of the test data too, and write it down."""
    from conv4rec.compare.saved import measure_saved
    from conv4rec.records import write_record

    record, report = measure_saved(fitted, parts, name=name)
    write_record(run, record, report)
    return report


def check_same_data(fitted: "Conv4Rec", known: "Ratings") -> None:
    """Raise DataError unless these are the data that the model was trained on."""
    from conv4rec.data.interactions import Interactions
    from conv4rec.errors import DataError

    if Interactions.from_ratings(known, known.vocabulary()).fingerprint() != fitted.origin.data_fingerprint:
        raise DataError(
            f"{known.name} is not the data the model was trained on ({fitted.origin.data}); "
            "give histories as --data and held-out interactions as --test"
        )
