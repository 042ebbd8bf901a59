"""Sets of a fitted model: what is asked, by whom, and that the promise is kept."""

import numpy as np
import pytest

from conv4rec.data.parts import Parts
from conv4rec.data.ratings import Ratings
from conv4rec.data.split import HoldOut
from conv4rec.errors import TheoryError
from conv4rec.evaluation import Validation
from conv4rec.recommender import Conv4Rec
from conv4rec.theory.held_out_sets import ask, calibrate_model, history_groups


def held_out(parts: Parts) -> HoldOut:
    """The test part."""
    assert parts.split.test is not None
    return parts.split.test


def test_only_what_is_rated_is_asked(parts: Parts, model: Conv4Rec) -> None:
    test = Validation.of(held_out(parts), model.vocabulary)
    found = ask(model.predictor, test)
    rated = held_out(parts).targets.frame.drop_nulls("rating")
    assert len(found) == rated.height < len(test.targets)
    counts = np.bincount(found.levels, minlength=5).tolist()
    assert counts == [rated.filter(rating=value).height for value in (1, 2, 3, 4, 5)]
    assert found.p_rating.sum(1) == pytest.approx(np.ones(len(found)))
    assert set(found.lengths) <= set(test.history.counts)


@pytest.mark.parametrize("by_history", [False, True])
def test_a_half_covers_what_the_other_promised(parts: Parts, model: Conv4Rec, by_history: bool) -> None:
    sets, found = calibrate_model(model, held_out(parts), 0.8, by_history=by_history)
    assert len(sets.groups) == len(found) - 1 if by_history else len(found) == 1
    for each in found:
        error = np.sqrt(0.8 * 0.2 * 2 / each.n)
        assert abs(each.coverage - 0.8) < 3 * error + 1 / each.n
    assert 1 < found[0].size < 5
    assert sets.n_calibration.sum() == len(ask(model.predictor, Validation.of(held_out(parts), model.vocabulary)))


def test_sets_beside_predictions(parts: Parts, model: Conv4Rec) -> None:
    sets, _ = calibrate_model(model, held_out(parts))
    table = sets.join(model.predict([(0, 1), (1, 2)]))
    assert all(set(each) <= {1.0, 2.0, 3.0, 4.0, 5.0} for each in table["rating_set"].to_list())


def test_thirds_of_histories() -> None:
    groups, names = history_groups(np.array([5, 1, 9, 1, 4, 8, 9]))
    assert names == ("history 1 to 4", "history 5 to 8", "history 9 to 9")
    assert groups.tolist() == [1, 0, 2, 0, 0, 1, 2]
    assert history_groups(np.array([4, 4]))[1] == ("history 4 to 4",)


def test_without_ratings_there_are_no_sets(parts: Parts, model: Conv4Rec) -> None:
    test = held_out(parts)
    frame = test.targets.frame.filter(test.targets.frame["rating"].is_null())
    bare = Ratings(frame, test.targets.types, "bare")
    with pytest.raises(TheoryError, match="no held-out interaction is rated: there is nothing to make sets of"):
        calibrate_model(model, HoldOut(test.history, bare))


def test_one_rating_has_no_halves(parts: Parts, model: Conv4Rec) -> None:
    test = held_out(parts)
    one = Ratings(test.targets.frame.drop_nulls("rating").head(1), test.targets.types, "one")
    with pytest.raises(TheoryError, match="1 rated held-out interaction: expected at least two, for two halves"):
        calibrate_model(model, HoldOut(test.history, one))
