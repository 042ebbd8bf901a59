"""Everything that is read of a fitted model beside its figures, as rows for its record."""

from collections.abc import Callable
from typing import Any

import numpy as np

from conv4rec.data.interactions import Interactions
from conv4rec.data.parts import Parts
from conv4rec.errors import TheoryError
from conv4rec.insights import (
    BoundRow,
    CoverageRow,
    FactorRow,
    HeldOutRow,
    HistogramShift,
    Insights,
    KernelWeight,
    TypeDistance,
)
from conv4rec.model.predictor import NetworkPredictor
from conv4rec.recommender import Conv4Rec
from conv4rec.theory.bounds import Factors
from conv4rec.theory.certificate import Bound, HeldOut, certify
from conv4rec.theory.held_out_sets import calibrate_model
from conv4rec.theory.kernels import distances
from conv4rec.theory.shifts import shifts
from conv4rec.verbs.type_map import TypeMap, type_map
from conv4rec.vocabulary import Vocabulary

COVERAGE = 0.9
"""Asked of the sets in a record."""
Fields = dict[str, Any]


def read_predictor(predictor: NetworkPredictor, known: Interactions, vocabulary: Vocabulary) -> Insights:
    """Kernels and histograms; `known` are the histories of all users."""
    met = np.bincount(known.channels, minlength=predictor.types.n_channels) > 0
    found = type_map(predictor.network, predictor.types, met)
    fields: Fields = {"kernels": _kernels(found), "distances": _distances(found)}
    return Insights(**_also(fields, lambda: {"shifts": _shifts(predictor, known, vocabulary)}))


def read_model(model: Conv4Rec, parts: Parts) -> Insights:
    """The same, and bounds and sets, of a model whose parts these are."""
    known = Interactions.from_ratings(parts.known, model.vocabulary)
    fields: Fields = dict(read_predictor(model.exact_predictor, known, model.vocabulary))
    fields = _also(fields, lambda: _certificate(model, parts))
    return Insights(**_also(fields, lambda: _coverage(model, parts)))


def _also(fields: Fields, read: Callable[[], Fields]) -> Fields:
    """The fields and what is read; where it cannot be, a note that says why."""
    try:
        return fields | read()
    except TheoryError as error:
        return fields | {"notes": (*fields.get("notes", ()), str(error))}


def _kernels(found: TypeMap) -> tuple[KernelWeight, ...]:
    return tuple(
        KernelWeight(path=row["path"], type=row["type"], channel=row["channel"], weight=row["weight"] * row["size"])
        for row in found.channels.to_dicts()
    )


def _distances(found: TypeMap) -> tuple[TypeDistance, ...]:
    both = found.alike.join(distances(found), on=["path", "type", "other"], maintain_order="left")
    return tuple(
        TypeDistance(
            path=row["path"],
            type=row["type"],
            other=row["other"],
            likeness=row["effect_cosine"],
            distance=row["distance"],
        )
        for row in both.to_dicts()
    )


def _shifts(predictor: NetworkPredictor, known: Interactions, vocabulary: Vocabulary) -> tuple[HistogramShift, ...]:
    return tuple(
        HistogramShift(of=s.of, name=s.name, place=s.place, rating=r, everyone=everyone, own=own, predicted=predicted)
        for s in shifts(predictor, known, vocabulary)
        for r, everyone, own, predicted in zip(s.rating, s.everyone, s.own, s.predicted, strict=True)
    )


def _certificate(model: Conv4Rec, parts: Parts) -> Fields:
    found = certify(model, parts)
    return {
        "bounds": tuple(_bound(each) for each in found.bounds),
        "held_out": tuple(_held_out(each) for each in found.held_out),
        "factors": tuple(row for each in found.factors for row in _factors(each)),
    }


def _bound(found: Bound) -> BoundRow:
    names = ("path", "unit", "n_samples", "by_norm", "by_count", "leading", "uniform", "tv")
    told = {name: getattr(found, name) for name in names}
    return BoundRow(**told, fitted=found.gap.fitted, unseen=found.gap.unseen)


def _held_out(found: HeldOut) -> HeldOutRow:
    told = {name: getattr(found, name) for name in ("unit", "n_samples", "n_scalars", "bound", "uniform")}
    return HeldOutRow(**told, fitted=found.gap.fitted, unseen=found.gap.unseen)


def _factors(found: Factors) -> list[FactorRow]:
    renamed = {"n_parameters": "parameters", "spectral": "s", "distance": "b", "input_norm": "input"}
    names = renamed | {name: name for name in ("weights", "sensitivity", "term")}
    return [
        FactorRow.model_validate({"path": found.path} | {name: row[key] for name, key in names.items()})
        for row in found.to_rows()
    ]


def _coverage(model: Conv4Rec, parts: Parts) -> Fields:
    if parts.split.test is None:
        raise TheoryError("there is no test part to make conformal sets from")
    _, found = calibrate_model(model, parts.split.test, COVERAGE, by_history=True)
    rows = (
        CoverageRow(asked=COVERAGE, group=c.group, coverage=c.coverage, size=c.size, empty=c.empty, n=c.n)
        for c in found
    )
    return {"coverage": tuple(rows)}
