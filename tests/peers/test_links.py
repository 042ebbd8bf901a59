"""The consumption link rises, keeps the order to the bit, and is the best there is: never worse than a temperature."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize
from scipy.special import log_softmax

from conv4rec.data.interactions import Interactions
from conv4rec.evaluation import Validation
from conv4rec.peers.links import MAX_REPEAT, ConsumeLink, fit_consume_link
from conv4rec.predictions import Floats

Array = NDArray[np.float64]


def drawn(logits: Array, *, n_targets: int, seed: int = 0, repeats: bool = True) -> Validation:
    """Targets drawn from the law of the logits (B, I); the history is three items of every user."""
    generator = np.random.default_rng(seed)
    n_items = logits.shape[1]
    history = np.argsort(generator.random(logits.shape), axis=1)[:, :3]
    if not repeats:
        logits = logits.copy()
        np.put_along_axis(logits, history, -np.inf, axis=1)
    p = np.exp(log_softmax(logits, axis=1))
    targets = np.stack([generator.choice(n_items, n_targets, p=row / row.sum()) for row in p])
    return Validation(grouped(history, n_items), grouped(targets, n_items))


def grouped(items: NDArray[np.integer], n_items: int) -> Interactions:
    rows = np.repeat(np.arange(len(items)), items.shape[1]).astype(np.int32)
    channels = np.zeros(items.size, dtype=np.uint8)
    return Interactions.from_triples(
        rows, items.ravel().astype(np.int32), channels, n_users=len(items), n_items=n_items
    )


def nll(log_p: Array, asked: Validation) -> float:
    return float(-log_p[asked.targets.users, asked.targets.items].mean())


def linked(link: ConsumeLink, scores: Floats, asked: Validation) -> Array:
    return link.log_p_consume(scores, asked.history.users, asked.history.items)


def best_temperature(scores: Array, asked: Validation) -> float:
    """-log-likelihood of the best slope and repeat, by another search."""

    def loss(parameters: Array) -> float:
        straight = ConsumeLink(np.array([0.0, 1.0]), np.array([0.0, np.exp(parameters[0])]), parameters[1])
        return nll(linked(straight, scores, asked), asked)

    bounds = [(-5.0, 5.0), (-MAX_REPEAT, MAX_REPEAT)]
    return float(optimize.minimize(loss, [0.0, 0.0], method="L-BFGS-B", bounds=bounds).fun)


def test_the_link_by_hand() -> None:
    link = ConsumeLink(np.array([0.0, 1.0, 3.0]), np.array([0.0, 2.0, 3.0]), repeat=-1.0)
    found = link(np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 5.0]))
    assert found == pytest.approx([-2.0, 0.0, 1.0, 2.0, 2.5, 3.0, 4.0])
    scores = np.array([[0.0, 1.0, 3.0]])
    log_p = link.log_p_consume(scores, np.array([0, 0]), np.array([2, 2]))  # once, though it is twice in the history
    assert np.exp(log_p) == pytest.approx(np.exp([[0.0, 2.0, 2.0]]) / (1 + 2 * np.exp(2)))
    assert link.n_bytes == 8 * 7


def test_a_temperature_is_found_again() -> None:
    scores = np.random.default_rng(0).normal(size=(200, 30))
    asked = drawn(1.7 * scores, n_targets=20, repeats=False)
    link = fit_consume_link(scores, asked)
    assert np.diff(link(np.array([-1.5, -0.5, 0.5, 1.5]))) == pytest.approx([1.7] * 3, abs=0.25)
    assert link.repeat == pytest.approx(-MAX_REPEAT)
    assert nll(linked(link, scores, asked), asked) <= best_temperature(scores, asked) + 1e-6


def test_a_bent_link_is_found_again() -> None:
    """Scores are the exponential of what decides: a temperature is far off, and the link comes near the truth."""
    truth = 1.5 * np.random.default_rng(1).normal(size=(300, 40))
    asked, scores = drawn(truth, n_targets=20), np.exp(truth)
    link = fit_consume_link(scores, asked)
    found, best = nll(linked(link, scores, asked), asked), nll(log_softmax(truth, axis=1), asked)
    assert found < best + 0.005
    assert best_temperature(scores, asked) > best + 0.1
    assert link.repeat == pytest.approx(0.0, abs=0.2)


def test_nothing_near_is_likelier() -> None:
    """The likelihood is concave in the link: what no small change makes better is the best."""
    scores = np.random.default_rng(2).normal(size=(100, 20))
    asked = drawn(np.sinh(scores), n_targets=10)
    link = fit_consume_link(scores, asked)
    best = nll(linked(link, scores, asked), asked)
    steps = np.diff(link.values)
    for place in range(len(steps)):
        for change in (0.9, 1.1):
            other = steps.copy()
            other[place] *= change
            values = np.concatenate([[0.0], np.cumsum(other)])
            assert nll(linked(ConsumeLink(link.knots, values, link.repeat), scores, asked), asked) > best - 1e-4


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), power=st.sampled_from([0.3, 1.0, 3.0]), scale=st.sampled_from([1e-3, 1.0, 1e3]))
def test_it_rises_and_is_no_worse_than_a_temperature(seed: int, power: float, scale: float) -> None:
    generator = np.random.default_rng(seed)
    raw = generator.normal(size=(12, 15))
    scores = scale * np.sign(raw) * np.abs(raw) ** power
    asked = drawn(raw, n_targets=int(generator.integers(1, 40)), seed=seed)
    link = fit_consume_link(scores, asked)
    assert (np.diff(link.knots) > 0).all()
    assert (np.diff(link.values) > 0).all()
    assert nll(linked(link, scores, asked), asked) <= best_temperature(scores / scale, asked) + 0.01
    log_p = log_softmax(link(scores), axis=1)
    for row in range(len(scores)):
        assert (np.argsort(log_p[row], kind="stable") == np.argsort(scores[row], kind="stable")).all()


def test_the_order_of_single_precision_is_kept_to_the_bit() -> None:
    generator = np.random.default_rng(3)
    scores = generator.normal(size=(30, 2000)).astype(np.float32)
    scores[:, 1:200] = np.nextafter(scores[:, :1], np.float32(np.inf))  # neighbours, and ties among them
    asked = drawn(scores[:, :50].astype(np.float64), n_targets=40)
    wide = Validation(*(grouped(part.items.reshape(30, -1), 2000) for part in (asked.history, asked.targets)))
    log_p = linked(fit_consume_link(scores, wide), scores, wide)
    seen = np.zeros(scores.shape, dtype=bool)
    seen[wide.history.users, wide.history.items] = True
    for row in range(30):
        new = ~seen[row]
        _, ours = np.unique(log_p[row, new], return_inverse=True)
        _, theirs = np.unique(scores[row, new], return_inverse=True)
        assert (ours == theirs).all()


def test_few_targets_give_a_temperature() -> None:
    scores = np.random.default_rng(4).normal(size=(5, 10))
    assert len(fit_consume_link(scores, drawn(scores, n_targets=3)).knots) == 2


def test_equal_scores_give_the_uniform_law() -> None:
    scores = np.full((6, 9), 3.0)
    asked = drawn(scores, n_targets=200)
    link = fit_consume_link(scores, asked)
    nothing = np.empty(0, dtype=np.int64)
    assert np.exp(link.log_p_consume(scores, nothing, nothing)) == pytest.approx(np.full((6, 9), 1 / 9))


def test_scores_that_say_nothing_give_a_flat_link() -> None:
    generator = np.random.default_rng(5)
    scores = generator.normal(size=(50, 20))
    asked = drawn(np.zeros_like(scores), n_targets=50)
    assert nll(linked(fit_consume_link(scores, asked), scores, asked), asked) == pytest.approx(np.log(20), abs=0.01)
