"""recall@K^beta: by hand, against a loop, and the same whatever the memory."""

import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv4rec import timed_evaluation
from conv4rec.config import EvaluateConfig
from conv4rec.data.interactions import Interactions
from conv4rec.data.timeline import Timeline
from conv4rec.errors import DataError, QueryError
from conv4rec.predictions import Predictions
from conv4rec.records import RecallBeta
from conv4rec.timed_evaluation import TimedReport, evaluate_over_time
from conv4rec.vocabulary import InteractionTypes
from tests.triples import make_interactions

ONE = InteractionTypes.of([], rated=(), unrated=(None,))
STARS = InteractionTypes.of([1.0, 2.0, 3.0])
PLAIN = EvaluateConfig(k=(1, 2), bootstrap=0)
Event = tuple[int, int, int]
"""User, item, time."""


class NoTypes:
    """A type law that must not be asked."""

    def pairs(self, rows: np.ndarray, items: np.ndarray) -> np.ndarray:
        raise AssertionError(rows, items)

    def grid(self) -> np.ndarray:
        raise AssertionError


class Fake:
    """Scores that follow from who asks and from the sum of the items of the profile, out of a fixed table."""

    def __init__(self, scores: np.ndarray) -> None:
        self.scores = scores
        self.calls = 0

    def __call__(self, users: np.ndarray, histories: Interactions) -> Predictions:
        self.calls += 1
        sums = np.bincount(histories.users, weights=histories.items + 1, minlength=histories.n_users)
        return Predictions(ONE, self.scores[(users + sums.astype(int)) % len(self.scores)], NoTypes())

    def one(self, user: int, profile: Sequence[int]) -> list[float]:
        found: list[float] = self.scores[(user + sum(profile) + len(profile)) % len(self.scores)].tolist()
        return found


def timeline(events: Sequence[Event], *, n_users: int = 3, n_items: int = 4, kinds: Sequence[int] = ()) -> Timeline:
    events = list(events)
    kinds = kinds if kinds else [0] * len(events)
    triples = [(user, item, kind) for (user, item, _), kind in zip(events, kinds, strict=True)]
    times = [time for _, _, time in sorted(events, key=lambda event: event[0])]
    return Timeline(make_interactions(triples, n_users=n_users, n_items=n_items), np.array(times, dtype=np.int64))


def always(*scores: float) -> Fake:
    return Fake(np.array([scores], dtype=np.float64))


def value(report: TimedReport, name: str) -> float:
    return report.metrics[name]


def test_by_hand() -> None:
    """User 0 takes 0, 1, 2 in turn; everybody is offered 1, 0, 2, 3; reference: item 0 four times, 1 twice, 2 never."""
    targets = timeline([(0, 0, 1), (0, 1, 2), (0, 2, 3), (1, 0, 9)])
    reference = make_interactions([(0, 0, 0)] * 4 + [(0, 1, 0)] * 2, n_users=1, n_items=4)
    report = evaluate_over_time(
        always(3, 4, 2, 1), ONE, timeline([]), targets, PLAIN, betas=(0.0, 1.0), reference=reference
    )
    # LLOO ranks: 0 from nothing: 2; 1 after 0: 1; 2 after 0, 1: 1; user 1: 0 from nothing: 2
    # LOO ranks: 0 without 1, 2: 1; 1 without 0, 2: 1; 2 without 0, 1: 1; user 1: 2
    # weights with beta 1: 6/4, 6/2, 6/1 (as if once), 6/4
    total = 1.5 + 3 + 6 + 1.5
    assert report.metrics == pytest.approx(
        {
            "recall@1^0_lloo": 2 / 4,
            "recall@1^1_lloo": 9 / total,
            "recall@2^0_lloo": 1.0,
            "recall@2^1_lloo": 1.0,
            "recall@1^0_loo": 3 / 4,
            "recall@1^1_loo": 10.5 / total,
            "recall@2^0_loo": 1.0,
            "recall@2^1_loo": 1.0,
        }
    )
    assert report.counts == {
        "interactions": 4,
        "users": 2,
        "users_without_targets": 1,
        "unpopular": 1,
        "unreachable": 0,
    }
    assert any("1 interactions are with items that nobody took before" in note for note in report.notes)


def test_equal_times_are_not_earlier() -> None:
    targets = timeline([(0, 1, 5), (0, 0, 5)])
    report = evaluate_over_time(always(3, 4, 2, 1), ONE, timeline([]), targets, PLAIN, betas=(0.0,))
    assert value(report, "recall@1^0_lloo") == 0.5  # item 0 stands behind item 1, which is not yet in the profile
    assert value(report, "recall@1^0_loo") == 1.0


def test_what_is_in_the_profile_cannot_be_hit_again() -> None:
    targets = timeline([(0, 1, 1), (0, 1, 2)])
    report = evaluate_over_time(always(1, 4, 2, 3), ONE, timeline([]), targets, EvaluateConfig(k=(4,), bootstrap=0))
    assert value(report, "recall@4^0_lloo") == 0.5
    assert value(report, "recall@4^0_loo") == 1.0  # all other items: the profile holds item 1 neither time
    assert report.counts["unreachable"] == 1
    assert any("1 interactions cannot be hit" in note for note in report.notes)


def test_history_is_known_and_not_scored_and_targets_are_known_to_later_ones() -> None:
    history, targets = timeline([(0, 1, 1)]), timeline([(0, 0, 2), (0, 2, 3)])
    report = evaluate_over_time(always(3, 4, 2, 1), ONE, history, targets, PLAIN, betas=(0.0,))
    assert report.counts["interactions"] == 2
    assert value(report, "recall@1^0_lloo") == 1.0


def test_only_relevant_targets_are_scored_and_the_others_known() -> None:
    targets = timeline([(0, 1, 1), (0, 0, 2), (0, 2, 3)], kinds=[0, 2, 3])  # 1 star, 3 stars, not rated
    config = PLAIN.model_copy(update={"relevant": 2.0})
    report = evaluate_over_time(always(3, 4, 2, 1), STARS, timeline([]), targets, config, betas=(0.0,))
    assert report.counts["interactions"] == 1
    assert value(report, "recall@1^0_lloo") == 1.0  # item 1, better placed, is in the profile
    message = "no targets rated 4 or more: expected at least one to evaluate on"
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        evaluate_over_time(always(3, 4, 2, 1), STARS, timeline([]), targets, PLAIN.model_copy(update={"relevant": 4.0}))


def naive(fake: Fake, history: list[Event], targets: list[Event], k: int, beta: float) -> dict[str, float]:
    """The definition, one event after the other; popularity from the history."""
    everything = [*history, *targets]
    n_items = fake.scores.shape[1]
    hits, total = {"lloo": 0.0, "loo": 0.0}, 0.0
    for user, item, time in targets:
        popularity = max(1, sum(other[1] == item for other in history)) / max(1, len(history))
        total += popularity**-beta
        profiles = {
            "lloo": [i for u, i, t in everything if u == user and t < time],
            "loo": [i for u, i, _ in everything if u == user and i != item],
        }
        for form, profile in profiles.items():
            scores = fake.one(user, profile)
            ranked = sorted((i for i in range(n_items) if i not in profile), key=lambda i: (-scores[i], i))
            hits[form] += (item in ranked[:k]) * popularity**-beta
    return {f"recall@{k}^{beta:g}_{form}": found / total for form, found in hits.items()}


@given(st.integers(0, 100_000))
def test_against_a_loop(seed: int) -> None:
    generator = np.random.default_rng(seed)
    n_users, n_items = (int(n) for n in generator.integers(1, 6, 2))

    def draw(n: int) -> list[Event]:
        columns = (generator.integers(0, high, n).tolist() for high in (n_users, n_items, 6))
        return sorted(zip(*columns, strict=True), key=lambda event: event[0])

    history, targets = draw(int(generator.integers(0, 20))), draw(int(generator.integers(1, 20)))
    fake = Fake(generator.integers(0, 4, (3, n_items)).astype(np.float64))
    config = EvaluateConfig(k=(3, 1), bootstrap=0)
    shape = {"n_users": n_users, "n_items": n_items}
    known, asked = timeline(history, **shape), timeline(targets, **shape)  # type: ignore[arg-type]
    report = evaluate_over_time(fake, ONE, known, asked, config, betas=(0.0, 0.3, 1.0))
    expected: dict[str, float] = {}
    for k in (1, 3):
        for beta in (0.0, 0.3, 1.0):
            expected |= naive(fake, history, targets, k, beta)
    assert report.metrics == pytest.approx(expected)


def some(seed: int = 0, n_users: int = 40, n_items: int = 30) -> tuple[Fake, Timeline, Timeline]:
    generator = np.random.default_rng(seed)

    def draw(n: int) -> Timeline:
        columns = (np.sort(generator.integers(0, n_users, n)), *(generator.integers(0, n_items, n) for _ in "it"))
        return timeline(list(zip(*(c.tolist() for c in columns), strict=True)), n_users=n_users, n_items=n_items)

    return Fake(generator.random((7, n_items))), draw(200), draw(400)


def test_neither_memory_nor_batches_change_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, history, targets = some()
    config = EvaluateConfig(k=(3,), bootstrap=50)
    first = evaluate_over_time(fake, ONE, history, targets, config)
    calls = fake.calls
    monkeypatch.setattr(timed_evaluation, "PER_SUMMARY", 10)
    monkeypatch.setattr("conv4rec.data.timeline.PER_ITEM", 10_000)
    second = evaluate_over_time(fake, ONE, history, targets, config.model_copy(update={"memory_mb": 1}))
    assert calls == 2
    assert fake.calls > calls + 20
    assert second.metrics == pytest.approx(first.metrics)
    for name, found in first.replicates.items():
        assert second.replicates[name] == pytest.approx(found, rel=1e-5)


def test_points_are_rows_of_a_record() -> None:
    fake, history, targets = some()
    report = evaluate_over_time(fake, ONE, history, targets, PLAIN, betas=(0.0, 0.3))
    rows = [
        RecallBeta.model_validate({name: getattr(point, name) for name in RecallBeta.model_fields})
        for point in report.points
    ]
    assert [(row.k, row.beta, row.time_aware) for row in rows] == [
        (k, beta, form) for form in (True, False) for k in (1, 2) for beta in (0.0, 0.3)
    ]
    assert all(point.interval is None for point in report.points)
    assert report.replicates == {}


def test_intervals_cover_what_other_users_would_have_shown() -> None:
    """Users hit in all or none of their events, half of them: the standard error is known."""
    n_users = 400
    events = [(user, user % 2, time) for user in range(n_users) for time in (1,)]
    targets = timeline(events, n_users=n_users, n_items=2)
    config = EvaluateConfig(k=(1,), bootstrap=2000)
    report = evaluate_over_time(
        always(1, 0), ONE, timeline([], n_users=n_users, n_items=2), targets, config, betas=(0.0,)
    )
    point = report.points[0]
    assert point.value == 0.5
    assert point.interval is not None
    half_width = 1.96 * 0.5 / n_users**0.5
    assert point.interval == pytest.approx((0.5 - half_width, 0.5 + half_width), abs=0.005)


def test_the_same_seed_pairs_two_reports() -> None:
    _, history, targets = some()
    config = EvaluateConfig(k=(3,), bootstrap=20)
    scores = np.random.default_rng(1).random((7, 30))
    first, second = (evaluate_over_time(Fake(s), ONE, history, targets, config) for s in (scores, 2 * scores))
    assert first == second
    assert all((first.replicates[name] == second.replicates[name]).all() for name in first.replicates)


@pytest.mark.parametrize("betas", [(), (0.1, -0.5), (float("nan"),), (float("inf"),)])
def test_betas_are_checked(betas: tuple[float, ...]) -> None:
    fake, history, targets = some()
    message = f"betas {betas}: expected one or more numbers from 0 up"
    with pytest.raises(QueryError, match=f"^{re.escape(message)}$"):
        evaluate_over_time(fake, ONE, history, targets, betas=betas)


def test_tables_that_do_not_fit_are_refused() -> None:
    fake, history, targets = some()
    with pytest.raises(DataError, match="^no targets to evaluate on: expected at least one interaction$"):
        evaluate_over_time(fake, ONE, history, timeline([], n_users=40, n_items=30))
    message = "history has 3 users x 4 items, targets have 40 x 30: expected the same users and items"
    with pytest.raises(DataError, match=f"^{message}$"):
        evaluate_over_time(fake, ONE, timeline([]), targets)
    message = "reference has 4 items, targets have 30: expected the same"
    with pytest.raises(DataError, match=f"^{message}$"):
        evaluate_over_time(fake, ONE, history, targets, reference=timeline([]).interactions)
