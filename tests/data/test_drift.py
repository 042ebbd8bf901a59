"""The world that moves: its law, its drift, and users who live by it."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import softmax

from conv4rec.data.draws import DAY, START
from conv4rec.data.drift import DriftConfig, Life, World, live_past, make_world
from conv4rec.data.timeline import Timeline

SMALL = DriftConfig(n_users=60, n_items=40, n_days=20, n_online_days=5, visits=0.3)
MOVING = SMALL.model_copy(
    update={"taste_memory": 5.0, "popularity_memory": 5.0, "arrivals": 0.5, "newcomers": 0.5, "seed": 3}
)


def days_of(timeline: Timeline) -> np.ndarray:
    return (timeline.times - START) // DAY


def test_a_world_without_memory_limits_stays() -> None:
    world = make_world(SMALL)
    assert world.tastes.shape == (25, 60, 5)
    assert (world.tastes == world.tastes[0]).all()
    assert (world.discovery == world.discovery[0]).all()
    assert (world.arrival == 0).all()


def test_items_change_places_in_a_law_of_popularity_that_stays() -> None:
    world = make_world(MOVING)
    assert np.sort(world.discovery, axis=1) == pytest.approx(
        np.tile(-0.8 * np.log1p(np.arange(40))[::-1], (25, 1)), abs=1e-12
    )
    assert (world.discovery[0] != world.discovery[-1]).any()


@pytest.mark.parametrize("memory", [3.0, 20.0])
def test_tastes_are_as_strong_every_day_and_forget_at_the_pace_asked_for(memory: float) -> None:
    config = DriftConfig(n_users=4000, n_items=1, n_days=20, n_online_days=1, taste=2.0, taste_memory=memory)
    tastes = make_world(config).tastes
    assert tastes.std(axis=(1, 2)) == pytest.approx(np.full(21, 2.0), rel=0.03)
    kept = [np.corrcoef(tastes[0].ravel(), tastes[day].ravel())[0, 1] for day in (1, 5, 20)]
    assert kept == pytest.approx(np.exp(-np.array([1, 5, 20]) / memory), abs=0.03)


def test_liking_by_hand() -> None:
    world = make_world(SMALL)
    users = np.array([4, 4, 9])
    expected = [
        [world.mixtures[item] @ world.tastes[7, user] + world.appeal[item] for item in range(40)] for user in users
    ]
    assert world.liking(7, users) == pytest.approx(np.array(expected))


def test_the_same_settings_give_the_same_past() -> None:
    first, second = (live_past(make_world(MOVING)) for _ in range(2))
    assert first.interactions.fingerprint() == second.interactions.fingerprint()
    assert (first.times == second.times).all()
    other = live_past(make_world(MOVING.model_copy(update={"seed": 4})))
    assert other.interactions.fingerprint() != first.interactions.fingerprint()


def test_the_past_obeys_the_world() -> None:
    world = make_world(MOVING)
    past = live_past(world)
    users, items, days = past.interactions.users, past.interactions.items, days_of(past)
    assert len(np.unique(users * 40 + items)) == len(past)  # nobody takes an item twice
    assert (world.arrival[items] <= days).all()
    assert world.visits[days, users].all()
    assert (days < 20).all()
    assert (np.diff(past.times)[np.diff(users) == 0] > 0).all()
    visits = world.visits[:20].sum()
    assert len(np.unique(users * 20 + days)) <= visits
    assert len(past) / visits == pytest.approx(4.0, rel=0.15)


def test_newcomers_come_later() -> None:
    config = MOVING.model_copy(update={"n_users": 4000, "visits": 1.0})
    visits = make_world(config).visits
    assert visits[0].mean() == pytest.approx(0.5 * visits[-1].mean(), rel=0.1)


def test_users_take_by_themselves_what_the_law_says() -> None:
    config = DriftConfig(n_users=30_000, n_items=4, n_days=1, n_online_days=1, visits=1.0, per_visit=1.0, rank=2)
    world = make_world(config)
    past = live_past(world)
    law = softmax(world.discovery[0] + world.liking(0, np.arange(30_000)), axis=1)
    came = past.interactions.counts == 1
    found = np.bincount(past.interactions.items, minlength=4) / len(past)
    assert len(past) == came.sum() == world.visits[0].sum()
    assert found == pytest.approx(law[came].mean(axis=0), abs=0.01)


def test_life_goes_on_from_a_past() -> None:
    world = make_world(SMALL)
    past = live_past(world)
    life = Life(world, np.random.default_rng(0), past)
    users = np.array([5, 2])
    histories = life.histories(users)
    for row, user in enumerate(users):
        mine = histories.select(np.array([row])).items
        assert mine.tolist() == sorted(past.interactions.select(np.array([user])).items.tolist())
        assert set(np.flatnonzero(~life.open_items(19, users)[row])) == set(mine.tolist())
    assert life.events.shape == (3, 0)
    done = life.take_by_themselves(20, users, np.array([1000, 2000]))
    taken_by, _, times = life.events
    assert set(taken_by.tolist()) == {2, 5}
    assert done.tolist() == [times[taken_by == 5].max(), times[taken_by == 2].max()]
    assert (times > np.where(taken_by == 5, 1000, 2000)).all()


def test_a_user_who_has_everything_takes_nothing() -> None:
    config = DriftConfig(n_users=2, n_items=3, n_days=1, n_online_days=1, visits=1.0)
    world: World = make_world(config)
    life = Life(world, np.random.default_rng(0))
    life.taken[:] = True
    assert life.take_by_themselves(0, np.array([0, 1]), np.array([7, 8])).tolist() == [7, 8]
    assert life.events.shape == (3, 0)


def test_settings_are_checked() -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        DriftConfig(taste_memory=0.0)
