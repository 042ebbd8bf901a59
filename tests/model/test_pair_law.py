"""The compiled law of pairs is that of the operations of torch, and tells no pair from another's user."""

from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from numpy.typing import NDArray
from polars.testing import assert_frame_equal

from conv4rec.compiled.ratings import TOGETHER
from conv4rec.data.interactions import Interactions
from conv4rec.ids import Ids
from conv4rec.model import pair_law
from conv4rec.model.predictor import BlendedTypeLaw, NetworkPredictor
from conv4rec.predictions import Best
from conv4rec.queries import Query, QueryEngine
from conv4rec.vocabulary import InteractionTypes, Vocabulary
from tests.model.test_experts import make_blended
from tests.model.test_network import SHOP, TYPES, I

B = 9


def histories_of(types: InteractionTypes) -> Interactions:
    """Of many lengths, one of them nothing; some pairs are there several times."""
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(B, dtype=np.int32), [0, 1, 2, 3, 5, 8, 30, 4, 2])
    channels = rng.integers(0, types.n_channels, len(users)).astype(np.uint8)
    items = rng.integers(0, I, len(users)).astype(np.int32)
    return Interactions.from_triples(users, items, channels, n_users=B, n_items=I)


def law_of(types: InteractionTypes) -> BlendedTypeLaw:
    law = NetworkPredictor(make_blended(types), types).type_law_of(histories_of(types))
    assert isinstance(law, BlendedTypeLaw)
    return law


def told(law: BlendedTypeLaw, rows: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.float32]:
    with torch.inference_mode():
        state, where = law.state, law.alone.places(rows, items)
        return pair_law.log_p_type(law.alone.path, law.alone.style, law.experts, state, *where).numpy()


@pytest.mark.parametrize("types", [TYPES, SHOP], ids=["ratings", "shop"])
@pytest.mark.parametrize("n", [1, 3, 700])
def test_both_ways_say_the_same(types: InteractionTypes, n: int) -> None:
    """Fewer pairs than items and more, in any order, and more of a user than are made at once."""
    rng = np.random.default_rng(1)
    rows, items = rng.integers(0, B, n), rng.integers(0, I, n)
    rows[: n // 2] = 6
    assert n < TOGETHER or (rows == 6).sum() > TOGETHER
    law = law_of(types)
    expected = law.pairs(rows, items)
    found = told(law, rows, items)
    assert found == pytest.approx(expected, abs=1e-5)
    assert np.exp(found).sum(1) == pytest.approx(np.ones(n), abs=1e-6)


def test_many_pairs_take_this_way_and_few_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    law, asked = law_of(TYPES), list[int]()

    def spy(*given: Any) -> torch.Tensor:
        asked.append(len(given[-1]))
        return torch.zeros(1, 3)

    monkeypatch.setattr(pair_law, "log_p_type", spy)
    monkeypatch.setattr(pair_law, "pays", lambda n_scores: n_scores >= pair_law.MANY_PAIRS)
    rows = np.zeros(pair_law.MANY_PAIRS, np.int64)
    law.pairs(rows[1:], rows[1:])
    assert asked == []
    law.pairs(rows, rows)
    assert asked == [len(rows)]
    monkeypatch.setattr(pair_law, "pays", lambda _: False)
    law.pairs(rows, rows)
    assert asked == [len(rows)]


@pytest.mark.parametrize("law", [True, False])
def test_batches_of_lists_do_not_grow_with_the_catalogue_where_pairs_are_told_alone(
    monkeypatch: pytest.MonkeyPatch, law: bool
) -> None:
    """With little memory, lists with and without their law are the same in one batch as user by user."""
    predictor, n = NetworkPredictor(make_blended(TYPES), TYPES), []
    users, items = (Ids.fit(pl.Series(range(size)), kind=kind) for size, kind in ((B, "user"), (I, "item")))
    vocabulary = Vocabulary(users, items, TYPES)
    engine = QueryEngine(predictor, vocabulary, None, memory_mb=0)
    best = predictor.best

    def spy(_: NetworkPredictor, histories: Interactions, *given: Any, **more: Any) -> Best:
        n.append(histories.n_users)
        return best(histories, *given, **more)

    monkeypatch.setattr(NetworkPredictor, "best", spy)
    found = []
    for pays, many in ((False, 1), (True, 1)):
        monkeypatch.setattr(pair_law, "pays", lambda _, pays=pays: pays)
        monkeypatch.setattr(pair_law, "MANY_PAIRS", many)
        found.append(engine.rank(vocabulary.users.values, histories_of(TYPES), Query(k=3, law=law)))
    assert n == ([1] * B if law else [B]) + [B]
    assert_frame_equal(*found, abs_tol=1e-5)


def test_nobody_is_asked_about() -> None:
    none = np.zeros(0, np.int64)
    assert told(law_of(TYPES), none, none).shape == (0, 3)


@pytest.mark.parametrize(
    ("rows", "items", "what"),
    [([0, B], [0, 0], "users"), ([-1, 0], [0, 0], "users"), ([0, 0], [I, 0], "items"), ([0, 0], [0, -1], "items")],
)
def test_what_is_no_pair_is_refused(rows: list[int], items: list[int], what: str) -> None:
    with pytest.raises(IndexError, match=rf"{what} from -?\d+ to \d+, expected 0 to \d+"):
        told(law_of(TYPES), np.array(rows), np.array(items))


def test_a_table_that_is_no_number_gives_none() -> None:
    law = law_of(TYPES)
    law.alone.path.bias.data[3, 0] = torch.nan
    found = told(law, np.array([0, 0]), np.array([3, 4]))
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1]).all()
