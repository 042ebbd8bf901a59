"""A compressed model is a model: it answers as before, from its indexes, through files and the service."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from polars.testing import assert_frame_equal

from conv4rec.compression.candidates import CompressedPredictor
from conv4rec.config import CompressConfig
from conv4rec.data.interactions import Interactions
from conv4rec.errors import ModelFileError
from conv4rec.model_file import load_model, save_model
from conv4rec.recommender import Conv4Rec
from tests.predictor_contract import PredictorContract, some_histories

SETTINGS = CompressConfig(width=60, k=8, epochs=30, batch_size=32, learning_rate=5e-3, candidates=20, device="cpu")


@pytest.fixture(scope="module")
def compressed(simulated: Conv4Rec) -> Conv4Rec:
    return simulated.compress(SETTINGS)


def histories(model: Conv4Rec) -> Interactions:
    return model._known_histories().select(np.arange(40))


def test_candidates_have_the_exact_law(simulated: Conv4Rec, compressed: Conv4Rec) -> None:
    known = histories(simulated)
    exact, found = (model.predictor.predict(known).log_p_consume for model in (simulated, compressed))
    assert np.exp(found).sum(axis=1) == pytest.approx(np.ones(40), abs=1e-5)
    gaps = np.sort(np.abs((found - exact) - np.median(found - exact, axis=1, keepdims=True)), axis=1)
    shift = (found - exact)[:, None, :] - (found - exact)[:, :, None]  # equal for all that are exact
    same = (np.abs(shift) < 2e-5).sum(axis=2).max(axis=1)
    assert same.min() >= SETTINGS.candidates
    assert gaps.max() > 1e-3  # the others are decoded


def test_all_candidates_are_the_law_itself(simulated: Conv4Rec) -> None:
    every = simulated.compress(SETTINGS.model_copy(update={"candidates": 120, "epochs": 1}))
    known = histories(simulated)
    exact, found = (model.predictor.predict(known).log_p_consume for model in (simulated, every))
    assert found == pytest.approx(exact, abs=1e-4)


def test_lists_are_nearly_the_same_and_in_the_exact_order(simulated: Conv4Rec, compressed: Conv4Rec) -> None:
    users = simulated.vocabulary.users.values.head(60)
    one, other = (model.recommend(users, 10) for model in (simulated, compressed))
    assert one.columns == other.columns
    both = one.join(other, on=["user_id", "item_id"], suffix="_compressed")
    assert both.height / one.height > 0.95
    assert (both["p_consume_compressed"] - both["p_consume"]).abs().max() < 0.05  # type: ignore[operator]
    assert_frame_equal(both.select("expected_rating"), both.select(expected_rating="expected_rating_compressed"))
    ordered = both.sort("user_id", "rank_compressed")
    rising = ordered["rank"].diff() * (ordered["user_id"].diff() == 0)
    assert (rising.drop_nulls() >= 0).all()


def test_every_order_and_filter_answers(compressed: Conv4Rec) -> None:
    choices: list[dict[str, Any]] = [{"rank_by": "enjoy"}, {"rank_by": "discover"}, {"diversity": 0.5}]
    for choice in [*choices, {"candidates": list(range(100, 105)), "exclude_seen": False}]:
        assert compressed.recommend([3], 5, **choice).height == 5


def test_similar_items_are_nearly_the_same(simulated: Conv4Rec, compressed: Conv4Rec) -> None:
    shared = 0
    for item in range(0, 120, 6):
        one, other = (model.similar_items(item, 10) for model in (simulated, compressed))
        assert other.columns == one.columns
        assert item not in other["item_id"]
        both = one.join(other, on="item_id", suffix="_compressed")
        assert both["similarity_compressed"].to_numpy() == pytest.approx(both["similarity"].to_numpy(), abs=1e-5)
        shared += both.height
    assert shared / 200 > 0.9
    assert compressed.similar_items(0, 119).height == 119


def test_the_rest_is_as_before(simulated: Conv4Rec, compressed: Conv4Rec) -> None:
    assert_frame_equal(simulated.similar_users(3, 5), compressed.similar_users(3, 5))
    assert simulated.compressed is None
    assert compressed.compressed is not None
    assert simulated.history_counts().tolist() == compressed.history_counts().tolist()


def test_it_comes_back_from_its_file(compressed: Conv4Rec, tmp_path: Path) -> None:
    loaded = Conv4Rec.load(compressed.save(tmp_path / "m", histories=False), device="cpu")
    assert loaded.config == compressed.config
    assert isinstance(loaded.predictor, CompressedPredictor)
    history: dict[int | str, float | None] = {1: 5.0, 2: 3.0}
    assert_frame_equal(loaded.recommend_for(history, 5), compressed.recommend_for(history, 5))
    with_histories = Conv4Rec.load(compressed.save(tmp_path / "n"), device="cpu")
    assert_frame_equal(with_histories.similar_items(7, 5), compressed.similar_items(7, 5))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("decoder/alive", np.zeros(120, np.uint8), "the index of the decoder is not one of 120 vectors, 16 wide"),
        ("embeddings/atoms", np.zeros((60, 5), np.float32), "the index of the embeddings is not one of 120 vectors"),
        ("embeddings/modes", None, "the parts of the index do not fit together: no tensor modes of uint8"),
    ],
)
def test_indexes_of_another_model(compressed: Conv4Rec, tmp_path: Path, name: str, value: Any, message: str) -> None:
    saved = load_model(compressed.save(tmp_path / "m"))
    tensors = dict(saved.compressed)
    del tensors[name]
    broken = tensors if value is None else tensors | {name: value}
    save_model(tmp_path / "m", type(saved)(**(vars(saved) | {"compressed": broken})))
    with pytest.raises(ModelFileError, match=f"the indexes do not fit the model: {message}"):
        Conv4Rec.load(tmp_path / "m")


def test_passes_are_heard_of(simulated: Conv4Rec) -> None:
    heard: list[int] = []

    class Listener:
        def on_pass(self, number: int, of: int, figures: str) -> None:  # noqa: ARG002
            heard.append(number)

    simulated.compress(SETTINGS.model_copy(update={"epochs": 2}), listener=Listener())
    assert heard == [1, 2, 1, 2]


class TestContract(PredictorContract):
    @pytest.fixture
    def predictor(self, compressed: Conv4Rec) -> Any:
        return compressed.predictor

    @pytest.fixture
    def histories(self, compressed: Conv4Rec) -> Interactions:
        return some_histories(compressed.vocabulary.types, 120)
