"""Models to compare in tests, found by name as `tests.compare.fakes:POPULAR`: quick ones, and ones that go wrong."""

import os
import signal
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from conv4rec.baselines import MostPopular
from conv4rec.data.interactions import Interactions
from conv4rec.peers.peer import Claim, Params, Peer, Setting, Task
from conv4rec.predictions import Predictions

BOTH: frozenset[Claim] = frozenset(("consume", "rating"))


@dataclass(frozen=True)
class Fake:
    """Popularity to a power: 0 is uniform, 1 is how often items are taken, -1 the wrong way round."""

    model: MostPopular
    power: float
    claims: frozenset[Claim] = BOTH
    n_bytes: int = 2**20

    def predict(self, users: NDArray[np.intp], histories: Interactions) -> Predictions:
        assert len(users) == histories.n_users
        law = self.model.predict(histories)
        return replace(law, log_p_consume=log_softmax(self.power * law.log_p_consume, axis=1))


def fit_popular(task: Task, params: Params) -> Fake:
    print("what a model prints is not taken for an event")
    return Fake(MostPopular.fit(task.train, task.types), float(params["power"]))


def fit_ratings(task: Task, params: Params) -> Fake:
    return replace(fit_popular(task, params), claims=frozenset(("rating",)))


def fail(_task: Task, _params: Params) -> Fake:
    raise ValueError("no | such\n luck")


def run_out_of_memory(_task: Task, _params: Params) -> Fake:
    raise MemoryError("Unable to allocate 8.00 TiB")


def die(_task: Task, _params: Params) -> Fake:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def leave(_task: Task, _params: Params) -> Fake:
    os.write(2, b"a message\n\n")
    os._exit(3)


def wait(task: Task, params: Params) -> Fake:
    """Say who waits; go on at once only where GO_ON is set."""
    if "GO_ON" not in os.environ:
        if "PID_FILE" in os.environ:
            Path(os.environ["PID_FILE"]).write_text(str(os.getpid()))
        threading.Event().wait()
    return fit_popular(task, params)


def fail_off_defaults(task: Task, params: Params) -> Fake:
    """Fits the defaults alone; a large power kills the process."""
    if params["power"] > 0.5:
        os.kill(os.getpid(), signal.SIGKILL)
    if params["power"] < 0:
        raise ValueError("too small")
    return fit_popular(task, params)


DEFAULTS = {"power": 0.25, "dull": 7}
SPACE = {"power": Setting(low=-1.0, high=2.0)}

POPULAR = Peer("popular", "popularity to a power", None, BOTH, fit_popular, DEFAULTS, SPACE, monitor="nll_consume")
UNIFORM = replace(POPULAR, name="uniform", defaults={"power": 0.0, "dull": 7})
RATINGS = replace(POPULAR, name="ratings", claims=frozenset(("rating",)), fit=fit_ratings, monitor="rmse")
FAILS = replace(POPULAR, name="fails", fit=fail)
STARVES = replace(POPULAR, name="starves", fit=run_out_of_memory)
DIES = replace(POPULAR, name="dies", fit=die)
LEAVES = replace(POPULAR, name="leaves", fit=leave)
WAITS = replace(POPULAR, name="waits", fit=wait)
WAITS_TOO = replace(WAITS, name="waits-too")
PER_USER = replace(POPULAR, name="per-user", new_users=False)
DELICATE = replace(POPULAR, name="delicate", fit=fail_off_defaults)
NOT_A_PEER = "a text"
