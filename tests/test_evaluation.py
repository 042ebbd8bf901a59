"""The report: every figure against a loop over users, whatever the batches, and every way to have nothing to say."""

import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from conv4rec import evaluation
from conv4rec.baselines import MostPopular, true_law
from conv4rec.config import EvaluateConfig
from conv4rec.data.interactions import Interactions
from conv4rec.data.simulator import SimulatorConfig, simulate
from conv4rec.errors import DataError, TrainingError
from conv4rec.evaluation import Report, evaluate, evaluate_by_user
from conv4rec.predictions import Floats, Predictions
from conv4rec.records import Curves
from conv4rec.vocabulary import InteractionTypes
from tests.metrics.naive import World
from tests.triples import Triples, make_interactions

STARS = InteractionTypes.of([1.0, 2.0, 3.0])  # channels 0, 1, 2 rated, 3 unrated
SHOP = InteractionTypes.of([1.0, 2.0], rated=["buy"], unrated=["view"])  # buy:1, buy:2, view | buy unrated
CLICKS = InteractionTypes.of([], rated=[], unrated=["click"])
NO_BOOTSTRAP = EvaluateConfig(bootstrap=0)
KS = (1, 2, 5)
OF_LISTS = ("coverage", "gini", "popularity", "novelty", "diversity")


class Table:
    """A type law that is looked up: (B, I, L)."""

    def __init__(self, log_p: Floats) -> None:
        self.log_p = log_p

    def pairs(self, rows: NDArray[np.integer], items: NDArray[np.integer]) -> Floats:
        return np.asarray(self.log_p[rows, items])

    def grid(self) -> Floats:
        return self.log_p


class Fake:
    """A law for every user, known by index; it notes how many it is asked for at a time."""

    def __init__(self, log_p_consume: Floats, log_p_type: Floats, types: InteractionTypes = STARS) -> None:
        self.log_p_consume, self.log_p_type, self.types = log_p_consume, log_p_type, types
        self.batch_sizes: list[int] = []

    def predict(self, users: NDArray[np.intp], histories: Interactions) -> Predictions:
        assert histories.n_users == len(users)
        self.batch_sizes.append(len(users))
        return Predictions(self.types, self.log_p_consume[users], Table(self.log_p_type[users]))


class Case:
    """A fake, what is known, what is asked, and where items are counted."""

    def __init__(self, fake: Fake, history: Interactions, targets: Interactions, reference: Interactions) -> None:
        self.fake, self.history, self.targets, self.reference = fake, history, targets, reference

    def report(self, config: EvaluateConfig = NO_BOOTSTRAP) -> Report:
        return evaluate_by_user(
            self.fake.predict, self.fake.types, self.history, self.targets, config, reference=self.reference
        )

    def naive(self, config: EvaluateConfig) -> dict[str, float]:
        with np.errstate(divide="ignore"):
            p_consume, p_type = (
                np.exp(law.astype(np.float64)) for law in (self.fake.log_p_consume, self.fake.log_p_type)
            )
        known = self.history, self.targets, self.reference
        world = World(
            self.fake.types, p_consume.tolist(), p_type.tolist(), *known, config.relevant, config.like, ks=config.k
        )
        return world.metrics()

    def of_users(self, order: NDArray[np.integer]) -> "Case":
        """The same users in another order."""
        fake = Fake(self.fake.log_p_consume[order], self.fake.log_p_type[order], self.fake.types)
        return Case(fake, self.history.select(order), self.targets.select(order), self.reference)


def law_of_weights(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.log(weights / weights.sum(axis=-1, keepdims=True)))


def random_case(seed: int, *, types: InteractionTypes = STARS, with_ties: bool = True) -> Case:
    """Up to eleven users, eight items; repeated targets, targets in the history, users without either; few scores."""
    generator = np.random.default_rng(seed)
    n_users, n_items = int(generator.integers(1, 12)), int(generator.integers(2, 9))
    weights = generator.uniform(0.1, 3.0, (n_users, n_items))
    if with_ties:
        weights = generator.choice(weights.ravel()[:3], (n_users, n_items))
    laws = law_of_weights(generator.dirichlet(np.ones(types.n_types), 4))
    fake = Fake(
        law_of_weights(weights),
        laws[generator.integers(0, len(laws), (n_users, n_items))],
        types,
    )

    def draw(n: int) -> Interactions:
        columns = [generator.integers(0, high, n) for high in (n_users, n_items, types.n_channels)]
        triples = [(int(u), int(i), int(c)) for u, i, c in zip(*columns, strict=True)]
        return make_interactions(triples, n_users=n_users, n_items=n_items)

    return Case(fake, draw(int(generator.integers(0, 20))), draw(int(generator.integers(1, 20))), draw(15))


def one_law(p_consume: list[float], p_type: list[float], n_users: int = 1, types: InteractionTypes = STARS) -> Fake:
    """The same law for every user and item."""
    shape = (n_users, len(p_consume), len(p_type))
    with np.errstate(divide="ignore"):
        return Fake(np.log(np.tile(p_consume, (n_users, 1))), np.log(np.broadcast_to(p_type, shape)), types)


def small(fake: Fake, history: Triples, targets: Triples, config: EvaluateConfig = NO_BOOTSTRAP) -> Report:
    n_users, n_items = fake.log_p_consume.shape
    known, asked = (make_interactions(triples, n_users=n_users, n_items=n_items) for triples in (history, targets))
    return evaluate_by_user(fake.predict, fake.types, known, asked, config)


def test_by_hand() -> None:
    fake = one_law([0.4, 0.3, 0.2, 0.1], [0.5, 0.25, 0.25], n_users=2)
    report = small(fake, [(0, 0, 2)], [(0, 2, 2), (0, 3, 3), (1, 0, 0)], EvaluateConfig(k=(2,), bootstrap=0, like=2.0))
    discount = 1 / math.log2(3)
    expected = {  # lists: 1, 2 and 0, 1; user 0 asks for 2, 3, user 1 for 0
        "ndcg@2": (discount / (1 + discount) + 1.0) / 2,
        "recall@2": (0.5 + 1.0) / 2,
        "precision@2": 0.5,
        "map@2": (0.25 + 1.0) / 2,
        "mrr@2": (0.5 + 1.0) / 2,
        "hit_rate@2": 1.0,
        "auc": (0.0 + 1.0) / 2,
        "coverage@2": 0.75,
        "gini@2": 0.375,  # of 0, 1, 1, 2: differences of all ordered pairs, 12, over 2 x 4 items x 4 places
        "popularity@2": 0.125,  # one of two users has item 0; it is listed once in four
        "novelty@2": 1.0,  # items that nobody has count as had by one
        "diversity@2": 1.0,
        "nll_consume": -(math.log(0.2) + math.log(0.1) + math.log(0.4)) / 3,
        "nll_rating": -(math.log(0.25) + math.log(0.5)) / 3,
        "nll": -(math.log(0.2 * 0.1 * 0.4) + math.log(0.125)) / 3,
        "brier_consume": 1 + 0.3 - 2 * 0.7 / 3,
        "ece_consume": (1.1 + 0.4 + 0.7) / 3,  # bins .4 + .3, .2 and .1, thrice, and one event in each
        "rmse": math.sqrt((1.25**2 + 0.75**2) / 2),  # expected 1.75, given 3 and 1
        "mae": 1.0,
        "rps": ((0.25 + 0.5625) / 2 + (0.25 + 0.0625) / 2) / 2,
        "accuracy": 0.5,
        "brier_like": 0.25,
        "ece_like": 0.0,
        "auc_like": 0.5,
        "ndcg_like@2": 1.0,
    }
    assert set(report.metrics) == set(expected)
    for name, value in expected.items():
        assert report.metrics[name] == pytest.approx(value), name
    assert report.counts == {
        "users": 2,
        "users_without_targets": 0,
        "users_ranked": 2,
        "users_who_like": 1,
        "interactions": 3,
        "rated_interactions": 2,
    }


@given(st.integers(0, 100_000), st.booleans(), st.sampled_from([STARS, SHOP]))
def test_equals_the_naive_loops(seed: int, with_ties: bool, types: InteractionTypes) -> None:
    case, config = random_case(seed, types=types, with_ties=with_ties), EvaluateConfig(k=KS, bootstrap=0)
    assert case.report(config).metrics == pytest.approx(case.naive(config), abs=1e-6, nan_ok=False)


@given(st.integers(0, 100_000), st.sampled_from([1.0, 2.0, 3.0, 4.0]), st.sampled_from([0.5, 2.0, 3.0, 4.0]))
def test_equals_the_naive_loops_with_thresholds(seed: int, relevant: float, like: float) -> None:
    case = random_case(seed)
    config = EvaluateConfig(k=(3, 1), bootstrap=0, relevant=relevant, like=like)
    assert case.report(config).metrics == pytest.approx(case.naive(config), abs=1e-6)


@given(st.integers(0, 100_000))
def test_single_precision_changes_the_last_digits_only(seed: int) -> None:
    case = random_case(seed)
    rough = Fake(case.fake.log_p_consume.astype(np.float32), case.fake.log_p_type.astype(np.float32))
    single = Case(rough, case.history, case.targets, case.reference)
    config = EvaluateConfig(k=KS, bootstrap=0)
    assert single.report(config).metrics == pytest.approx(single.naive(config), abs=1e-5)


@settings(max_examples=40)
@given(st.integers(0, 100_000), st.integers(1, 5))
def test_batches_do_not_matter(seed: int, size: int) -> None:
    case, config = random_case(seed), EvaluateConfig(bootstrap=20)
    whole = case.report(config)
    case.fake.batch_sizes.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "users_per_batch", lambda *_, **__: size)
        parts = case.report(config)
    assert max(case.fake.batch_sizes) <= size
    assert sum(case.fake.batch_sizes) == parts.counts["users"]
    assert parts.metrics == pytest.approx(whole.metrics, abs=1e-9)
    assert (parts.counts, parts.notes) == (whole.counts, whole.notes)
    assert set(parts.replicates) == set(whole.replicates)
    for name, values in whole.replicates.items():
        np.testing.assert_allclose(parts.replicates[name], values, atol=1e-5, err_msg=name)


@settings(max_examples=40)
@given(st.integers(0, 100_000))
def test_metrics_do_not_depend_on_the_order_of_users(seed: int) -> None:
    case = random_case(seed)
    shuffled = case.of_users(np.random.default_rng(seed).permutation(case.targets.n_users))
    assert shuffled.report().metrics == pytest.approx(case.report().metrics, abs=1e-9)


@settings(max_examples=40)
@given(st.integers(0, 100_000))
def test_metrics_do_not_depend_on_the_order_of_rows(seed: int) -> None:
    case, generator = random_case(seed), np.random.default_rng(seed)

    def shuffled(data: Interactions) -> Interactions:
        order = np.lexsort((generator.random(len(data)), data.users))
        return replace(data, items=data.items[order], channels=data.channels[order])

    other = Case(case.fake, shuffled(case.history), shuffled(case.targets), shuffled(case.reference))
    assert other.report().metrics == pytest.approx(case.report().metrics, abs=1e-9)


@settings(max_examples=40)
@given(st.integers(0, 100_000))
def test_metrics_do_not_depend_on_the_numbering_of_items_where_no_scores_are_equal(seed: int) -> None:
    case = random_case(seed, with_ties=False)
    n_items, n_types = case.fake.log_p_type.shape[1:]
    generator = np.random.default_rng(seed)
    case.fake.log_p_type = law_of_weights(generator.dirichlet(np.ones(n_types), (12, n_items)))
    new = generator.permutation(n_items)  # item i is now called new[i]
    old = np.argsort(new)
    fake = Fake(case.fake.log_p_consume[:, old], case.fake.log_p_type[:, old])
    renamed = [
        replace(data, items=new[data.items].astype(np.int32)) for data in (case.history, case.targets, case.reference)
    ]
    assert Case(fake, *renamed).report().metrics == pytest.approx(case.report().metrics, abs=1e-9)


def test_ties_go_to_the_lower_index_and_count_half_for_auc() -> None:
    fake = one_law([0.25] * 4, [0.2, 0.3, 0.5], n_users=2)
    report = small(fake, [], [(0, 1, 0), (1, 3, 0)], EvaluateConfig(k=(2,), bootstrap=0))
    assert report.metrics["mrr@2"] == 0.25  # ranks 2 and 4
    assert report.metrics["auc"] == 0.5
    assert report.metrics["coverage@2"] == 0.5


def test_the_same_call_gives_the_same_bits() -> None:
    simulation = simulate(SimulatorConfig(n_users=300, n_items=80, n_interactions=20))
    known = Interactions.from_ratings(simulation.ratings, simulation.vocabulary)
    first, second = (
        evaluate_by_user(lambda users, _: true_law(simulation, users), simulation.ratings.types, known, known)
        for _ in range(2)
    )
    assert first == second
    for name, values in first.replicates.items():
        np.testing.assert_array_equal(values, second.replicates[name])


def test_every_metric_has_an_interval_around_it() -> None:
    simulation = simulate(SimulatorConfig(n_users=300, n_items=600, n_interactions=20))
    known = Interactions.from_ratings(simulation.ratings, simulation.vocabulary)
    some = np.random.default_rng(0).random(len(known)) < 0.5
    parts = known.keep(some), known.keep(~some)
    report = evaluate_by_user(lambda users, _: true_law(simulation, users), simulation.ratings.types, *parts)
    assert set(report.intervals) == set(report.metrics) == set(report.replicates)
    for name, (low, high) in report.intervals.items():
        assert low < report.metrics[name] < high, name
        expected = 100 if name.startswith(("coverage", "gini")) else 1000
        assert report.replicates[name].shape == (expected,), name
    width = np.diff(report.intervals["rmse"])[0]
    assert 0.005 < width < 0.1


def test_identical_models_do_not_differ_in_any_replicate() -> None:
    case, config = random_case(3), EvaluateConfig(k=KS, bootstrap=200)
    one, other = case.report(config), case.report(config)
    for name, values in one.replicates.items():
        difference = values - other.replicates[name]
        assert (difference[np.isfinite(values)] == 0).all(), name


def test_models_are_paired_user_by_user() -> None:
    """The better model is better in every replicate, because both are asked about the same users in each."""
    n_users, n_items = 400, 6
    generator = np.random.default_rng(0)
    targets = make_interactions(
        [(u, int(generator.integers(0, n_items)), 0) for u in range(n_users)], n_users=n_users, n_items=n_items
    )
    nothing = make_interactions([], n_users=n_users, n_items=n_items)
    law = law_of_weights(generator.random((n_users, n_items)) + 0.1)
    better = law.copy()
    better[np.arange(n_users), targets.items] += 0.01
    kinds = np.full((n_users, n_items, 1), 0.0)
    one, other = (
        evaluate_by_user(Fake(scores, kinds, CLICKS).predict, CLICKS, nothing, targets) for scores in (law, better)
    )
    assert (one.intervals["nll"][0] - one.intervals["nll"][1]) < -0.05  # far from sure of either
    np.testing.assert_allclose(one.replicates["nll"] - other.replicates["nll"], 0.01, atol=1e-6)


def test_the_truth_is_calibrated_and_nothing_has_a_better_likelihood() -> None:
    simulation = simulate(SimulatorConfig(n_users=400, n_items=60, n_interactions=80, replace=True, seed=1))
    known = Interactions.from_ratings(simulation.ratings, simulation.vocabulary)
    nothing, types = known.keep(np.zeros(len(known), dtype=np.bool_)), simulation.ratings.types
    truth = evaluate_by_user(lambda users, _: true_law(simulation, users), types, nothing, known, NO_BOOTSTRAP)
    popular = evaluate(MostPopular.fit(known, types), nothing, known, NO_BOOTSTRAP)
    n = truth.counts["interactions"]
    assert n > 20_000
    # the sum over bins of |events - p| / n, each about sqrt(2 / pi) sqrt(n_bin p) / n: below sqrt(bins / n)
    assert truth.metrics["ece_consume"] < math.sqrt(22 / n)
    assert truth.metrics["ece_like"] < math.sqrt(20 / n)
    assert truth.metrics["nll"] < popular.metrics["nll"] - 0.1
    log_p, p = simulation.log_p_consume, np.exp(simulation.log_p_consume)
    entropy = float((known.counts @ -(p * log_p).sum(axis=1)) / n)
    assert truth.metrics["nll_consume"] == pytest.approx(entropy, abs=0.03)
    liked = truth.curves["reliability_like"]
    assert all(abs(row["predicted"] - row["observed"]) < 0.05 for row in liked if row["weight"] > 0.02)


def test_a_uniform_law_is_calibrated_whatever_the_precision() -> None:
    """1 / I lies on the edge of a bin: all of it must fall on the same side."""
    for n_items in (3, 7, 60, 1000):
        for dtype in (np.float32, np.float64):
            law = np.full((2, n_items), -np.log(n_items), dtype=dtype)
            fake = Fake(law, np.zeros((2, n_items, 1)), CLICKS)
            report = small(fake, [], [(0, 0, 0), (0, 1, 0), (1, 2, 0)])
            assert report.metrics["ece_consume"] == pytest.approx(0.0, abs=1e-5)


def test_curves_are_those_of_a_record() -> None:
    case = random_case(5)
    report = case.report(EvaluateConfig(k=KS, bootstrap=0))
    curves = Curves.model_validate(report.curves)
    assert [point.k for point in curves.precision_recall] == [1, 2, 3, 4, 5]
    for k in KS:
        assert curves.precision_recall[k - 1].precision == pytest.approx(report.metrics[f"precision@{k}"])
    assert sum(share.observed for share in curves.ratings) == pytest.approx(1.0)
    assert sum(share.predicted for share in curves.ratings) == pytest.approx(1.0)
    for bins, name in ((curves.reliability_like, "ece_like"), (curves.reliability_consume, "ece_consume")):
        assert sum(bin_.weight for bin_ in bins) == pytest.approx(1.0)
        assert bins, name
    like = sum(b.weight * abs(b.predicted - b.observed) for b in curves.reliability_like)
    assert like == pytest.approx(report.metrics["ece_like"])


def test_recall_of_the_curve_divides_by_all_relevant_items() -> None:
    fake = one_law([0.4, 0.3, 0.2, 0.1], [0.2, 0.3, 0.5])
    report = small(fake, [], [(0, 0, 0), (0, 1, 0), (0, 3, 0)], EvaluateConfig(k=(2,), bootstrap=0))
    assert report.curves["precision_recall"] == [
        {"k": 1, "precision": 1.0, "recall": pytest.approx(1 / 3)},
        {"k": 2, "precision": 1.0, "recall": pytest.approx(2 / 3)},
    ]
    assert report.metrics["recall@2"] == 1.0


def test_the_reference_counts_popularity_and_the_history_is_left_out() -> None:
    fake = one_law([0.4, 0.3, 0.3], [0.2, 0.3, 0.5], n_users=2)
    history = make_interactions([(0, 0, 0)], n_users=2, n_items=3)
    targets = make_interactions([(0, 1, 0)], n_users=2, n_items=3)
    reference = make_interactions([(0, 1, 0), (1, 1, 1), (2, 1, 0), (2, 1, 0), (3, 2, 0)], n_users=4, n_items=3)
    config = EvaluateConfig(k=(1,), bootstrap=0)
    report = evaluate_by_user(fake.predict, STARS, history, targets, config, reference=reference)
    assert report.metrics["popularity@1"] == 0.75
    assert report.metrics["novelty@1"] == pytest.approx(-math.log2(0.75))
    alone = evaluate_by_user(fake.predict, STARS, history, targets, config)
    assert alone.metrics["popularity@1"] == 0.0


@pytest.mark.parametrize(
    ("claims", "absent"),
    [
        ({"consume"}, {"nll_rating", "rmse", "ece_like", "ndcg_like@1", "nll"}),
        ({"rating"}, {"nll_consume", "ndcg@1", "coverage@1", "diversity@2", "auc", "ece_consume", "nll"}),
    ],
)
def test_what_is_not_claimed_is_not_measured(claims: set[evaluation.Claim], absent: set[str]) -> None:
    case, config = random_case(5), EvaluateConfig(k=(1, 2), bootstrap=20)
    full = case.report(config)
    known = case.history, case.targets, config
    part = evaluate_by_user(case.fake.predict, STARS, *known, claims=frozenset(claims), reference=case.reference)
    assert absent <= set(full.metrics)
    assert not absent & set(part.metrics)
    assert part.metrics == {name: full.metrics[name] for name in part.metrics}
    assert any("makes no claim" in note for note in part.notes)
    assert set(part.curves) == (
        {"ratings", "reliability_like"} if claims == {"rating"} else set(full.curves) - {"ratings", "reliability_like"}
    )


def test_the_placeholder_of_what_is_not_claimed_is_not_read() -> None:
    nothing = np.full((1, 2), np.nan)
    fake = Fake(nothing, np.log(np.full((1, 2, 3), 1 / 3)))
    known = make_interactions([], n_users=1, n_items=2)
    targets = make_interactions([(0, 1, 1)], n_users=1, n_items=2)
    report = evaluate_by_user(fake.predict, STARS, known, targets, claims=frozenset({"rating"}))
    assert report.metrics["rmse"] == pytest.approx(0.0)


def test_users_without_targets_are_not_predicted_but_told() -> None:
    fake = one_law([0.5, 0.5], [0.2, 0.3, 0.5], n_users=5)
    report = small(fake, [], [(3, 1, 0)])
    assert fake.batch_sizes == [1]
    assert report.counts["users_without_targets"] == 4
    assert "4 users without targets are not counted" in report.notes


def test_a_user_who_saw_all_items_is_not_ranked_but_told() -> None:
    fake = one_law([0.5, 0.5], [0.2, 0.3, 0.5])
    report = small(fake, [(0, 0, 0), (0, 1, 0)], [(0, 1, 2)], EvaluateConfig(k=(2,), bootstrap=50))
    assert not any(
        name.startswith(("ndcg@", "recall@", "gini", "popularity", "diversity", "auc")) for name in report.metrics
    )
    assert report.metrics["coverage@2"] == 0.0
    assert report.metrics["nll_consume"] == pytest.approx(math.log(2))
    assert report.metrics["rmse"] == pytest.approx(0.7)
    assert report.counts["users_ranked"] == 0
    assert report.curves["precision_recall"] == []
    assert "1 users without a relevant item outside their history are not ranked" in report.notes


def test_a_user_without_a_relevant_item_is_not_ranked() -> None:
    fake = one_law([0.6, 0.4], [0.2, 0.3, 0.5], n_users=2)
    report = small(fake, [], [(0, 1, 0), (1, 1, 2)], EvaluateConfig(k=(2,), bootstrap=0, relevant=3.0))
    assert report.counts["users_ranked"] == 1
    assert report.metrics["mrr@2"] == 0.5
    assert any("held-out items rated 3 or more, not in the history" in note for note in report.notes)


def test_nobody_is_ranked_where_the_threshold_is_above_the_scale() -> None:
    fake = one_law([0.6, 0.4], [0.2, 0.3, 0.5])
    report = small(fake, [], [(0, 1, 2)], EvaluateConfig(k=(1,), bootstrap=30, relevant=9.0, like=9.0))
    assert report.counts["users_ranked"] == report.counts["users_who_like"] == 0
    assert not {"ndcg@1", "auc", "auc_like", "ndcg_like@1"} & set(report.metrics)
    assert report.metrics["brier_like"] == report.metrics["ece_like"] == 0.0
    assert "auc_like: not defined, none of the ratings are liked" in report.notes


def test_one_class_leaves_auc_undefined() -> None:
    fake = one_law([0.6, 0.4], [0.2, 0.3, 0.5])
    report = small(fake, [], [(0, 0, 2), (0, 1, 2)], EvaluateConfig(k=(1,), bootstrap=0))
    assert not {"auc", "auc_like"} & set(report.metrics)
    assert report.metrics["ndcg_like@1"] == 1.0
    assert "auc: not defined, the ranked users have no other item that they have not seen" in report.notes
    assert "auc_like: not defined, all of the ratings are liked" in report.notes


def test_constant_scores() -> None:
    fake = one_law([0.2] * 5, [1 / 3] * 3, n_users=3)
    report = small(fake, [(0, 0, 0)], [(0, 1, 2), (1, 4, 0), (2, 0, 1)], EvaluateConfig(k=(1, 5), bootstrap=50))
    assert report.metrics["auc"] == report.metrics["auc_like"] == 0.5
    assert report.metrics["mrr@1"] == pytest.approx(2 / 3)  # user 0 is shown item 1, users 1 and 2 item 0
    assert report.metrics["mrr@5"] == pytest.approx((1 + 1 / 5 + 1) / 3)
    assert report.metrics["rmse"] == pytest.approx(math.sqrt(2 / 3))
    assert report.metrics["accuracy"] == pytest.approx(1 / 3)  # the lowest of equally likely ratings


def test_one_user_one_item() -> None:
    report = small(one_law([1.0], [1.0, 0.0, 0.0]), [], [(0, 0, 0)], EvaluateConfig(k=(10,), bootstrap=20))
    ones = ("ndcg@10", "recall@10", "map@10", "mrr@10", "hit_rate@10", "coverage@10", "accuracy")
    assert all(report.metrics[name] == 1.0 for name in ones)
    assert report.metrics["precision@10"] == pytest.approx(0.1)
    assert report.metrics["nll"] == report.metrics["rmse"] == report.metrics["gini@10"] == 0.0
    assert not {"auc", "diversity@10"} & set(report.metrics)
    assert report.intervals["ndcg@10"] == (1.0, 1.0)


def test_a_list_longer_than_the_catalogue_changes_nothing_but_precision() -> None:
    case = random_case(9)
    metrics = case.report(EvaluateConfig(k=(8, 50), bootstrap=0)).metrics
    for name in ("recall", "ndcg", "map", "mrr", "hit_rate", *OF_LISTS):
        assert metrics[f"{name}@50"] == pytest.approx(metrics[f"{name}@8"]), name
    assert metrics["precision@50"] == pytest.approx(metrics["precision@8"] * 8 / 50)


def test_a_repeated_target_is_one_relevant_item_and_two_interactions() -> None:
    fake = one_law([0.4, 0.3, 0.3], [0.2, 0.3, 0.5])
    report = small(fake, [], [(0, 1, 2), (0, 1, 0)], EvaluateConfig(k=(2,), bootstrap=0))
    assert report.metrics["recall@2"] == 1.0
    assert report.counts["interactions"] == report.counts["rated_interactions"] == 2
    assert report.metrics["nll_consume"] == pytest.approx(-math.log(0.3))
    assert report.metrics["mae"] == pytest.approx((0.7 + 1.3) / 2)
    # of two ratings of one item, the one that is not liked comes first
    assert report.metrics["ndcg_like@2"] == pytest.approx(1 / math.log2(3))


def test_a_target_in_the_history_counts_for_likelihood_and_ratings_only() -> None:
    fake = one_law([0.4, 0.3, 0.3], [0.2, 0.3, 0.5])
    report = small(fake, [(0, 0, 2)], [(0, 0, 2), (0, 2, 0)], EvaluateConfig(k=(2,), bootstrap=0))
    assert report.metrics["mrr@2"] == 0.5
    assert report.counts["interactions"] == 2
    assert report.metrics["nll_consume"] == pytest.approx(-(math.log(0.4) + math.log(0.3)) / 2)


def test_a_repeated_history_leaves_an_item_out_once() -> None:
    fake = one_law([0.4, 0.3, 0.3], [0.2, 0.3, 0.5])
    config = EvaluateConfig(k=(1, 2), bootstrap=0)
    once, twice = (small(fake, [(0, 0, 2)] * n, [(0, 2, 0)], config) for n in (1, 2))
    assert once.metrics == twice.metrics
    assert once.metrics["auc"] == 0.5


def test_partial_types_only() -> None:
    fake = one_law([0.5, 0.5], [0.2, 0.3, 0.5])
    report = small(fake, [], [(0, 1, 3)])
    assert not {"rmse", "mae", "rps", "accuracy", "ece_like", "auc_like"} & set(report.metrics)
    assert report.metrics["nll_rating"] == 0.0  # it may have been anything
    assert set(report.curves) == {"reliability_consume", "precision_recall"}
    assert "rmse and all other metrics of ratings: not defined, none of the interactions is rated" in report.notes
    shop = small(one_law([0.5, 0.5], [0.2, 0.3, 0.5], types=SHOP), [], [(0, 1, 3)])
    assert shop.metrics["nll_rating"] == pytest.approx(-math.log(0.5))


def test_data_without_any_ratings() -> None:
    fake = Fake(np.log(np.array([[0.25, 0.75]])), np.zeros((1, 2, 1)), CLICKS)
    report = small(fake, [], [(0, 1, 0)])
    assert report.metrics["nll"] == pytest.approx(-math.log(0.75))
    assert "rmse" not in report.metrics


def test_an_item_with_probability_zero_is_never_listed_and_stays_relevant() -> None:
    fake = one_law([0.5, 0.5, 0.0, 0.0], [0.2, 0.3, 0.5])
    report = small(fake, [(0, 0, 0)], [(0, 2, 0)], EvaluateConfig(k=(3,), bootstrap=10))
    assert report.counts["users_ranked"] == 1
    assert report.metrics["recall@3"] == 0.0
    assert report.metrics["coverage@3"] == 0.25
    assert report.metrics["auc"] == 0.25  # behind item 1, level with item 3
    assert report.metrics["nll_consume"] == math.inf
    assert "nll_consume" not in report.intervals
    assert report.metrics["brier_consume"] == pytest.approx(1.5)


def test_the_law_is_not_changed_by_leaving_out_the_history() -> None:
    fake = one_law([0.5, 0.5], [0.2, 0.3, 0.5])
    before = fake.log_p_consume.copy()
    small(fake, [(0, 0, 0)], [(0, 1, 2)])
    assert (fake.log_p_consume == before).all()


def test_no_replicates_no_intervals() -> None:
    report = random_case(5).report(NO_BOOTSTRAP)
    assert (report.intervals, report.replicates) == ({}, {})
    assert not any(note.startswith("intervals") for note in report.notes)


def test_a_metric_that_some_replicates_leave_undefined_keeps_an_interval() -> None:
    """One user in three is rated: a replicate without that user has no rmse."""
    fake = one_law([0.5, 0.5], [0.2, 0.3, 0.5], n_users=3)
    report = small(fake, [], [(0, 1, 2), (1, 1, 3), (2, 1, 3)], EvaluateConfig(k=(1,), bootstrap=400))
    undefined = np.isnan(report.replicates["rmse"]).mean()
    assert undefined == pytest.approx(math.exp(-1), abs=0.08)  # weight 0 of Poisson(1)
    assert report.intervals["rmse"] == pytest.approx((0.7, 0.7))


def test_a_replicate_may_draw_nobody() -> None:
    for seed in range(20):
        config = EvaluateConfig(k=(1,), bootstrap=1, seed=seed)
        report = small(one_law([0.5, 0.5], [0.2, 0.3, 0.5]), [], [(0, 1, 2)], config)
        assert report.intervals == {}


def test_exposure_that_does_not_fit_the_memory_has_no_intervals_and_says_so() -> None:
    n_items = 3000
    fake = Fake(np.full((1, n_items), -np.log(n_items)), np.zeros((1, n_items, 1)), CLICKS)
    config = EvaluateConfig(k=(1,), bootstrap=100, memory_mb=4)
    report = small(fake, [], [(0, 1, 0)], config)
    assert "coverage@1" in report.metrics
    assert "coverage@1" not in report.intervals
    assert "ndcg@1" in report.intervals
    assert "coverage, gini: no intervals, because their replicates do not fit evaluate.memory_mb" in report.notes


def test_no_targets_is_an_error() -> None:
    with pytest.raises(DataError, match=r"^no targets to evaluate on: expected at least one held-out interaction$"):
        small(one_law([1.0], [0.2, 0.3, 0.5]), [(0, 0, 0)], [])


def test_tables_that_do_not_fit_are_an_error() -> None:
    fake = one_law([1.0], [0.2, 0.3, 0.5])
    nothing, targets = (make_interactions(rows, n_users=1, n_items=1) for rows in ([], [(0, 0, 0)]))
    message = r"^history has 2 users x 1 items, targets have 1 x 1: expected the same users and items$"
    with pytest.raises(DataError, match=message):
        evaluate_by_user(fake.predict, STARS, make_interactions([], n_users=2, n_items=1), targets)
    message = r"^what is excluded has 1 users x 2 items, targets have 1 x 1: expected the same users and items$"
    with pytest.raises(DataError, match=message):
        evaluate_by_user(fake.predict, STARS, nothing, targets, exclude=make_interactions([], n_users=1, n_items=2))
    wide = make_interactions([], n_users=1, n_items=3)
    with pytest.raises(DataError, match=r"^the reference has 3 items, targets have 1: expected the same$"):
        evaluate_by_user(fake.predict, STARS, nothing, targets, reference=wide)


def test_a_law_that_is_not_a_number_is_an_error() -> None:
    fake = one_law([0.5, 0.5], [0.2, 0.3, 0.5], n_users=3)
    fake.log_p_consume[2, 1] = np.nan
    targets: Triples = [(1, 0, 0), (2, 0, 0)]
    with pytest.raises(TrainingError, match=r"^user 2: the law of consumption is NaN, expected log-probabilities$"):
        small(fake, [(2, 1, 0)], targets)
    fake = one_law([0.5, 0.5], [0.2, 0.3, 0.5], n_users=3)
    fake.log_p_type[1, 0] = np.nan
    with pytest.raises(TrainingError, match=r"^user 1: the law of a type is NaN, expected log-probabilities$"):
        small(fake, [], targets)


def test_report_is_frozen() -> None:
    with pytest.raises(AttributeError):
        Report({}, {}).notes = ("changed",)  # type: ignore[misc]


def test_memory_does_not_grow_with_the_number_of_users() -> None:
    def peak(n_users: int) -> int:
        generator = np.random.default_rng(0)
        users = np.repeat(np.arange(n_users, dtype=np.int32), 5)
        items, channels = generator.integers(0, 200, len(users)), generator.integers(0, 3, len(users))
        columns = users, items.astype(np.int32), channels.astype(np.uint8)
        data = Interactions.from_triples(*columns, n_users=n_users, n_items=200)
        model = MostPopular.fit(data, STARS)
        config = EvaluateConfig(k=(5, 20), bootstrap=100, memory_mb=8)
        tracemalloc.start()
        evaluate(model, data, data, config)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    small_one, large_one = peak(2000), peak(16_000)
    assert large_one < 1.15 * small_one
    assert large_one < 8 * 2**20 + 20 * 2**20 + 100 * 200


def test_what_was_taken_besides_is_left_out_of_lists_but_not_told() -> None:
    fake = one_law([0.4, 0.3, 0.2, 0.1], [0.2, 0.3, 0.5], n_users=3)
    history, targets, besides = (
        make_interactions(triples, n_users=3, n_items=4)
        for triples in ([(2, 1, 0)], [(2, 1, 2), (2, 2, 2), (2, 3, 1)], [(1, 2, 0), (2, 0, 0), (2, 3, 0), (2, 1, 0)])
    )
    told: list[int] = []

    def predict(users: NDArray[np.intp], histories: Interactions) -> Predictions:
        told.extend(histories.items.tolist())
        return fake.predict(users, histories)

    config = EvaluateConfig(k=(2,), bootstrap=0)
    report = evaluate_by_user(predict, STARS, history, targets, config, exclude=besides)
    assert told == [1]
    assert report.metrics["mrr@2"] == 1.0  # item 2 leads, now that item 0 is out
    assert report.metrics["recall@2"] == 1.0  # item 3, out as well, is not relevant
    assert report.metrics["coverage@2"] == 0.25
    assert report.metrics["nll_consume"] == pytest.approx(-(math.log(0.3) + math.log(0.2) + math.log(0.1)) / 3)
