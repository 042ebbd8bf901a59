"""`conv4rec evaluate`: a saved model against held-out data."""

from typing import TYPE_CHECKING

from conv4rec.cli import options
from conv4rec.cli.output import print_json, print_metrics

if TYPE_CHECKING:
    from conv4rec.data.ratings import Ratings
    from conv4rec.data.split import HoldOut
    from conv4rec.recommender import Conv4Rec


def evaluate(
    model: options.Model,
    data: options.Source,
    test: options.TestSource = None,
    user_column: options.UserColumn = None,
    item_column: options.ItemColumn = None,
    rating_column: options.RatingColumn = None,
    timestamp_column: options.TimeColumn = None,
    type_column: options.TypeColumn = None,
    as_json: options.Json = False,
) -> None:
    """Measure a saved model on the test part of the data it was trained on, or on a given --test part.

    Without --test the split of the training is made again, from the settings in the model; data other than those of
    the training are refused, because the model may have learned from their test part.
    """
    from conv4rec.data.ratings import same_scale
    from conv4rec.recommender import Conv4Rec

    fitted = Conv4Rec.load(model)
    columns = {"user": user_column, "item": item_column, "rating": rating_column, "type": type_column}
    columns["timestamp"] = timestamp_column
    ratings = options.read_ratings(data, fitted.config.data, **columns)
    given = None if test is None else options.read_ratings(test, same_scale(fitted.config.data, ratings), **columns)
    held_out, recipe = _held_out(fitted, ratings, given)
    report = fitted.evaluate(held_out)
    if as_json:
        told = {"counts": report.counts, "notes": [recipe, *report.notes]}
        print_json({"model": str(model), "data": ratings.name, "metrics": {"test": report.metrics}, **told})
    else:
        print_metrics(report.metrics, (recipe, *report.notes))


def _held_out(fitted: "Conv4Rec", ratings: "Ratings", given: "Ratings | None") -> "tuple[HoldOut, str]":
    from conv4rec.data.interactions import Interactions
    from conv4rec.data.split import HoldOut, split
    from conv4rec.errors import DataError

    if given is not None:
        return HoldOut(ratings, given), f"given: {given.name} predicted from {ratings.name}"
    fingerprint = Interactions.from_ratings(ratings, ratings.vocabulary()).fingerprint()
    if fingerprint != fitted.origin.data_fingerprint:
        raise DataError(
            f"{ratings.name} is not the data the model was trained on ({fitted.origin.data}); "
            "give histories as --data and held-out interactions as --test"
        )
    parts = split(ratings, fitted.config.split)
    if parts.test is None:
        raise DataError("the model was trained without a test part (split.test = 0): give one as --test")
    return parts.test, parts.recipe
