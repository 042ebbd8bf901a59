"""A model from a file, measured like all others."""

import pytest

from conv4rec.compare.saved import Saved, measure_saved, recipe_of
from conv4rec.config import Config, make_config
from conv4rec.data.parts import Parts
from conv4rec.data.ratings import Ratings
from conv4rec.data.split import split
from conv4rec.errors import UnknownIdError
from conv4rec.recipes import use_recipe
from conv4rec.recommender import Conv4Rec
from tests.compare.worlds import parts_of, small_ratings


def test_the_figures_are_those_of_the_model(checkerboard: Ratings, small_config: Config) -> None:
    parts = Parts(split(checkerboard, small_config.split), checkerboard)
    model = Conv4Rec(small_config).fit_split(parts.split, parts.known)
    record, report = measure_saved(model, parts, name="films")
    assert parts.split.test is not None
    expected = model.evaluate(parts.split.test)
    assert record.metrics == report.metrics == pytest.approx(expected.metrics)
    assert (record.model, record.data, record.recipe, record.seed) == ("films", "checkerboard", "random", 0)
    assert record.best_epoch == model.training.best_epoch
    assert record.notes[0].startswith("recipe random")
    assert {s.by for s in record.slices} >= {"history"}
    assert record.cost.fit_seconds is None
    assert record.cost.model_bytes == Saved(model).n_bytes > 1000


def test_ids_that_the_model_does_not_know_are_refused(fitted: Conv4Rec) -> None:
    with pytest.raises(UnknownIdError, match="not known to this model"):
        measure_saved(fitted, parts_of(small_ratings()), name="other")


def test_which_recipe_settings_are() -> None:
    assert recipe_of(Config(), "d") == "random"
    assert recipe_of(use_recipe(Config(), "rolling"), "d") == "rolling"
    assert recipe_of(use_recipe(Config(), "u1"), "ml-100k") == "u1"
    assert recipe_of(use_recipe(Config(), "u1"), "d") is None
    assert recipe_of(make_config({"split": {"test": 0.2}}), "d") is None
