"""Recovery: a fitted law comes near the true one, the measures are those of their definitions, the bound holds."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from conv4rec.config import Config, override
from conv4rec.data.simulator import Simulation
from conv4rec.errors import ConfigError
from conv4rec.peers.ease import EASE
from conv4rec.peers.peer import Task
from conv4rec.predictions import Predictions
from conv4rec.theory.closeness import PARTS, Closeness, closeness
from conv4rec.theory.plain import PlainSettings, fit_plain
from conv4rec.theory.recovery import Found, RecoverySettings, draw_task, fit_rate, recover, reweigh
from conv4rec.theory.recovery_result import RecoveryResult, as_row
from conv4rec.theory.simple_laws import BOTH, CountedTypeLaw, Empirical, Popularity, fit_likeliest

SMALL = RecoverySettings(
    worlds=("low-rank",), sizes=(10, 60), seeds=1, n_users=60, n_items=20, weights=(1.0, 30.0), weighted_size=60,
    widths=(2,),
)  # fmt: skip
QUICK = override(
    Config(),
    ["train.epochs=6", "train.learning_rate=0.02", "model.embedding_dim=16", "model.rating_embedding_dim=8",
     "model.dropout=0.0", "experts.factors=[2]", "experts.sweeps=4", "train.device=cpu"],
)  # fmt: skip


@pytest.fixture(scope="module")
def drawn() -> tuple[Simulation, Task]:
    return draw_task(SMALL, "low-rank", 0, 60, QUICK)


@pytest.fixture(scope="module")
def result() -> RecoveryResult:
    return RecoveryResult(SMALL, recover(SMALL, QUICK), reweigh(SMALL, QUICK))


class Truth:
    """The law itself, perhaps mixed with a uniform one."""

    claims, n_bytes = BOTH, 0

    def __init__(self, world: Simulation, uniform: float = 0.0) -> None:
        self.world, self.uniform = world, uniform

    def predict(self, users: np.ndarray, histories: object) -> Predictions:  # noqa: ARG002
        log_p = np.log((1 - self.uniform) * np.exp(self.world.log_p_consume[users]) + self.uniform / 20)
        return Predictions(self.world.ratings.types, log_p, CountedTypeLaw(self.world.log_p_type[users]))


def test_the_truth_is_at_no_distance(drawn: tuple[Simulation, Task]) -> None:
    world, task = drawn
    found = closeness(world, Truth(world), task.known)
    assert [found.tv(part) for part in PARTS] == pytest.approx([0, 0, 0], abs=1e-12)
    assert [found.bound(part) for part in PARTS] == pytest.approx([0, 0, 0], abs=1e-7)


def test_distances_are_those_of_their_definitions(drawn: tuple[Simulation, Task]) -> None:
    """Written as sums over users, items and ratings."""
    world, task = drawn
    fitted = Popularity.fit(task.train, task.types)
    found, q, q_type = closeness(world, fitted, task.known), fitted.log_p_item, fitted.log_p_type
    p, p_type = np.exp(world.log_p_consume), np.exp(world.log_p_type)
    n_users, n_items, n_types = p_type.shape
    tv, kl, of_items, of_types = 0.0, 0.0, 0.0, 0.0
    for u in range(n_users):
        for i in range(n_items):
            of_items += abs(p[u, i] - math.exp(q[i])) / 2
            for r in range(n_types):
                true = p[u, i] * p_type[u, i, r]
                tv += abs(true - math.exp(q[i] + q_type[r])) / 2
                kl += true * (math.log(true) - q[i] - q_type[r])
                of_types += p[u, i] * abs(p_type[u, i, r] - math.exp(q_type[r])) / 2
    expected = [total / n_users for total in (tv, of_items, of_types, kl)]
    assert [found.tv_joint, found.tv_consume, found.tv_rating, found.kl_joint] == pytest.approx(expected)
    assert found.kl_joint == pytest.approx(found.kl_consume + found.kl_rating)


def test_users_are_asked_in_batches(drawn: tuple[Simulation, Task], monkeypatch: pytest.MonkeyPatch) -> None:
    world, task = drawn
    whole = closeness(world, Truth(world, 0.3), task.known)
    monkeypatch.setattr("conv4rec.theory.closeness.users_per_batch", lambda *_, **__: 7)
    assert closeness(world, Truth(world, 0.3), task.known) == pytest.approx(whole)


def test_the_empirical_law_counts(drawn: tuple[Simulation, Task]) -> None:
    world, task = drawn
    one = task.known.select(np.array([3]))
    found = Empirical(task.types).predict(np.array([3]), one)
    items = np.bincount(one.items, minlength=20) / len(one)
    assert np.exp(found.log_p_consume[0]) == pytest.approx(items)
    item = int(items.argmax())
    of_item = np.bincount(one.channels[one.items == item], minlength=5)
    assert np.exp(found.type_law.pairs(np.array([0]), np.array([item]))[0]) == pytest.approx(of_item / of_item.sum())
    never = int(items.argmin())
    of_user = np.bincount(one.channels, minlength=5) / len(one)
    assert items[never] == 0
    assert np.exp(found.type_law.grid()[0, never]) == pytest.approx(of_user)
    assert closeness(world, Empirical(task.types), task.known).kl_joint == math.inf


def test_the_empirical_law_of_a_user_without_interactions_is_uniform(drawn: tuple[Simulation, Task]) -> None:
    _, task = drawn
    nothing = task.known.select(np.array([0])).keep(np.zeros(int(task.known.counts[0]), dtype=bool))
    found = Empirical(task.types).predict(np.array([0]), nothing)
    assert np.exp(found.log_p_consume) == pytest.approx(np.full((1, 20), 0.05))
    assert np.exp(found.type_law.grid()) == pytest.approx(np.full((1, 20, 5), 0.2))


def test_settings_of_a_peer_are_chosen_on_validation_data(drawn: tuple[Simulation, Task]) -> None:
    """A penalty that leaves nothing of the weights is not chosen, and what is refitted never met the validation."""
    _, task = drawn
    chosen = fit_likeliest(EASE, [{"lambda": 1e9}, {"lambda": 20.0}], task)
    direct = EASE.fit(task, {"lambda": 20.0})
    users = np.arange(3)
    laws = [fitted.predict(users, task.known.select(users)).log_p_consume for fitted in (chosen, direct)]
    assert (laws[0] == laws[1]).all()


def test_more_data_come_nearer_and_the_bound_holds(result: RecoveryResult) -> None:
    assert result.claims() == {"tv_is_below_the_bound": True, "tv_falls_with_data": True}
    assert len(result.found) == 2 * 5
    last = {each.model: each.closeness for each in result.found if each.size == 60}
    assert last["conv4rec"].tv_joint < min(last["popularity"].tv_joint, last["empirical"].tv_joint)
    rate = result.rate("low-rank", "conv4rec", "tv_joint")
    assert rate is not None
    assert -0.6 < rate.exponent < -0.1


def test_the_same_settings_find_the_same(result: RecoveryResult) -> None:
    settings = SMALL.model_copy(update={"sizes": (10,), "models": ("conv4rec", "pair")})
    told: list[Found] = []
    again = recover(settings, QUICK, told.append)
    assert told == again == [each for each in result.found if each.size == 10 and each.model in settings.models]


def test_rating_weight_breaks_recovery_where_the_parts_share_a_bottleneck(result: RecoveryResult) -> None:
    found = {(each.model, each.weight): each.closeness for each in result.reweighted}
    shared, heavy = (found["one bottleneck, 2 wide", weight] for weight in (1.0, 30.0))
    assert heavy.tv_joint > shared.tv_joint + 0.03
    assert heavy.tv_consume > shared.tv_consume + 0.05
    ours = abs(found["conv4rec", 30.0].tv_joint - found["conv4rec", 1.0].tv_joint)
    assert ours < 0.03  # a path each


def test_nothing_is_reweighted_without_weights() -> None:
    assert reweigh(SMALL.model_copy(update={"weights": ()}), QUICK) == []


def test_a_plain_network_of_the_seed_is_the_same(drawn: tuple[Simulation, Task]) -> None:
    world, task = drawn
    settings = PlainSettings(width=3, epochs=2)
    first, second = (closeness(world, fit_plain(task, settings), task.known) for _ in range(2))
    other = closeness(world, fit_plain(replace(task, seed=1), settings), task.known)
    assert first == second != other


def found_at(interactions: int, tv: float) -> Found:
    return Found("low-rank", 0, 1, interactions, "conv4rec", 1.0, Closeness(tv, tv, tv, 1.0, 0.5, 0.5))


def test_a_power_law_is_fitted() -> None:
    rate = fit_rate([found_at(N, 3 * N**-0.4) for N in (10, 100, 5000)], "tv_joint")
    assert rate is not None
    assert (rate.exponent, rate.constant) == pytest.approx((-0.4, 3.0))
    assert rate.error == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("found", [[], [found_at(10, 0.5)] * 2, [found_at(10, 0.0), found_at(20, 0.1)]])
def test_no_line_no_rate(found: list[Found]) -> None:
    assert fit_rate(found, "tv_joint") is None
    assert RecoveryResult(SMALL, found).rates().height == 0


def test_one_size_asks_nothing_of_growth() -> None:
    assert RecoveryResult(SMALL, [found_at(10, 0.5)]).claims()["tv_falls_with_data"] is None
    assert RecoveryResult(SMALL, [found_at(10, 0.1), found_at(20, 0.2)]).claims()["tv_falls_with_data"] is False


def test_what_is_infinite_is_told_as_none() -> None:
    row = as_row(replace(found_at(10, 0.2), closeness=Closeness(0.2, 0.2, 0.2, math.inf, math.inf, 0.5)))
    assert (row["tv_joint"], row["kl_joint"], row["bound_joint"], row["bound_rating"]) == (0.2, None, None, 0.5)


def test_tables_are_means_over_seeds() -> None:
    two = [found_at(10, 0.2), replace(found_at(12, 0.4), seed=1)]
    table = RecoveryResult(SMALL, two).table()
    assert table.select("world", "size", "model", "tv_joint").rows() == [
        ("low-rank", 1, "conv4rec", pytest.approx(0.3))
    ]
    assert RecoveryResult(SMALL, two).weights_table().height == 0


def test_the_result_is_plain_values(result: RecoveryResult) -> None:
    told = result.to_dict()
    assert told["settings"]["sizes"] == [10, 60]
    assert [row["model"] for row in told["found"][:5]] == list(SMALL.models)
    assert len(told["reweighted"]) == 4
    assert {row["figure"] for row in told["rates"]} == {"tv_joint", "tv_consume", "tv_rating"}


def test_draws_with_repetition_are_of_the_law_that_is_asked_for(drawn: tuple[Simulation, Task]) -> None:
    world, task = drawn
    assert world.config.replace
    assert len(task.known.distinct_pairs[0]) < len(task.known)
    assert len(task.train) + len(task.validation.targets) == len(task.known) == len(world.ratings)


def test_a_world_that_does_not_exist() -> None:
    from conv4rec.config import make_section

    message = "setting recovery.worlds.0: Input should be 'low-rank' or 'neighbourhood'; got 'flat'"
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        make_section(RecoverySettings, {"worlds": ["flat"]}, "recovery")
