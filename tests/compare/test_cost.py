"""What a model costs."""

import subprocess
import sys
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from conv4rec.compare import cost
from conv4rec.compare.cost import peak_memory, users_per_second
from conv4rec.data.interactions import Interactions
from conv4rec.peers.peer import Claim
from conv4rec.predictions import Predictions
from tests.compare import fakes
from tests.compare.worlds import prepared


def test_the_peak_stays_after_the_memory_is_given_back() -> None:
    block = np.ones(60 * 2**20, dtype=np.uint8)
    during = peak_memory()
    del block
    after = peak_memory()
    assert during is not None
    assert after == pytest.approx(during, rel=0.01)  # Linux counts in steps
    assert 80 * 2**20 < during < 2**40


@pytest.mark.skipif(sys.platform != "linux", reason="what is shown is how Linux counts")
def test_what_the_parent_held_is_not_counted() -> None:
    """This process holds more than a fresh interpreter does, whatever a child was started from."""
    block = np.ones(100 * 2**20, dtype=np.uint8)
    code = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('c', {cost.__file__!r})\n"
        "text = open(spec.origin).read()\n"
        "body = text[text.index('def peak_memory'):text.index('def users_per_second')]\n"
        "from pathlib import Path\n"
        "exec(body)\n"
        "print(peak_memory())"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(child.stdout) < block.nbytes


@dataclass
class Counting:
    """A model that keeps whom it was asked about."""

    inner: fakes.Fake
    asked: list[int] = field(default_factory=list)

    @property
    def claims(self) -> frozenset[Claim]:
        return self.inner.claims

    @property
    def n_bytes(self) -> int:
        return 0

    def predict(self, users: NDArray[np.intp], histories: Interactions) -> Predictions:
        self.asked += users.tolist()
        return self.inner.predict(users, histories)


@pytest.mark.parametrize("claims", [("consume",), ("rating",)])
def test_every_user_who_is_asked_is_scored_once(claims: tuple[Claim, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    window = prepared()
    fitted = replace(fakes.fit_popular(window.task, {"power": 1}), claims=frozenset(claims))
    counting = Counting(fitted)
    ticks = iter([0.0, 1.0, 2.0])
    monkeypatch.setattr(cost, "perf_counter", lambda: next(ticks))
    speed = users_per_second(counting, window.task.types, window.test, memory_mb=512)
    users = np.flatnonzero(window.test.targets.counts)
    assert counting.asked == users.tolist()
    assert speed == len(users) / 2.0


def test_a_slow_model_is_not_scored_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    window = prepared()
    counting = Counting(fakes.fit_popular(window.task, {"power": 1}))
    ticks = iter([0.0, cost.SECONDS + 1, cost.SECONDS + 1])
    monkeypatch.setattr(cost, "perf_counter", lambda: next(ticks))
    monkeypatch.setattr(cost, "users_per_batch", lambda *_, **__: 3)
    assert users_per_second(counting, window.task.types, window.test, memory_mb=512) == 3 / (cost.SECONDS + 1)
    assert len(counting.asked) == 3
