"""A model from a file as one that is measured like all others."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conv4rec.compare.measure import measure
from conv4rec.compare.prepare import prepare
from conv4rec.config import Config
from conv4rec.data.interactions import Interactions
from conv4rec.data.parts import Parts
from conv4rec.evaluation import Report
from conv4rec.peers.peer import Claim
from conv4rec.predictions import Predictions
from conv4rec.recipes import RECIPES, recipe_notes
from conv4rec.recommender import Conv4Rec
from conv4rec.records import Cost, Record
from conv4rec.theory.reading import read_model


@dataclass(frozen=True)
class Saved:
    """A fitted Conv4Rec in index space."""

    model: Conv4Rec

    @property
    def claims(self) -> frozenset[Claim]:
        return frozenset(("consume", "rating"))

    @property
    def n_bytes(self) -> int:
        tensors = self.model.predictor.network.state_dict().values()
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def predict(self, users: NDArray[np.intp], histories: Interactions) -> Predictions:  # noqa: ARG002
        return self.model.predictor.predict(histories)


def measure_saved(model: Conv4Rec, parts: Parts, *, name: str) -> tuple[Record, Report]:
    """The record of a model on the test part, under this name; what its training took is not known any more.

    An id that the model does not know raises UnknownIdError.
    """
    config, data = model.config, parts.known.name
    fitted = Saved(model)
    prepared = prepare(parts, config, seed=config.split.seed, vocabulary=model.vocabulary)
    measured = measure(fitted, prepared, config.evaluate)
    recipe = recipe_of(config, data)
    record = Record(
        model=name,
        data=data,
        recipe=config.split.recipe if recipe is None else recipe,
        seed=config.split.seed,
        split=parts.split.recipe,
        notes=(*(() if recipe is None else recipe_notes(recipe, config)), *measured.report.notes),
        warnings=parts.split.warnings,
        cost=Cost(users_per_second=measured.users_per_second, model_bytes=fitted.n_bytes),
        best_epoch=model.origin.best_epoch,
        insights=read_model(model, parts),
        config=config.model_dump(mode="json"),
        **measured.fields(),
    )
    return record, measured.report


def recipe_of(config: Config, data: str) -> str | None:
    """The named recipe whose settings these are; None where there is none for these data."""
    for name, recipe in RECIPES.items():
        sections = ((getattr(config, section), fields) for section, fields in recipe.settings.items())
        agrees = all(
            getattr(section, field) == value for section, fields in sections for field, value in fields.items()
        )
        if agrees and (recipe.sources is None or data in recipe.sources):
            return name
    return None
