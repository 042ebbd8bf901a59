"""The online phase: lists that are allowed, answers by the truth, and a log that tells what happened."""

import numpy as np
import polars as pl
import pytest

from conv4rec.config import EvaluateConfig
from conv4rec.data.draws import DAY, START
from conv4rec.data.drift import DriftConfig, World, live_past, make_world
from conv4rec.data.interactions import Interactions
from conv4rec.data.timeline import Timeline
from conv4rec.online import ictr
from conv4rec.online_phase import OnlineConfig, OnlinePhase, Recommend, run_online

CONFIG = DriftConfig(n_users=400, n_items=200, n_days=10, n_online_days=10, visits=0.4, arrivals=0.3, popularity=1.0)
WORLD = make_world(CONFIG)
PAST = live_past(WORLD)
PLAIN = EvaluateConfig(bootstrap=0)


def fixed(scores: np.ndarray) -> Recommend:
    return lambda users, _: np.broadcast_to(scores, (len(users), len(scores)))


POPULAR, RARE = fixed(WORLD.discovery[10]), fixed(-WORLD.discovery[10])


def run(config: OnlineConfig | None = None, world: World = WORLD, past: Timeline = PAST) -> OnlinePhase:
    return run_online(world, past, {"popular": POPULAR, "rare": RARE}, config)


def test_the_truth_by_hand() -> None:
    """One day, nothing arrives, k = 2: the list's share of the weight against half of all of it."""
    world = make_world(DriftConfig(n_users=30, n_items=5, n_days=1, n_online_days=1, visits=0.5, per_visit=1.0))
    past = live_past(world)
    scores = np.array([5.0, 4.0, 3.0, 2.0, 1.0])
    for response in ("liking", "full"):
        settings = OnlineConfig(k=2, response=response, list_at="start")
        phase = run_online(world, past, {"one": fixed(scores), "other": fixed(-scores)}, settings)
        assert phase.models == ("one", "other")
        for visit, user in enumerate(phase.shown["user_id"]):
            taken = past.interactions.select(np.array([user])).items.tolist()
            logits = world.liking(1, np.array([user]))[0] + (world.discovery[1] if response == "full" else 0)
            allowed = [item for item in range(5) if item not in taken]
            total = sum(np.exp(logits[item]) for item in allowed)
            gains = [sum(np.exp(logits[item]) for item in shown) for shown in (allowed[:2], allowed[-2:])]
            assert phase.p_taken[visit] == pytest.approx([gain / (gain + 0.5 * total) for gain in gains])


def test_lists_hold_what_is_allowed_best_first() -> None:
    seen: list[tuple[np.ndarray, Interactions]] = []

    def watch(users: np.ndarray, histories: Interactions) -> np.ndarray:
        seen.append((users, histories))
        return np.broadcast_to(WORLD.discovery[10], (len(users), 200))

    phase = run_online(WORLD, PAST, {"watched": watch}, OnlineConfig(k=190))
    known = {
        (day, user): h.select(np.array([row])).items.tolist()
        for day, (users, h) in enumerate(seen)
        for row, user in enumerate(users.tolist())
    }
    order = np.argsort(-WORLD.discovery[10]).tolist()
    for user, time, items in phase.shown.select("user_id", "timestamp", "item_id").iter_rows():
        day = (time - START) // DAY
        taken = known[day - 10, user]
        assert items == [item for item in order if item not in taken and WORLD.arrival[item] <= day][:190]


def test_histories_grow_in_the_phase_and_the_log_starts_with_it() -> None:
    phase = run()
    assert phase.interactions["timestamp"].min() >= START + 10 * DAY  # type: ignore[operator]
    pairs = phase.interactions.select("user_id", "item_id")
    assert pairs.n_unique() == len(pairs)
    old = pl.DataFrame({"user_id": PAST.interactions.users, "item_id": PAST.interactions.items.astype(np.int64)})
    assert pairs.join(old, on=["user_id", "item_id"], how="semi").height == 0


def test_visits_are_assigned_at_random() -> None:
    shares = run().shown["model"].value_counts(normalize=True)
    assert dict(shares.iter_rows())["popular"] == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("response", ["liking", "full"])
def test_ictr_of_the_log_is_the_truth_where_the_list_comes_last(response: str) -> None:
    config = OnlineConfig.model_validate({"response": response})
    phase = run(config)
    table = ictr(phase.shown, phase.interactions, [600], PLAIN)
    for place, (model, share, shown) in enumerate(table.select("model", "ictr", "shown").iter_rows()):
        mine = (phase.shown["model"] == model).to_numpy()
        truth = phase.p_taken[mine, place].mean()
        assert share == pytest.approx(truth, abs=4 * (truth / shown) ** 0.5)


def test_what_users_do_anyway_counts_where_the_list_comes_first() -> None:
    phase = run(OnlineConfig(list_at="start"))
    shares = ictr(phase.shown, phase.interactions, [600], PLAIN)["ictr"].to_list()
    truth = phase.p_taken.mean(axis=0)
    assert shares[0] - truth[0] > 2 * (shares[1] - truth[1])  # popular lists hold what they come upon
    assert shares[0] > truth[0] + 0.3


def test_popularity_helps_a_shown_item_in_the_full_response_only() -> None:
    full, liking = (
        run(OnlineConfig.model_validate({"response": name})).p_taken.mean(axis=0) for name in ("full", "liking")
    )
    assert full[0] - full[1] > 0.2
    assert abs(liking[0] - liking[1]) < 0.15


def test_items_are_taken_from_a_list_by_their_weight() -> None:
    """Everybody likes alike; users take one of three items by themselves, and are then shown the other two."""
    n_users = 20_000
    settings = DriftConfig(
        n_users=n_users, n_items=3, n_days=1, n_online_days=1, visits=1.0, per_visit=1.0, taste=0.0, appeal=1.0
    )
    world = make_world(settings)
    no_items, no_kinds = np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.uint8)
    blank = Interactions(np.zeros(n_users + 1, dtype=np.int64), no_items, no_kinds, 3)
    past = Timeline(blank, np.zeros(0, dtype=np.int64))
    phase = run_online(world, past, {"one": fixed(np.zeros(3))}, OnlineConfig(k=2))
    log = phase.interactions.join(phase.shown.select("user_id", shown="timestamp"), on="user_id")
    from_list = log.filter(pl.col("timestamp") > pl.col("shown"))
    alone = log.filter(pl.col("timestamp") <= pl.col("shown")).select("user_id", alone="item_id")
    weights = np.exp(world.appeal)
    for own in range(3):
        one, other = (item for item in range(3) if item != own)
        taken = from_list.join(alone.filter(pl.col("alone") == own), on="user_id")["item_id"]
        assert set(taken.unique()) <= {one, other}
        expected = weights[one] / (weights[one] + weights[other])
        assert (taken == one).mean() == pytest.approx(expected, abs=0.03)
        assert len(taken) / (alone["alone"] == own).sum() == pytest.approx(2 / 3, abs=0.03)  # all against half of all


def test_one_seed_one_phase() -> None:
    first, second, other = run(), run(), run(OnlineConfig(seed=1))
    assert first.shown.equals(second.shown)
    assert first.interactions.equals(second.interactions)
    assert not first.shown.equals(other.shown)
