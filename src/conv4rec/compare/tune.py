"""The search for hyper-parameters: on validation data alone, within a budget, and one that can be gone on with."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from conv4rec.compare import space as spaces
from conv4rec.compare import studies
from conv4rec.compare.columns import better
from conv4rec.compare.events import in_one_line
from conv4rec.compare.jobs import Limits
from conv4rec.compare.prepare import refuse_new_users
from conv4rec.config import EvaluateConfig
from conv4rec.errors import QueryError, TrainingError
from conv4rec.evaluation import evaluate_by_user
from conv4rec.peers.peer import Peer, Setting, Task
from conv4rec.records import Budget

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

DIED = "the process of the trial died"


class Listener(Protocol):
    """Hears of every trial that begins (`trial`) and ends (`tried`)."""

    def tell(self, **event: Any) -> None: ...


@dataclass(frozen=True)
class Search:
    """What is searched.

    Attributes:
        peer: the model; `peer.space` is searched, by `peer.monitor`.
        task: what it learns from and, as `task.validation`, what it is judged on.
        fixed: hyper-parameters that are given and not searched.
        limits: trials and seconds, those of earlier sessions included.
    """

    peer: Peer
    task: Task
    fixed: Mapping[str, Any]
    limits: Limits

    @property
    def space(self) -> dict[str, Setting]:
        """What is left to search."""
        return {name: setting for name, setting in self.peer.space.items() if name not in self.fixed}

    @property
    def start(self) -> dict[str, Any]:
        """Where the search begins: the defaults, and what is fixed."""
        return {**self.peer.defaults, **self.fixed}

    @property
    def is_higher_better(self) -> bool:
        """Whether the monitored figure is to be large."""
        return better(self.peer.monitor) == "higher"

    @property
    def fingerprint(self) -> str:
        """A hash of all that decides what a trial gives; not of the limits, which may be raised."""
        task = self.task
        described = {
            "space": {name: repr(setting) for name, setting in self.space.items()},
            "start": self.start,
            "monitor": self.peer.monitor,
            "config": task.config.model_dump(mode="json"),
            "seed": task.seed,
            "data": [p.fingerprint() for p in (task.train, task.validation.history, task.validation.targets)],
        }
        return hashlib.sha256(json.dumps(described, sort_keys=True, default=repr).encode()).hexdigest()


@dataclass(frozen=True)
class Found:
    """What a search found: hyper-parameters that differ from the defaults, and the budget."""

    params: dict[str, Any]
    budget: Budget


def search(
    wanted: Search,
    *,
    storage: str | None = None,
    study: str = "search",
    listener: Listener | None = None,
    lost_seconds: float = 0.0,
) -> Found:
    """Try the defaults, then what a tree-structured Parzen estimator proposes, until a limit is reached.

    A trial fits on train and is judged by `peer.monitor` on validation; the test part is not here. A trial that fails
    counts. The running trial is finished when time is up, so that more seconds may be used than allowed; how many is
    told. What is proposed does not depend on how often the search was interrupted, as the seed of the sampler follows
    from the number of the trial. It ends early where finitely many settings have all been tried.

    Args:
        wanted: what is searched, and the limits.
        storage: a URL of optuna's, or the path of an SQLite file, for studies that can be gone on with. None: memory.
        study: the name of the study in the storage, to which data and settings are added: if they change, it is
            another study.
        listener: hears of every trial.
        lost_seconds: what was spent on a trial whose process died.

    Raises:
        MissingExtraError: optuna is not installed.
        QueryError: no limit, a default outside of what is to be searched, a monitor without a better side, or a
            storage that cannot be used.
        DataError: validation asks about new users, and the model cannot predict them.
        TrainingError: every trial failed.

    Source: Bergstra et al. 2011; Akiba et al. 2019 (optuna).
    """
    _check(wanted)
    name = f"{study} {wanted.fingerprint[:12]}"
    run = _Run(
        wanted, studies.open_study(storage, name, "maximize" if wanted.is_higher_better else "minimize"), listener
    )
    run.bury(lost_seconds)
    while run.may_go_on:
        run.try_next()
    return run.close()


class _Run:
    """A study, and what is asked of it."""

    def __init__(self, wanted: Search, study: "optuna.Study", listener: Listener | None) -> None:
        self.wanted, self.study, self.listener = wanted, study, listener

    @property
    def trials(self) -> "list[FrozenTrial]":
        """Those that have ended, well or not."""
        return [trial for trial in self.study.get_trials(deepcopy=False) if trial.state.is_finished()]

    @property
    def seconds(self) -> float:
        """Spent on trials, those included that died."""
        lost = float(self.study.user_attrs.get("lost", 0.0))
        return lost + sum(float(trial.user_attrs.get("seconds", 0.0)) for trial in self.trials)

    @property
    def may_go_on(self) -> bool:
        limits, trials = self.wanted.limits, self.trials
        if limits.trials is not None and len(trials) >= limits.trials:
            return False
        if trials and limits.seconds is not None and self.seconds >= limits.seconds:
            return False
        tried = {json.dumps(trial.params, sort_keys=True) for trial in trials}
        return len(tried) < spaces.size(self.wanted.space)

    def bury(self, lost_seconds: float) -> None:
        """Count the trials as failed whose process is no more."""
        from optuna.trial import TrialState

        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if studies.is_dead(trial.user_attrs.get("owner", "")):
                self.study.tell(trial.number, state=TrialState.FAIL)
                self._tell(tried=trial.number, value=None, seconds=lost_seconds, error=DIED)
                self.study.set_user_attr("lost", self.study.user_attrs.get("lost", 0.0) + lost_seconds)

    def try_next(self) -> None:
        """One trial, whatever comes of it; one that is interrupted counts as failed."""
        trial = self._ask()
        params = {**self.wanted.start, **spaces.suggest(trial, self.wanted.space)}
        self._tell(trial=trial.number)
        started = perf_counter()
        value, error = None, None
        try:
            value = self._value(trial, params)
        except KeyboardInterrupt as interrupt:
            error = in_one_line(interrupt)
            raise
        except Exception as failure:  # noqa: BLE001 - a peer may raise anything
            error = in_one_line(failure)
        finally:
            self._end(trial, value, error, seconds=perf_counter() - started)

    def close(self) -> Found:
        """The best trial, the earliest of equal ones, so that the defaults win a tie."""
        trials, peer, limits = self.trials, self.wanted.peer, self.wanted.limits
        values = {trial.number: trial.value for trial in trials if trial.value is not None}
        if not values:
            why = trials[-1].user_attrs.get("error", DIED)
            raise TrainingError(f"{peer.name}: all of {len(trials)} trials failed, the last with: {why}")
        sign = -1.0 if self.wanted.is_higher_better else 1.0
        best = min(values, key=lambda number: (sign * values[number], number))
        budget = Budget(
            trials=len(trials),
            failed=len(trials) - len(values),
            seconds=self.seconds,
            limit_trials=limits.trials,
            limit_seconds=limits.seconds,
            monitor=peer.monitor,
            value=values[best],
            default=values.get(0),
        )
        return Found(self._differences(next(trial for trial in trials if trial.number == best)), budget)

    def _ask(self) -> "optuna.Trial":
        from optuna.samplers import TPESampler

        number = len(self.study.get_trials(deepcopy=False))
        seed = int(np.random.SeedSequence([self.wanted.task.seed, number]).generate_state(1)[0])
        self.study.sampler = TPESampler(seed=seed)
        if not number:
            self.study.enqueue_trial(spaces.shown(self.wanted.space, self.wanted.start))
        trial = self.study.ask()
        trial.set_user_attr("owner", studies.owner())
        return trial

    def _value(self, trial: "optuna.Trial", params: dict[str, Any]) -> float:
        """The monitored figure on validation; of settings that were tried before, what they gave then."""
        known = (earlier.value for earlier in self.trials if earlier.params == trial.params)
        value = next((value for value in known if value is not None), None)
        return _measure(self.wanted.peer, self.wanted.task, params) if value is None else value

    def _end(self, trial: "optuna.Trial", value: float | None, error: str | None, *, seconds: float) -> None:
        from optuna.trial import TrialState

        trial.set_user_attr("seconds", seconds)
        if error is not None:
            trial.set_user_attr("error", error)
        self.study.tell(trial, value, state=TrialState.FAIL if value is None else TrialState.COMPLETE)
        self._tell(tried=trial.number, value=value, seconds=seconds, error=error)

    def _differences(self, trial: "FrozenTrial") -> dict[str, Any]:
        """The hyper-parameters of a trial, where they differ from the model's defaults."""
        defaults = self.wanted.peer.defaults
        used = {**self.wanted.start, **spaces.meant(self.wanted.space, trial.params)}
        return {name: value for name, value in used.items() if name not in defaults or defaults[name] != value}

    def _tell(self, **event: Any) -> None:
        if self.listener is not None:
            self.listener.tell(**event)


def _measure(peer: Peer, task: Task, params: dict[str, Any]) -> float:
    fitted, asked = peer.fit(task, params), task.validation
    report = evaluate_by_user(
        fitted.predict,
        task.types,
        asked.history,
        asked.targets,
        _only(peer.monitor, task.config.evaluate),
        claims=fitted.claims,
        reference=task.train,
        exclude=asked.excluded,
    )
    value = report.metrics.get(peer.monitor)
    if value is None:
        raise TrainingError(f"{peer.monitor} is not defined on the validation data")
    return value


def _only(monitor: str, config: EvaluateConfig) -> EvaluateConfig:
    """The settings that measure little more than one figure."""
    k = monitor.partition("@")[2]
    return config.model_copy(update={"bootstrap": 0, "k": (int(k),) if k else config.k[:1]})


def _check(wanted: Search) -> None:
    peer, limits, start = wanted.peer, wanted.limits, wanted.start
    if limits.trials is None and limits.seconds is None:
        raise QueryError(f"search for {peer.name}: no limit; expected a number of trials, of seconds, or both")
    if better(peer.monitor) is None:
        raise QueryError(f"search for {peer.name}: {peer.monitor} has no better side; expected one such as ndcg@20")
    refuse_new_users(peer, wanted.task.train, wanted.task.validation)
    for name, setting in wanted.space.items():
        if name not in start or not spaces.holds(setting, start[name]):
            within = spaces.in_words(setting)
            raise QueryError(f"{peer.name}: the default of {name}, {start.get(name)!r}, is not within {within}")
