"""Counts the network starts from."""

import numpy as np
import pytest
import torch

from conv4rec.data.interactions import Interactions
from conv4rec.model.statistics import ITEM_PRIOR, MEAN_PRIOR, Statistics
from conv4rec.vocabulary import InteractionTypes
from tests.triples import Triples, make_interactions

TYPES = InteractionTypes.of([1, 3])  # channels: 1, 3, unrated


def make(triples: Triples, n_users: int = 2, n_items: int = 3) -> Interactions:
    return make_interactions(triples, n_users=n_users, n_items=n_items)


def test_by_hand() -> None:
    s = Statistics.of(make([(0, 0, 1), (0, 1, 0), (1, 0, 1), (1, 2, 2)]), TYPES)
    assert s.log_popularity.exp() == pytest.approx(torch.tensor([3, 2, 2]) / 7)
    histogram = torch.tensor([2, 3]) / 5
    assert s.log_histogram.exp() == pytest.approx(histogram)
    first = (torch.tensor([0, 2]) + ITEM_PRIOR * histogram) / (2 + ITEM_PRIOR)
    assert s.log_item_histogram[0].exp() == pytest.approx(first)
    assert s.log_item_histogram[2].exp() == pytest.approx(histogram)
    mean, spread = 7 / 3, np.sqrt(8) / 3
    assert s.value == pytest.approx(torch.tensor([(1 - mean) / spread, (3 - mean) / spread, 0]))
    assert s.rated.tolist() == [1, 1, 0]
    assert float(s.item_value[0]) == pytest.approx(2 * (3 - mean) / spread / (2 + MEAN_PRIOR))
    assert float(s.item_value[2]) == 0


def test_repeats_are_measured_against_chance() -> None:
    never = Statistics.of(make([(0, i, 0) for i in range(3)] * 1, n_users=1), TYPES)
    always = Statistics.of(make([(0, 0, 0)] * 9, n_users=1), TYPES)
    assert float(never.log_repeat) < 0 < float(always.log_repeat)


def test_draws_from_the_popularity_have_no_preference_for_repeats() -> None:
    rng = np.random.default_rng(0)
    popularity = np.array([0.5, 0.3, 0.15, 0.05])
    triples = [(u, int(i), 0) for u in range(400) for i in rng.choice(4, size=3, p=popularity)]
    repeat = float(Statistics.of(make(triples, 400, 4), TYPES).log_repeat)
    assert abs(repeat) < 0.1


def test_one_rating_value_has_no_spread() -> None:
    s = Statistics.of(make([(0, 0, 1), (1, 1, 1)]), TYPES)
    assert s.value.isfinite().all()


def test_nothing_rated() -> None:
    s = Statistics.of(make([(0, 0, 2), (1, 1, 2)]), TYPES)
    assert s.value.tolist() == [0, 0, 0]
    assert s.log_histogram.exp() == pytest.approx(torch.tensor([0.5, 0.5]))


def test_blank_has_the_same_shapes() -> None:
    blank, s = Statistics.blank(3, TYPES), Statistics.of(make([(0, 0, 1)]), TYPES)
    tensors = [name for name, value in vars(s).items() if name != "any_repeated"]
    assert [getattr(blank, name).shape for name in tensors] == [getattr(s, name).shape for name in tensors]
