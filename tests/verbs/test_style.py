"""Rating styles, by hand."""

import numpy as np
import polars as pl
import pytest

from conv4rec.recommender import Conv4Rec
from conv4rec.verbs.population import percentile
from conv4rec.verbs.profile import Style
from conv4rec.verbs.style import Styles
from conv4rec.vocabulary import InteractionTypes
from tests.triples import make_interactions

STARS = InteractionTypes.of([1, 2, 3, 4, 5])
MEANS = np.array([4.0, 2.0, 3.0])
# user 0: 5, 1 and an unrated one; user 1: a single 3; user 2 nothing rated
HISTORIES = make_interactions([(0, 0, 4), (0, 1, 0), (0, 2, 5), (1, 2, 2), (2, 0, 5)], n_users=3, n_items=3)


def test_mean_generosity_and_spread() -> None:
    styles = Styles.of(HISTORIES, STARS, MEANS)
    assert styles.n_ratings.tolist() == [2, 1, 0]
    assert styles.mean[:2].tolist() == [3.0, 3.0]
    assert styles.generosity[:2].tolist() == [0.0, 0.0]
    assert styles.spread[0] == 2.0
    assert np.isnan([styles.spread[1], styles.spread[2], styles.mean[2], styles.generosity[2]]).all()
    assert styles.sorted_spread.tolist() == [2.0]
    assert styles.sorted_generosity.tolist() == [0.0, 0.0]


def test_one_user_against_all() -> None:
    population = Styles(np.full(4, 9), np.full(4, 3.0), np.array([-1.0, 0.0, 0.5, 2.0]), np.array([0.5, 1, 2, 3.0]))
    mine = Styles(np.array([5]), np.array([4.0]), np.array([1.0]), np.array([1.0]))
    assert Style.of(mine, population) == Style(5, 4.0, 1.0, 1.0, 75.0, 37.5)
    single = Styles(np.array([1]), np.array([4.0]), np.array([1.0]), np.array([np.nan]))
    assert Style.of(single, population) == Style(1, 4.0, 1.0, None, 75.0, None)
    nothing = Styles(np.array([0]), np.array([np.nan]), np.array([np.nan]), np.array([np.nan]))
    assert Style.of(nothing, population) is None


@pytest.mark.parametrize(("value", "percent"), [(0.0, 0.0), (1.0, 12.5), (1.99999, 50.0), (2.5, 75.0), (9.0, 100.0)])
def test_percentiles_count_half_of_the_equal(value: float, percent: float) -> None:
    assert percentile(value, np.array([1.0, 2.0, 2.0, 3.0])) == percent
    assert percentile(value, np.array([])) == 50.0


def test_the_population_is_neither_generous_nor_stern(films: Conv4Rec) -> None:
    styles = films._answers.population.styles
    assert np.average(styles.generosity, weights=styles.n_ratings) == pytest.approx(0.0, abs=0.05)
    assert styles.generosity.std() > 0.25


def test_the_mean_of_an_item_is_drawn_to_that_of_all(films: Conv4Rec, clicks: Conv4Rec) -> None:
    population = films._answers.population
    frame = pl.concat([films.history_of(user) for user in films.vocabulary.users.values])
    item, middle = frame.filter(item_id=1682)["rating"], frame["rating"].mean()
    place = films.vocabulary.items.indices([1682])[0]
    assert population.item_means[place] == pytest.approx((item.sum() + 5 * middle) / (len(item) + 5))  # type: ignore[operator]
    assert np.isnan(clicks._answers.population.item_means).all()
