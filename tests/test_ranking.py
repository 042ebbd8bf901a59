"""Orders of recommendation, against the columns that they are made of."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from conv4rec.errors import QueryError
from conv4rec.ranking import read_utility
from conv4rec.recommender import Conv4Rec
from conv4rec.vocabulary import InteractionTypes

STARS = InteractionTypes.of([1, 2, 3, 4, 5])
WORTH = {1: -2.0, 2: -1.0, 3: 0.0, 4: 1.0, 5: 3.0}


def expected_utility(table: pl.DataFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
    law = table.select(f"p_rating_{value}" for value in range(1, 6)).to_numpy()
    return np.asarray(law @ np.array(list(WORTH.values())))


def test_utility_is_what_a_rating_is_worth(fitted: Conv4Rec) -> None:
    table = fitted.recommend([104], k=10, rank_by="utility", utility=WORTH)
    assert table["score"].to_numpy() == pytest.approx(expected_utility(table), abs=1e-5)
    assert table["score"].is_sorted(descending=True)


def test_gain_counts_what_is_not_taken_as_nothing(fitted: Conv4Rec) -> None:
    table = fitted.recommend([104], k=24, rank_by="gain", utility=WORTH)
    assert table["score"].to_numpy() == pytest.approx(table["p_consume"] * expected_utility(table), abs=1e-6)
    assert table["score"].min() < 0 < table["score"].max()  # type: ignore[operator]


def test_utilities_contain_the_other_orders(fitted: Conv4Rec) -> None:
    stars = {float(value): float(value) for value in range(1, 6)}
    liked = {float(value): float(value >= 4) for value in range(1, 6)}
    for name, other, utility in (("rating", "utility", stars), ("enjoy", "gain", liked)):
        expected = fitted.recommend([105], k=8, rank_by=name)["item_id"].to_list()
        assert fitted.recommend([105], k=8, rank_by=other, utility=utility)["item_id"].to_list() == expected


@pytest.mark.parametrize(
    ("utility", "rank_by", "message"),
    [
        (None, "gain", "rank_by 'gain' needs a utility, such as {1: -2, 2: -1, 3: 0, 4: 1, 5: 2}"),
        (WORTH, "enjoy", "rank_by 'enjoy' takes no utility; expected utility or gain, such as "),
        ({1: 0.0, 2: 1.0, 3: 1.0, 4: 1.0}, "gain", "utility: rating 5 has no utility; expected one for each of 1, 2, "),
        (WORTH | {6: 1.0}, "gain", "utility: rating 6 is not a rating value; expected one for each of 1, 2, 3, 4, 5"),
        (WORTH | {5: float("nan")}, "gain", "expected finite numbers"),
    ],
)
def test_a_utility_that_cannot_be_used(utility: Any, rank_by: str, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        read_utility(utility, rank_by, STARS)
    assert message in str(caught.value)
