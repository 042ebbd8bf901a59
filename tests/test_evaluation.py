"""The report: every figure against a loop over users, whatever the batch size."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv4rec import evaluation
from conv4rec.config import EvaluateConfig
from conv4rec.data.interactions import Interactions
from conv4rec.errors import DataError
from conv4rec.evaluation import Report, evaluate
from conv4rec.predictions import Floats, Predictions
from conv4rec.vocabulary import InteractionTypes

STARS = InteractionTypes.of([1.0, 2.0, 3.0])
TOP_2 = EvaluateConfig(k=(2,))


class Table:
    """A type law that is looked up: (B, I, L)."""

    def __init__(self, log_p: Floats) -> None:
        self.log_p = log_p

    def pairs(self, rows: np.ndarray, items: np.ndarray) -> Floats:
        return np.asarray(self.log_p[rows, items])

    def grid(self) -> Floats:
        return self.log_p


class Fake:
    """A law per user, who is known by the size of their history: whole numbers in, a fixed law out."""

    def __init__(self, p_consume: Floats, p_type: Floats, types: InteractionTypes = STARS) -> None:
        self.log_p_consume, self.log_p_type, self.types = np.log(p_consume), np.log(p_type), types
        self.batch_sizes: list[int] = []

    def predict(self, histories: Interactions) -> Predictions:
        self.batch_sizes.append(histories.n_users)
        who = histories.counts % len(self.log_p_consume)
        return Predictions(self.types, self.log_p_consume[who], Table(self.log_p_type[who]))


def interactions(triples: list[tuple[int, int, int]], n_users: int, n_items: int) -> Interactions:
    columns = np.array(triples, dtype=np.int64).reshape(-1, 3).T
    users, items, kinds = columns[0].astype(np.int32), columns[1].astype(np.int32), columns[2].astype(np.uint8)
    return Interactions.from_triples(users, items, kinds, n_users=n_users, n_items=n_items)


def one_law(p_consume: list[float], p_type: list[float]) -> Fake:
    return Fake(np.array([p_consume]), np.tile(np.array(p_type), (1, len(p_consume), 1)))


def random_case(seed: int) -> tuple[Fake, Interactions, Interactions]:
    generator = np.random.default_rng(seed)
    n_users, n_items = int(generator.integers(1, 12)), int(generator.integers(2, 9))
    fake = Fake(generator.dirichlet(np.ones(n_items), 5), generator.dirichlet(np.ones(3), (5, n_items)))

    def draw(n: int) -> Interactions:
        columns = [generator.integers(0, high, n) for high in (n_users, n_items, 4)]
        return interactions([(int(u), int(i), int(c)) for u, i, c in zip(*columns, strict=True)], n_users, n_items)

    return fake, draw(int(generator.integers(0, 20))), draw(int(generator.integers(1, 20)))


def naive(fake: Fake, history: Interactions, targets: Interactions, k: int) -> dict[str, float]:
    """The metrics as their definitions read, one user and one interaction after the other."""
    sums = dict.fromkeys(("ndcg", "recall", "mrr", "consume", "rating", "square", "size"), 0.0)
    ranked = rated = 0
    listed: set[int] = set()
    for user in range(targets.n_users):
        one, past = targets.select(np.array([user])), history.select(np.array([user]))
        held_out = list(zip(one.items.tolist(), one.channels.tolist(), strict=True))
        seen = set(past.items.tolist())
        if not held_out:
            continue
        who = int(history.counts[user]) % len(fake.log_p_consume)
        for item, channel in held_out:
            sums["consume"] -= float(fake.log_p_consume[who, item])
            p_type = np.exp(fake.log_p_type[who, item])
            if channel < 3:
                error = float(p_type @ [1, 2, 3]) - (channel + 1)
                sums["rating"] -= math.log(p_type[channel])
                sums["square"] += error**2
                sums["size"] += abs(error)
                rated += 1
        scores = fake.log_p_consume[who].tolist()
        top = sorted((i for i in range(len(scores)) if i not in seen), key=lambda i: (-scores[i], i))[:k]
        listed |= set(top)
        relevant = {item for item, _ in held_out} - seen
        if relevant:
            ranked += 1
            ranks = [rank for rank, item in enumerate(top, start=1) if item in relevant]
            best = range(1, min(k, len(relevant)) + 1)
            sums["recall"] += len(ranks) / len(best)
            sums["ndcg"] += sum(1 / math.log2(r + 1) for r in ranks) / sum(1 / math.log2(r + 1) for r in best)
            sums["mrr"] += 1 / ranks[0] if ranks else 0.0
    metrics = {f"coverage@{k}": len(listed) / targets.n_items}
    metrics["nll_consume"], metrics["nll_rating"] = (sums[key] / len(targets) for key in ("consume", "rating"))
    metrics["nll"] = metrics["nll_consume"] + metrics["nll_rating"]
    if ranked:
        metrics |= {f"{name}@{k}": sums[name] / ranked for name in ("ndcg", "recall", "mrr")}
    if rated:
        metrics |= {"rmse": math.sqrt(sums["square"] / rated), "mae": sums["size"] / rated}
    return metrics


def test_by_hand() -> None:
    fake = one_law([0.4, 0.3, 0.2, 0.1], [0.5, 0.25, 0.25])
    history = interactions([(0, 0, 2)], 2, 4)
    targets = interactions([(0, 2, 2), (0, 3, 3), (1, 0, 0)], 2, 4)
    report = evaluate(fake, history, targets, TOP_2)
    discount = 1 / math.log2(3)
    assert report.metrics == pytest.approx(
        {
            "ndcg@2": (discount / (1 + discount) + 1.0) / 2,  # lists: 1, 2 and 0, 1
            "recall@2": (0.5 + 1.0) / 2,
            "mrr@2": (0.5 + 1.0) / 2,
            "coverage@2": 0.75,
            "rmse": math.sqrt((1.25**2 + 0.75**2) / 2),  # expected 1.75, given 3 and 1
            "mae": 1.0,
            "nll_consume": -(math.log(0.2) + math.log(0.1) + math.log(0.4)) / 3,
            "nll_rating": -(math.log(0.25) + math.log(0.5)) / 3,
            "nll": -(math.log(0.2 * 0.1 * 0.4) + math.log(0.125)) / 3,
        }
    )
    counts = {"users": 2, "users_without_targets": 0, "users_ranked": 2, "interactions": 3, "rated_interactions": 2}
    assert report.counts == counts


@given(st.integers(0, 100_000), st.integers(1, 10))
def test_equals_the_naive_loop(seed: int, k: int) -> None:
    fake, history, targets = random_case(seed)
    assert evaluate(fake, history, targets, EvaluateConfig(k=(k,))).metrics == pytest.approx(
        naive(fake, history, targets, k), abs=1e-9
    )


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_batch_size_does_not_matter(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(20):
        fake, history, targets = random_case(seed)
        whole = evaluate(fake, history, targets)
        fake.batch_sizes.clear()
        with monkeypatch.context() as patch:
            patch.setattr(evaluation, "users_per_batch", lambda *_, **__: size)
            parts = evaluate(fake, history, targets)
        assert max(fake.batch_sizes) <= size
        assert parts.metrics == pytest.approx(whole.metrics, abs=1e-12)
        assert (parts.counts, parts.notes) == (whole.counts, whole.notes)


def test_metrics_do_not_depend_on_the_order_of_users() -> None:
    for seed in range(20):
        fake, history, targets = random_case(seed)
        order = np.random.default_rng(seed).permutation(targets.n_users)
        shuffled = evaluate(fake, history.select(order), targets.select(order))
        assert shuffled.metrics == pytest.approx(evaluate(fake, history, targets).metrics, abs=1e-12)


def test_every_k_is_reported() -> None:
    metrics = evaluate(*random_case(1), EvaluateConfig(k=(1, 3))).metrics
    assert {f"{name}@{k}" for name in ("ndcg", "recall", "mrr", "coverage") for k in (1, 3)} <= set(metrics)
    assert metrics["recall@1"] == metrics["ndcg@1"] == metrics["mrr@1"]


def test_users_without_targets_are_not_predicted_but_told() -> None:
    fake = one_law([0.5, 0.5], [0.2, 0.3, 0.5])
    report = evaluate(fake, interactions([], 5, 2), interactions([(3, 1, 0)], 5, 2), TOP_2)
    assert fake.batch_sizes == [1]
    assert report.counts["users_without_targets"] == 4
    assert "4 users without targets are not counted" in report.notes


def test_a_user_who_saw_all_items_is_not_ranked_but_told() -> None:
    fake = one_law([0.5, 0.5], [0.2, 0.3, 0.5])
    report = evaluate(fake, interactions([(0, 0, 0), (0, 1, 0)], 1, 2), interactions([(0, 1, 2)], 1, 2), TOP_2)
    assert set(report.metrics) == {"coverage@2", "rmse", "mae", "nll", "nll_consume", "nll_rating"}
    assert report.metrics["coverage@2"] == 0.0
    assert "1 users whose every target is in their history are not ranked" in report.notes


def test_without_a_rating_there_is_no_rmse() -> None:
    fake = one_law([0.5, 0.5], [0.2, 0.3, 0.5])
    report = evaluate(fake, interactions([], 1, 2), interactions([(0, 1, 3)], 1, 2), TOP_2)
    assert not {"rmse", "mae"} & set(report.metrics)
    assert report.metrics["nll_rating"] == 0.0
    assert "rmse, mae: not defined, none of the interactions is rated" in report.notes


def test_data_without_any_ratings() -> None:
    clicks = InteractionTypes.of([], rated=[], unrated=["click"])
    fake = Fake(np.array([[0.25, 0.75]]), np.ones((1, 2, 1)), clicks)
    report = evaluate(fake, interactions([], 1, 2), interactions([(0, 1, 0)], 1, 2), TOP_2)
    assert report.metrics["nll"] == pytest.approx(-math.log(0.75))
    assert "rmse" not in report.metrics


def test_the_law_is_not_changed_by_excluding_the_history() -> None:
    fake = one_law([0.5, 0.5], [0.2, 0.3, 0.5])
    before = fake.log_p_consume.copy()
    evaluate(fake, interactions([(0, 0, 0)], 1, 2), interactions([(0, 1, 2)], 1, 2), TOP_2)
    assert (fake.log_p_consume == before).all()


def test_no_targets_is_an_error() -> None:
    with pytest.raises(DataError, match=r"^no targets to evaluate on: expected at least one held-out interaction$"):
        evaluate(one_law([1.0], [0.2, 0.3, 0.5]), interactions([(0, 0, 0)], 1, 1), interactions([], 1, 1))


def test_tables_that_do_not_fit_are_an_error() -> None:
    message = r"^history has 2 users x 1 items, targets have 1 x 1: expected the same users and items$"
    with pytest.raises(DataError, match=message):
        evaluate(one_law([1.0], [0.2, 0.3, 0.5]), interactions([], 2, 1), interactions([(0, 0, 0)], 1, 1))


def test_report_is_frozen() -> None:
    with pytest.raises(AttributeError):
        Report({}, {}).notes = ("changed",)  # type: ignore[misc]
