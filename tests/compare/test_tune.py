"""The search: defaults first, validation alone, a budget, and studies that can be gone on with."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from conv4rec.compare import studies, tune
from conv4rec.compare.jobs import Limits
from conv4rec.compare.prepare import for_search
from conv4rec.compare.tune import Found, Search, search
from conv4rec.errors import DataError, MissingExtraError, QueryError, TrainingError
from conv4rec.evaluation import evaluate_by_user
from conv4rec.peers.peer import Params, Peer, Setting, Task
from tests.compare import fakes
from tests.compare.worlds import pairs, prepared


@pytest.fixture(scope="module")
def task() -> Task:
    return for_search(prepared().task)


@dataclass
class Heard:
    """A listener that keeps what it hears."""

    events: list[dict[str, Any]] = field(default_factory=list)

    def tell(self, **event: Any) -> None:
        self.events.append(event)

    @property
    def values(self) -> list[float | None]:
        return [event["value"] for event in self.events if "tried" in event]


def run(peer: Peer, task: Task, trials: int | None = None, **options: Any) -> tuple[Found, Heard]:
    heard = Heard()
    fixed, seconds = options.pop("fixed", {}), options.pop("seconds", None)
    wanted = Search(peer, task, fixed, Limits(trials=trials, seconds=seconds))
    return search(wanted, listener=heard, **options), heard


def value_of(task: Task, power: float) -> float:
    fitted = fakes.fit_popular(task, {"power": power})
    asked = task.validation
    return evaluate_by_user(fitted.predict, task.types, asked.history, asked.targets).metrics["nll_consume"]


def test_the_best_is_found_and_only_differences_are_told(task: Task) -> None:
    found, heard = run(fakes.POPULAR, task, 12)
    assert heard.values[0] == pytest.approx(value_of(task, 0.25))
    assert found.budget.default == heard.values[0]
    assert found.budget.value == min(v for v in heard.values if v is not None)
    assert found.budget.value < value_of(task, 0.25)
    assert found.params.keys() == {"power"}
    assert value_of(task, found.params["power"]) == pytest.approx(found.budget.value)
    assert (found.budget.trials, found.budget.failed, found.budget.limit_trials) == (12, 0, 12)
    assert (found.budget.monitor, found.budget.limit_seconds) == ("nll_consume", None)
    assert found.budget.seconds > 0


def test_the_same_seed_searches_the_same(task: Task) -> None:
    assert run(fakes.POPULAR, task, 5)[1].values == run(fakes.POPULAR, task, 5)[1].values
    other = replace(task, seed=1)
    assert run(fakes.POPULAR, task, 5)[1].values[1:] != run(fakes.POPULAR, other, 5)[1].values[1:]


def test_a_search_in_two_sessions_is_the_search_in_one(task: Task, tmp_path: Path) -> None:
    storage = str(tmp_path / "new" / "tune.db")
    whole, heard = run(fakes.POPULAR, task, 13)
    first = run(fakes.POPULAR, task, 4, storage=storage)[1]
    found, second = run(fakes.POPULAR, task, 13, storage=storage)
    assert first.values + second.values == pytest.approx(heard.values)
    assert found.params == pytest.approx(whole.params)
    assert found.budget.trials == 13
    again, nothing = run(fakes.POPULAR, task, 13, storage=f"sqlite:///{storage}")
    assert (again, nothing.events) == (found, [])


def test_other_data_or_settings_are_another_study(task: Task, tmp_path: Path) -> None:
    storage = str(tmp_path / "tune.db")
    run(fakes.POPULAR, task, 2, storage=storage)
    for peer, other in ((fakes.UNIFORM, task), (fakes.POPULAR, replace(task, train=task.validation.targets))):
        assert len(run(peer, other, 2, storage=storage)[1].values) == 2


def test_seconds_are_a_limit_too(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every trial takes two seconds by this clock: the third begins after four, and is finished."""
    ticks = iter(range(0, 1000, 2))
    monkeypatch.setattr(tune, "perf_counter", lambda: float(next(ticks)))
    found, _ = run(fakes.POPULAR, task, seconds=5)
    assert (found.budget.trials, found.budget.seconds, found.budget.limit_seconds) == (3, 6.0, 5)
    assert run(fakes.POPULAR, task, 2, seconds=100)[0].budget.trials == 2
    assert run(fakes.POPULAR, task, seconds=0.1)[0].budget.trials == 1


def test_what_is_given_is_not_searched(task: Task) -> None:
    found, heard = run(fakes.POPULAR, task, 5, fixed={"power": 0.5, "dull": 7})
    assert found.params == {"power": 0.5}
    assert heard.values == [pytest.approx(value_of(task, 0.5))]


def test_finitely_many_settings_are_tried_once_each(task: Task) -> None:
    peer = replace(fakes.POPULAR, space={"power": Setting(choices=(0.25, 1.0))})
    found, heard = run(peer, task, seconds=1000)
    default, other = value_of(task, 0.25), value_of(task, 1.0)
    assert {value for value in heard.values if value is not None} == {default, other}
    assert found.params == ({"power": 1.0} if other < default else {})


def test_a_model_with_nothing_to_search_is_tried_once(task: Task) -> None:
    found, heard = run(replace(fakes.POPULAR, space={}), task, 20)
    assert (found.params, len(heard.values)) == ({}, 1)


def test_settings_that_were_tried_are_not_fitted_again(task: Task) -> None:
    fits: list[tuple[float, int]] = []

    def fit(task: Task, params: Params) -> fakes.Fake:
        fits.append((params["power"], params["dull"]))
        return fakes.fit_popular(task, params)

    choices = {"power": Setting(choices=(0.25, 0.5, 1.0)), "dull": Setting(choices=(7, 8))}
    found, heard = run(replace(fakes.POPULAR, fit=fit, space=choices), task, seconds=1000)
    assert sorted(fits) == sorted({(power, dull) for power in (0.25, 0.5, 1.0) for dull in (7, 8)})
    assert len(heard.values) == found.budget.trials >= 6


def test_ties_go_to_the_defaults(task: Task) -> None:
    peer = replace(fakes.POPULAR, space={"dull": Setting(low=1, high=9, integer=True)})
    found, heard = run(peer, task, 5)
    assert len(set(heard.values)) == 1
    assert found.params == {}


def test_trials_that_fail_count_and_are_told(task: Task) -> None:
    def fit(task: Task, params: Params) -> fakes.Fake:
        return fakes.fit_popular(task, params) if params["power"] == 0.25 else fakes.fail(task, params)

    found, heard = run(replace(fakes.POPULAR, fit=fit), task, 4)
    assert (found.params, found.budget.trials, found.budget.failed) == ({}, 4, 3)
    assert [event["error"] for event in heard.events if "tried" in event][1:] == ["ValueError: no | such luck"] * 3


def test_defaults_that_fail_have_no_value(task: Task) -> None:
    def fit(task: Task, params: Params) -> fakes.Fake:
        return fakes.fail(task, params) if params["power"] == 0.25 else fakes.fit_popular(task, params)

    found, _ = run(replace(fakes.POPULAR, fit=fit), task, 4)
    assert found.budget.default is None
    assert "power" in found.params


def test_all_trials_fail(task: Task) -> None:
    with pytest.raises(
        TrainingError, match=r"fails: all of 3 trials failed, the last with: ValueError: no | such luck"
    ):
        run(fakes.FAILS, task, 3)


def test_a_figure_that_validation_does_not_define(task: Task) -> None:
    no_claim = replace(fakes.POPULAR, monitor="rmse", fit=_without_ratings)
    with pytest.raises(TrainingError, match="all of 1 trials failed, the last with: rmse is not defined"):
        run(no_claim, task, 1)


def _without_ratings(task: Task, params: Params) -> fakes.Fake:
    return replace(fakes.fit_popular(task, params), claims=frozenset(("consume",)))


def test_an_interrupted_trial_counts_and_the_search_can_go_on(task: Task, tmp_path: Path) -> None:
    storage = str(tmp_path / "tune.db")
    calls = iter(range(100))

    def fit(task: Task, params: Params) -> fakes.Fake:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return fakes.fit_popular(task, params)

    peer = replace(fakes.POPULAR, fit=fit)
    with pytest.raises(KeyboardInterrupt):
        run(peer, task, 4, storage=storage)
    found, heard = run(peer, task, 4, storage=storage)
    assert (found.budget.trials, found.budget.failed, len(heard.values)) == (4, 1, 2)


def test_a_trial_whose_process_died_has_failed_and_its_time_counts(task: Task, tmp_path: Path) -> None:
    storage = str(tmp_path / "tune.db")
    wanted = Search(fakes.POPULAR, task, {}, Limits(trials=3))
    study = studies.open_study(storage, f"search {wanted.fingerprint[:12]}", "minimize")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    study.ask().set_user_attr("owner", studies.owner().rpartition(":")[0] + f":{gone.pid}")
    found, heard = run(fakes.POPULAR, task, 3, storage=storage, lost_seconds=50.0)
    assert heard.events[0] == {"tried": 0, "value": None, "seconds": 50.0, "error": tune.DIED}
    assert (found.budget.trials, found.budget.failed, found.budget.default) == (3, 1, None)
    assert 50 < found.budget.seconds < 100


def test_a_trial_of_another_process_that_lives_is_left_alone(task: Task, tmp_path: Path) -> None:
    storage = str(tmp_path / "tune.db")
    wanted = Search(fakes.POPULAR, task, {}, Limits(trials=3))
    study = studies.open_study(storage, f"search {wanted.fingerprint[:12]}", "minimize")
    study.ask().set_user_attr("owner", studies.owner())
    assert run(fakes.POPULAR, task, 3, storage=storage)[0].budget.failed == 0
    assert not studies.is_dead("another-machine:1")


def test_the_search_sees_neither_test_nor_more_than_train_of_the_users(task: Task) -> None:
    seen: list[Task] = []

    def fit(task: Task, params: Params) -> fakes.Fake:
        seen.append(task)
        return fakes.fit_popular(task, params)

    run(replace(fakes.POPULAR, fit=fit), task, 1)
    asked = pairs(prepared().test.targets)
    assert not pairs(seen[0].known) & (asked | pairs(task.validation.targets))


REFUSED: list[tuple[Callable[[Task], object], type[Exception], str]] = [
    (
        lambda task: run(fakes.POPULAR, task),
        QueryError,
        "search for popular: no limit; expected a number of trials, of seconds, or both",
    ),
    (
        lambda task: run(replace(fakes.POPULAR, monitor="coverage@5"), task, 1),
        QueryError,
        "search for popular: coverage@5 has no better side; expected one such as ndcg@20",
    ),
    (
        lambda task: run(replace(fakes.POPULAR, defaults={"power": 3.0}), task, 1),
        QueryError,
        "popular: the default of power, 3.0, is not within -1 to 2",
    ),
    (
        lambda task: run(replace(fakes.POPULAR, defaults={}), task, 1),
        QueryError,
        "popular: the default of power, None, is not within -1 to 2",
    ),
    (
        lambda _: run(fakes.PER_USER, for_search(prepared("user").task), 1),
        DataError,
        "per-user cannot predict users that it was not fitted on",
    ),
    (
        lambda task: run(fakes.POPULAR, task, 1, storage="nothing://user:secret@host/db"),
        QueryError,
        "nothing://host/db: no studies can be kept there: Can't load plugin: sqlalchemy.dialects:nothing",
    ),
    (
        lambda task: run(fakes.POPULAR, task, 1, storage=str(Path(__file__).parent)),
        QueryError,
        f"{Path(__file__).parent}: no studies can be kept there: ",
    ),
]


@pytest.mark.parametrize(("call", "kind", "message"), REFUSED)
def test_a_search_that_cannot_be_is_refused(
    call: Callable[[Task], object], kind: type[Exception], message: str, task: Task
) -> None:
    with pytest.raises(kind) as met:
        call(task)
    assert str(met.value).startswith(message)


def test_without_optuna(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"a search needs optuna: pip install 'conv4rec\[tune\]'"):
        run(fakes.POPULAR, task, 1)
