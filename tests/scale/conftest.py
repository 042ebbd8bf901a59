"""One Ray for all tests: it takes seconds to start."""

from collections.abc import Iterator
from typing import Any

import pytest

from conv4rec.scale.cluster import import_ray


@pytest.fixture(scope="session")
def ray() -> Iterator[Any]:
    """Ray with two cores on this machine, small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")
        patch.setenv("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")
        patch.setenv("RAY_TRAIN_METRICS_ENABLED", "0")
        module = import_ray()
        module.init(num_cpus=2, object_store_memory=100 << 20, include_dashboard=False, log_to_driver=False)
        yield module
        module.shutdown()
