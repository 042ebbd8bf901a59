"""The simulated world: its law is a law, and the events follow it."""

import re

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError
from scipy import stats

from conv4rec.data.interactions import Interactions
from conv4rec.data.simulator import EVENTS, Simulation, SimulatorConfig, simulate, type_relation
from conv4rec.data.split import split
from conv4rec.errors import DataError

SMALL = SimulatorConfig(n_users=40, n_items=30, n_interactions=10, rank=3)
THEORY = SimulatorConfig(n_users=3, n_items=6, n_interactions=60_000, rank=2, replace=True, unrated=0.4)


def tally(simulation: Simulation) -> np.ndarray:
    """(U, I, channels) counts of the events."""
    events = Interactions.from_ratings(simulation.ratings, simulation.vocabulary)
    counts = np.zeros((*simulation.log_p_consume.shape, simulation.ratings.types.n_channels))
    np.add.at(counts, (events.users, events.items, events.channels), 1)
    return counts


@pytest.mark.parametrize("types", ["ratings", "events", "related"])
def test_the_law_sums_to_one(types: str) -> None:
    simulation = simulate(SimulatorConfig.model_validate({**SMALL.model_dump(), "types": types, "unrated": 0.3}))
    n_types = {"ratings": 5, "events": 7, "related": 3}[types]
    assert simulation.log_p_type.shape == (40, 30, n_types) == (40, 30, simulation.ratings.types.n_types)
    assert np.exp(simulation.log_p_consume).sum(axis=1) == pytest.approx(np.ones(40), abs=1e-12)
    assert np.exp(simulation.log_p_type).sum(axis=2) == pytest.approx(np.ones((40, 30)), abs=1e-12)


@pytest.mark.parametrize("types", ["ratings", "events"])
def test_events_drawn_with_replacement_follow_the_law(types: str) -> None:
    simulation = simulate(SimulatorConfig.model_validate({**THEORY.model_dump(), "types": types}))
    counts, law = tally(simulation), np.exp(simulation.log_p_type)
    n_types = simulation.ratings.types.n_types
    p_consume = counts.sum(axis=2) / counts.sum(axis=(1, 2))[:, None]
    assert p_consume == pytest.approx(np.exp(simulation.log_p_consume), abs=0.01)
    if types == "ratings":
        rated = counts[:, :, :n_types] / counts[:, :, :n_types].sum(axis=2, keepdims=True)
        assert rated == pytest.approx(law, abs=0.1)
        assert np.abs(rated - law).mean() < 0.01
    else:
        purchases = counts[:, :, :5].sum(axis=2) + counts[:, :, -1]
        named = np.stack([purchases, counts[:, :, 5], counts[:, :, 6]], axis=2) / counts.sum(axis=2, keepdims=True)
        truth = np.stack([law[:, :, :5].sum(axis=2), law[:, :, 5], law[:, :, 6]], axis=2)
        assert np.abs(named - truth).mean() < 0.01


LAWS = [{}, {"tastes": "neighbourhood"}, {"types": "events", "unrated": 0.0}, {"types": "related"}]


def chi_square(counts: np.ndarray, law: np.ndarray) -> float:
    """p-value of Pearson's test that counts (U, n) are of laws (U, n); a user's cells that expect few are one cell."""
    statistic, freedom = 0.0, 0
    for seen, p in zip(counts, law, strict=True):
        few = seen.sum() * p < 10
        groups = np.where(few, few.argmax(), np.arange(len(p)))
        met, wanted = (np.bincount(groups, weights=w, minlength=len(p)) for w in (seen, seen.sum() * p))
        kept = wanted > 0
        statistic += float(((met - wanted)[kept] ** 2 / wanted[kept]).sum())
        freedom += int(kept.sum()) - 1
    return float(stats.chi2.sf(statistic, freedom))


def law_of(simulation: Simulation) -> np.ndarray:
    """(U, I, L)."""
    return np.exp(simulation.log_p_consume[:, :, None] + simulation.log_p_type)


@pytest.mark.parametrize("kind", LAWS)
def test_marginals_of_large_samples_match_the_law(kind: dict[str, object]) -> None:
    """The joint law of every user, that of the items, and that of the types over all users; none is refused."""
    size = {"n_users": 6, "n_items": 8, "rank": 3, "n_interactions": 20_000, "replace": True, "seed": 3}
    simulation = simulate(SimulatorConfig.model_validate(size | kind))
    law = law_of(simulation)
    counts = tally(simulation)[:, :, : law.shape[2]]
    assert counts.sum() == len(simulation.ratings)
    assert chi_square(counts.reshape(6, -1), law.reshape(6, -1)) > 0.01
    assert chi_square(counts.sum(axis=2), law.sum(axis=2)) > 0.01
    shares = counts.sum(axis=(1, 2)) / counts.sum()
    of_types = np.einsum("u,uil->l", shares, law)
    assert chi_square(counts.sum(axis=(0, 1))[None], of_types[None]) > 0.01


@pytest.mark.parametrize("kind", LAWS)
def test_marginals_of_a_slightly_other_law_do_not_match(kind: dict[str, object]) -> None:
    """The test above has power: a law off by a tenth is refused."""
    size = {"n_users": 6, "n_items": 8, "rank": 3, "n_interactions": 20_000, "replace": True, "seed": 3}
    simulation = simulate(SimulatorConfig.model_validate(size | kind))
    other = law_of(simulation) * np.where(np.arange(8) % 2, 1.1, 1.0)[:, None]
    other /= other.sum(axis=(1, 2), keepdims=True)
    counts = tally(simulation)[:, :, : other.shape[2]]
    assert chi_square(counts.sum(axis=2), other.sum(axis=2)) < 1e-6


def test_first_events_follow_the_law_without_replacement_too() -> None:
    config = SimulatorConfig(n_users=20_000, n_items=4, n_interactions=2, rank=2)
    simulation = simulate(config)
    first = simulation.ratings.frame.group_by("user_id", maintain_order=True).first()["item_id"].to_numpy()
    expected = np.exp(simulation.log_p_consume).mean(axis=0)
    assert np.bincount(first, minlength=4) / config.n_users == pytest.approx(expected, abs=0.01)


def test_users_take_an_item_once_and_all_kinds_of_event_once() -> None:
    for config, keys in (
        (SMALL, ["user_id", "item_id"]),
        (SMALL.model_copy(update={"types": "events"}), ["user_id", "item_id", "type"]),
        (SMALL.model_copy(update={"n_interactions": 500}), ["user_id", "item_id"]),
    ):
        frame = simulate(config).ratings.frame
        assert frame.select(keys).n_unique() == frame.height


def test_same_seed_same_world() -> None:
    first, second, other = simulate(SMALL), simulate(SMALL), simulate(SMALL.model_copy(update={"seed": 1}))
    assert first.ratings.frame.equals(second.ratings.frame)
    assert (first.log_p_type == second.log_p_type).all()
    assert not first.ratings.frame.equals(other.ratings.frame)


def test_the_table_looks_like_ratings() -> None:
    ratings = simulate().ratings
    assert ratings.frame.schema == {
        "user_id": pl.Int64,
        "item_id": pl.Int64,
        "rating": pl.Float64,
        "timestamp": pl.Int64,
    }
    assert ratings.frame["rating"].null_count() == 0
    assert set(ratings.frame["rating"].unique()) == {1.0, 2.0, 3.0, 4.0, 5.0}
    assert len(ratings) / 1000 == pytest.approx(50, rel=0.1)
    steps = ratings.frame.select(pl.col("timestamp").diff().over("user_id"))["timestamp"].drop_nulls()
    assert (steps > 0).all()
    assert len(split(ratings).train) == pytest.approx(0.8 * len(ratings), abs=1)


def test_titles_and_tags_tell_the_taste() -> None:
    items = simulate(SimulatorConfig(n_users=2, n_items=12, rank=12)).ratings.items
    assert items is not None
    assert items["item_id"].to_list() == list(range(12))
    for title, tags in items.select("title", "tags").iter_rows():
        assert re.fullmatch(r"(Genre )?\w+ \d\d", title)
        assert title[:-3] == tags[0]


def test_what_is_liked_is_taken_and_rated_more_often() -> None:
    simulation = simulate(SimulatorConfig(enjoyment=1.0, unrated=0.4))
    expected = np.exp(simulation.log_p_type) @ np.arange(1, 6)
    taken = (np.exp(simulation.log_p_consume) * expected).sum(axis=1).mean()
    assert taken > expected.mean() + 0.3
    complete = simulate(SimulatorConfig(enjoyment=1.0))
    assert simulation.ratings.frame["rating"].mean() > complete.ratings.frame["rating"].mean()  # type: ignore[operator]


def test_purchases_are_what_will_be_liked() -> None:
    simulation = simulate(SimulatorConfig(types="events"))
    p = np.exp(simulation.log_p_type)
    p_purchase = p[:, :, :5].sum(axis=2)
    expected = p[:, :, :5] @ np.arange(1, 6) / p_purchase
    assert np.corrcoef(p_purchase.ravel(), expected.ravel())[0, 1] > 0.8
    frame = simulation.ratings.frame
    assert set(frame["type"].unique()) == {"view", "cart", "purchase"}
    rated = frame.filter(pl.col("rating").is_not_null())
    assert set(rated["type"].unique()) == {"purchase"}
    assert 0.4 < len(rated) / frame.filter(pl.col("type") == "purchase").height < 0.8


def test_a_scale_must_ascend() -> None:
    message = "rating scale (1.0, 3.0, 2.0): expected ascending values"
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        simulate(SimulatorConfig(scale=(1.0, 3.0, 2.0)))


def test_settings_are_checked() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        SimulatorConfig(n_users=0)


@pytest.mark.parametrize("scale", [(0.5, 1.0, 1.5), (0.0, 10.0), (-1.0, 0.0, 1.0)])
def test_other_scales(scale: tuple[float, ...]) -> None:
    simulation = simulate(SMALL.model_copy(update={"scale": scale}))
    assert set(simulation.ratings.frame["rating"].unique()) == set(scale)
    assert tally(simulation).sum() == len(simulation.ratings)


def spectrum(simulation: Simulation) -> np.ndarray:
    """Cumulative share of the variance of the log-law of consumption by number of factors."""
    log_p = simulation.log_p_consume
    centred = log_p - log_p.mean(axis=1, keepdims=True)
    squares = np.linalg.svd(centred - centred.mean(axis=0), compute_uv=False) ** 2
    return np.asarray(np.cumsum(squares) / squares.sum())


def test_neighbourhoods_are_not_of_low_rank() -> None:
    size = {"n_users": 300, "n_items": 200}
    low = simulate(SimulatorConfig.model_validate(size))
    near = simulate(SimulatorConfig.model_validate({**size, "tastes": "neighbourhood"}))
    assert spectrum(low)[4] > 0.999
    assert spectrum(near)[19] < 0.65
    assert near.ratings.frame.height > 10_000


def test_a_user_of_a_neighbourhood_likes_what_is_near_a_few_items() -> None:
    world = simulate(SimulatorConfig(tastes="neighbourhood", rank=2, popularity=0.0, enjoyment=0.0, n_users=50))
    liked = world.log_p_consume > np.sort(world.log_p_consume, axis=1)[:, :1] + 1.0
    assert ((liked.sum(axis=1) >= 10) & (liked.sum(axis=1) <= 20)).all()


def test_related_types_follow_related_tastes() -> None:
    config = SimulatorConfig(types="related", n_users=4000, n_items=40, popularity=0.0)
    law = simulate(config)
    by_kind = law.log_p_consume[:, :, None] + law.log_p_type  # (U, I, K)
    lift = by_kind - by_kind.mean(axis=1, keepdims=True)
    found = np.corrcoef((lift - lift.mean(axis=0)).reshape(-1, 3).T)
    assert found == pytest.approx(type_relation(config), abs=0.05)
    assert law.ratings.types.n_levels == 0
    assert set(law.ratings.frame["type"].unique()) == set(EVENTS)


def test_a_relation_must_be_one_of_tastes() -> None:
    message = "relation (0.9, 0.9, -0.9) of the types: expected the correlations of three tastes"
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        simulate(SimulatorConfig(types="related", relation=(0.9, 0.9, -0.9)))
    with pytest.raises(DataError, match="expected the correlations of three tastes"):
        type_relation(SimulatorConfig(types="related", relation=(1.2, 0.0, 0.0)))
