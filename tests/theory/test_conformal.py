"""Coverage is what was asked for wherever calibration and test are exchangeable, and weights do what they promise."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from conv4rec.errors import TheoryError
from conv4rec.theory.conformal import calibrate, measure, scores, selection_weights

Array = NDArray[np.float64]


def draw(n: int, seed: int, *, skill: float = 1.0) -> tuple[Array, NDArray[np.int64]]:
    """Laws of five ratings, and ratings drawn from them; `skill` below 1 tells flatter laws than the true."""
    rng = np.random.default_rng(seed)
    true = rng.dirichlet(np.full(5, 0.6), n)
    levels = (rng.random((n, 1)) > np.cumsum(true, axis=1)[:, :-1]).sum(1)
    told = true**skill
    return told / told.sum(1, keepdims=True), levels


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from([0.5, 0.8, 0.9, 0.95]), st.sampled_from([0.3, 1.0]))
def test_coverage_is_what_was_asked_for(seed: int, coverage: float, skill: float) -> None:
    n, m = 2000, 2000
    p, levels = draw(n + m, seed, skill=skill)
    sets = calibrate(p[:n], levels[:n], coverage)
    (found,) = measure(sets, p[n:], levels[n:])
    error = np.sqrt(coverage * (1 - coverage) * (1 / n + 1 / m))
    assert abs(found.coverage - coverage) < 5 * error + 1 / n  # many are drawn: 3 are exceeded in a run of 12


def test_the_mean_over_many_calibrations_is_at_least_what_was_asked() -> None:
    found = []
    for seed in range(400):
        p, levels = draw(20 + 50, seed)
        found.append(measure(calibrate(p[:20], levels[:20], 0.8), p[20:], levels[20:])[0].coverage)
    error = np.std(found) / np.sqrt(len(found))
    assert 0.8 - 3 * error < np.mean(found) < 0.8 + 1 / 21 + 3 * error


def test_a_threshold_by_hand() -> None:
    p = np.array([[0.9, 0.1], [0.7, 0.3], [0.6, 0.4], [0.2, 0.8]])
    sets = calibrate(p, np.zeros(4, dtype=np.int64), 0.6)  # scores .1 .3 .4 .8; the third of 5 places
    assert sets.thresholds == pytest.approx(np.full((1, 2), 0.4))
    assert sets.sets(np.array([[0.61, 0.39], [0.5, 0.5]])).tolist() == [[True, False], [False, False]]
    assert calibrate(p, np.zeros(4, dtype=np.int64), 0.9).sets(p).all()  # too little to leave anything out


def test_every_group_has_the_coverage_for_itself() -> None:
    p, levels = draw(8000, 3)
    groups = np.arange(8000) % 2
    p[groups == 1] = p[groups == 1] ** 0.2
    p /= p.sum(1, keepdims=True)
    half = np.arange(8000) < 4000
    together = calibrate(p[half], levels[half], 0.8)
    apart = calibrate(p[half], levels[half], 0.8, groups=groups[half], names=("sharp", "flat"))
    asked = p[~half], levels[~half]
    everyone, sharp, flat = measure(apart, *asked, groups[~half])
    assert (everyone.group, sharp.group, flat.group) == ("all", "sharp", "flat")
    assert [sharp.coverage, flat.coverage] == pytest.approx([0.8, 0.8], abs=0.03)
    uneven = [
        together.sets(p[~half])[groups[~half] == g][np.arange(2000), levels[~half][groups[~half] == g]] for g in (0, 1)
    ]
    assert abs(uneven[0].mean() - uneven[1].mean()) > 0.05


def test_weights_repair_what_selection_by_rating_breaks() -> None:
    true, levels = draw(40_000, 4)
    chance = np.array([0.05, 0.1, 0.2, 0.6, 1.0])
    p = true * chance / (true @ chance)[:, None]  # right for what users choose to rate
    chosen = np.random.default_rng(5).random(len(levels)) < chance[levels]
    chosen[30_000:] = False  # what is asked was not chosen by anybody
    asked = p[30_000:], levels[30_000:]
    naive = measure(calibrate(p[chosen], levels[chosen], 0.9), *asked)[0]
    by_level = selection_weights(levels[chosen], levels[28_000:30_000], 5)
    weighted = calibrate(p[chosen], levels[chosen], 0.9, weights=by_level[levels[chosen]], level_weights=by_level)
    repaired = measure(weighted, *asked)[0]
    assert naive.coverage < 0.87
    assert repaired.coverage == pytest.approx(0.9, abs=0.015)
    assert weighted.n_calibration[0] < chosen.sum()


def test_equal_weights_change_nothing() -> None:
    p, levels = draw(300, 6)
    plain, weighted = calibrate(p, levels, 0.9), calibrate(p, levels, 0.9, weights=np.full(300, 7.0))
    assert plain.thresholds == pytest.approx(weighted.thresholds)
    assert weighted.n_calibration == pytest.approx([300.0])


def test_a_group_without_calibration_data_gets_all_ratings() -> None:
    p, levels = draw(100, 7)
    sets = calibrate(p, levels, 0.9, groups=np.zeros(100, dtype=np.int64), names=("met", "new"))
    assert sets.sets(p[:3], np.ones(3, dtype=np.int64)).all()
    assert sets.n_calibration.tolist() == [100.0, 0.0]


def test_selection_weights_by_hand() -> None:
    found = selection_weights(np.array([1, 1, 1]), np.array([0, 0, 1]), 2)
    assert found == pytest.approx([(3 / 5) / (1 / 5), (2 / 5) / (4 / 5)])


def test_scores_fall_with_the_probability() -> None:
    assert scores(np.array([[0.25, 0.75]], dtype=np.float32)).tolist() == [[0.75, 0.25]]


def test_sets_as_a_column_of_a_table() -> None:
    frame = pl.DataFrame({"item_id": [1, 2], "p_rating_0.5": [0.9, 0.4], "p_rating_5": [0.1, 0.6]})
    p = np.array([[0.9, 0.1]] * 9 + [[0.4, 0.6]])
    sets = calibrate(p, np.array([0] * 9 + [1]), 0.9)
    assert (
        sets.join(frame)["rating_set"].to_list() == [[0.5], [0.5, 5.0]]
        if sets.thresholds[0, 0] >= 0.6
        else [[0.5], [5.0]]
    )


def test_sets_of_groups_need_the_groups() -> None:
    p, levels = draw(10, 8)
    sets = calibrate(p, levels, 0.5, groups=np.arange(10) % 2, names=("a", "b"))
    with pytest.raises(TheoryError, match="the sets are of 2 groups: use sets"):
        sets.join(pl.DataFrame({"p_rating_1": [1.0]}))


@pytest.mark.parametrize("coverage", [0.0, 1.0, 90.0])
def test_a_coverage_that_is_none(coverage: float) -> None:
    with pytest.raises(TheoryError, match=f"coverage {coverage:g}: expected a probability between 0 and 1"):
        calibrate(*draw(5, 0), coverage)


def test_nothing_to_calibrate_on() -> None:
    with pytest.raises(TheoryError, match="no rated interactions to calibrate on"):
        calibrate(np.zeros((0, 5)), np.zeros(0, dtype=np.int64))


@pytest.mark.parametrize("weight", [-1.0, np.inf, np.nan])
def test_weights_that_are_none(weight: float) -> None:
    p, levels = draw(5, 0)
    with pytest.raises(TheoryError, match="calibration weights: expected finite numbers of at least 0"):
        calibrate(p, levels, weights=np.full(5, weight))
