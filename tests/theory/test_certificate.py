"""The whole of it for one model: numbers that agree with each other, and weights drawn again to the bit."""

import math
from pathlib import Path

import pytest
import torch

from conv4rec.config import Config, override
from conv4rec.data.parts import Parts
from conv4rec.data.ratings import Ratings
from conv4rec.data.split import split
from conv4rec.errors import TheoryError
from conv4rec.evaluation import Validation
from conv4rec.model.initial import COUNTED, draw_network
from conv4rec.model.statistics import Statistics
from conv4rec.recommender import Conv4Rec
from conv4rec.theory.certificate import Certificate, certify, initial_network
from conv4rec.theory.gap import hide


@pytest.fixture(scope="module")
def found(model: Conv4Rec, parts: Parts) -> Certificate:
    return certify(model, parts)


def test_the_initial_weights_are_drawn_again_to_the_bit(model: Conv4Rec, tmp_path: Path) -> None:
    loaded = Conv4Rec.load(model.save(tmp_path / "m"))
    real = draw_network(model.config, Statistics.of(model._known_histories(), model.vocabulary.types))
    again = dict(initial_network(loaded).named_parameters())
    for name, value in real.named_parameters():
        assert name in COUNTED or torch.equal(value, again[name]), name


def test_other_initial_weights_are_noticed(model: Conv4Rec, tmp_path: Path) -> None:
    loaded = Conv4Rec.load(model.save(tmp_path / "m"))
    loaded.config = loaded.config.model_copy(update={"train": loaded.config.train.model_copy(update={"seed": 1})})
    with pytest.raises(TheoryError, match="the initial weights drawn here are not those of the training"):
        initial_network(loaded)


def test_a_file_without_a_digest_is_told_so(model: Conv4Rec, tmp_path: Path) -> None:
    loaded = Conv4Rec.load(model.save(tmp_path / "m"))
    state = loaded._fitted
    bare = state.origin.model_copy(update={"initial_sha256": None})
    loaded._state = type(state)(state.vocabulary, state.network, state.histories, state.items, bare)
    with pytest.raises(TheoryError, match="of schema version 2, without a digest of the initial weights: train again"):
        initial_network(loaded)


def test_bounds_of_both_readings_of_n(found: Certificate, parts: Parts) -> None:
    assert [(each.path, each.unit) for each in found.bounds] == [
        (path, unit) for unit in ("users", "interactions") for path in ("consumption", "rating", "joint")
    ]
    by_user, by_interaction = found.bounds[:3], found.bounds[3:]
    assert by_user[0].n_samples == parts.split.train.n_users
    assert by_interaction[0].n_samples == len(parts.split.train)
    for each in (by_user, by_interaction):
        for name in ("by_norm", "by_count", "leading", "uniform"):
            assert getattr(each[2], name) == pytest.approx(getattr(each[0], name) + getattr(each[1], name))
    assert all(few.by_count > many.by_count for few, many in zip(by_user, by_interaction, strict=True))


def test_the_bounds_are_above_the_measured_gap_and_vacuous_on_so_few_users(found: Certificate) -> None:
    for each in found.bounds:
        assert each.gap.value < min(each.by_norm, each.by_count)
        assert each.is_vacuous
        assert each.tv == 1.0
    for whole in found.held_out:
        assert whole.gap.value < whole.bound


def test_the_losses_are_those_of_the_network_alone(found: Certificate, model: Conv4Rec, parts: Parts) -> None:
    assert parts.split.test is not None
    test = Validation.of(parts.split.test, model.vocabulary)
    bare = Conv4Rec(model.config)
    state = model._fitted
    network = draw_network(model.config, Statistics.blank(60, model.vocabulary.types))
    weights = {name: value for name, value in state.network.state_dict().items() if "experts" not in name}
    network.load_state_dict(weights)
    bare._state = type(state)(state.vocabulary, network, state.histories, state.items, state.origin)
    report = bare.evaluate(parts.split.test)
    by_interaction = {each.path: each for each in found.bounds if each.unit == "interactions"}
    assert by_interaction["consumption"].gap.unseen == pytest.approx(report.metrics["nll_consume"], rel=1e-5)
    assert by_interaction["rating"].gap.unseen == pytest.approx(report.metrics["nll_rating"], rel=1e-5)
    whole = next(each for each in found.held_out if each.unit == "interactions")
    assert whole.gap.unseen == pytest.approx(model.evaluate(parts.split.test).metrics["nll"], rel=1e-5)
    assert whole.n_scalars == 5 + 2 + 4 + 5
    assert len(test.targets) == len(parts.split.test.targets)


def test_rows_are_plain_and_say_what_is_vacuous(found: Certificate) -> None:
    told = found.to_dict()
    assert {row["verdict"] for row in told["bounds"]} == {"vacuous"}
    assert told["input_norms"]["consumption"] == 1.0
    assert told["needed"]["consumption"]["by_norm"] > 1e6
    assert told["bounds"][0]["uniform law"] == pytest.approx(math.log(60))


def test_a_model_without_ratings_has_one_path(parts: Parts, small_config: Config) -> None:
    frame = parts.known.frame.drop("rating")
    taken = Ratings(frame, type(parts.known.types).of((), rated=(), unrated=(None,)), "taken")
    halves = split(taken)
    config = override(small_config, ["train.epochs=1", "experts.neighbours=0"])
    model = Conv4Rec(config).fit_split(halves, taken)
    found = certify(model, Parts(halves, taken))
    assert [each.path for each in found.bounds] == ["consumption", "consumption"]


def test_without_a_test_part_there_is_no_gap(model: Conv4Rec, parts: Parts) -> None:
    without = Parts(split(parts.known, model.config.split.model_copy(update={"test": 0.0})), parts.known)
    with pytest.raises(TheoryError, match="no test part to measure a gap on: expected split.test above 0"):
        certify(model, without)


def test_hiding_nothing_is_an_error(model: Conv4Rec) -> None:
    known = model._known_histories().select(model.vocabulary.users.indices([0]))
    hidden = hide(known, 0.5, seed=0)
    assert len(hidden.history) + len(hidden.targets) == len(known)
    with pytest.raises(TheoryError, match="none of .* interactions was hidden"):
        hide(known, 1e-9, seed=0)
