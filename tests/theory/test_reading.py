"""Everything that a record takes of a model: rows of each kind, or a note that says why not."""

import pytest

from conv4rec.data.parts import Parts
from conv4rec.data.split import split
from conv4rec.insights import Insights
from conv4rec.recommender import Conv4Rec
from conv4rec.theory.reading import COVERAGE, read_model


@pytest.fixture(scope="module")
def read(model: Conv4Rec, parts: Parts) -> Insights:
    return read_model(model, parts)


def test_rows_of_every_kind(read: Insights, model: Conv4Rec) -> None:
    types = model.interaction_types()
    assert len(read.kernels) == types.channels.height
    assert read.kernels[0].weight == pytest.approx(types.channels["weight"][0] * types.channels["size"][0])
    assert len(read.distances) == types.alike.height
    assert len(read.shifts) == 6 * 5
    assert [row.path for row in read.bounds[:3]] == ["consumption", "rating", "joint"]
    assert {row.unit for row in read.held_out} == {"users", "interactions"}
    assert {row.path for row in read.factors} == {"consumption", "rating"}
    assert read.coverage[0].group == "all"
    assert {row.asked for row in read.coverage} == {COVERAGE}
    assert read.notes == ()


def test_they_go_through_json(read: Insights) -> None:
    assert Insights.model_validate_json(read.model_dump_json()) == read


def test_what_cannot_be_read_is_said(model: Conv4Rec, parts: Parts) -> None:
    without = Parts(split(parts.known, model.config.split.model_copy(update={"test": 0.0})), parts.known)
    found = read_model(model, without)
    assert found.kernels
    assert (found.bounds, found.coverage) == ((), ())
    assert [note.split(":")[0] for note in found.notes] == [
        "there is no test part to measure a gap on",
        "there is no test part to make conformal sets from",
    ]
