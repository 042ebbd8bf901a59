"""Leave-one-out, against histories with an item taken out by hand."""

import numpy as np
import pytest

from conv4rec.recommender import Conv4Rec
from conv4rec.verbs.leave_out import claims_left_out, laws_without, nothing, without_items
from tests.triples import make_interactions

THREE = make_interactions([(0, 1, 0), (0, 2, 1), (0, 1, 2), (1, 2, 0), (1, 0, 1)], n_users=2, n_items=4)


def test_an_item_goes_with_all_of_its_interactions() -> None:
    left = without_items(THREE, np.array([0, 1, 0]), np.array([1, 2, 3]))
    assert left.indptr.tolist() == [0, 1, 2, 5]
    assert left.items.tolist() == [2, 0, 1, 2, 1]
    assert left.channels.tolist() == [1, 1, 0, 1, 2]


def test_nothing_is_known() -> None:
    blank = nothing(7)
    assert (blank.n_users, blank.n_items, len(blank)) == (1, 7, 0)


@pytest.mark.parametrize("memory_mb", [1, 64])
def test_the_law_of_what_is_left(fitted: Conv4Rec, memory_mb: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conv4rec.verbs.leave_out.BYTES", 10_000)  # so that one MiB is several batches
    histories = fitted._known_histories()
    rows = np.repeat([3, 8, 20, 41], 5)
    items = np.concatenate([histories.items[histories.indptr[row] :][:5] for row in [3, 8, 20, 41]])
    parts = list(laws_without(fitted.predictor, histories, rows, items, memory_mb=memory_mb))
    assert (len(parts) > 1) == (memory_mb == 1)
    found = claims_left_out(fitted.predictor, histories, rows, items, like=4.0, memory_mb=memory_mb)
    for place in (0, 7, 19):
        keep = histories.select(rows[[place]])
        law = fitted.predictor.predict(keep.keep(keep.items != items[place]))
        assert found["consume"][place] == pytest.approx(law.log_p_consume[0, items[place]], abs=1e-4)
        expected = law.expected_rating(np.array([0]), items[[place]])
        assert found["rating"][place] == pytest.approx(expected[0], abs=1e-4)
