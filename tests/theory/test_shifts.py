"""Histograms of users and items, and the law beside them."""

import numpy as np
import pytest

from conv4rec.data.interactions import Interactions
from conv4rec.data.parts import Parts
from conv4rec.errors import TheoryError
from conv4rec.recommender import Conv4Rec
from conv4rec.theory import shifts as module
from conv4rec.theory.shifts import Shift, shifts
from conv4rec.vocabulary import InteractionTypes, Vocabulary


@pytest.fixture(scope="module")
def known(model: Conv4Rec, parts: Parts) -> Interactions:
    return Interactions.from_ratings(parts.known, model.vocabulary)


@pytest.fixture(scope="module")
def found(model: Conv4Rec, known: Interactions) -> tuple[Shift, ...]:
    return shifts(model.predictor, known, model.vocabulary)


def test_three_users_and_three_items_from_low_to_high(found: tuple[Shift, ...]) -> None:
    assert [(each.of, each.place) for each in found] == [
        (of, place) for of in ("user", "item") for place in ("lowest tenth", "middle", "highest tenth")
    ]
    for side in (found[:3], found[3:]):
        means = [each.own @ each.rating for each in side]
        assert means == sorted(means)
        laws = [each.predicted @ each.rating for each in side]
        assert laws[0] < laws[2]  # the law follows the histogram
    for each in found:
        for histogram in (each.everyone, each.own, each.predicted):
            assert histogram.sum() == pytest.approx(1.0, abs=1e-5)


def test_an_own_histogram_is_that_of_the_ratings(found: tuple[Shift, ...], parts: Parts) -> None:
    frame = parts.known.frame.drop_nulls("rating").filter(user_id=int(found[0].name))
    counts = np.array([frame.filter(rating=value).height for value in found[0].rating])
    assert found[0].own == pytest.approx(counts / counts.sum())


def test_without_ratings_there_is_no_histogram(model: Conv4Rec, known: Interactions) -> None:
    bare = Vocabulary(model.vocabulary.users, model.vocabulary.items, InteractionTypes.of((), rated=(), unrated=("x",)))
    with pytest.raises(TheoryError, match="there are no ratings whose histogram could shift"):
        shifts(model.predictor, known, bare)


def test_too_few_ratings_say_too_little(model: Conv4Rec, known: Interactions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_RATINGS", 10**6)
    with pytest.raises(TheoryError, match="no user or no item has 1000000 ratings: their histograms say too little"):
        shifts(model.predictor, known, model.vocabulary)
