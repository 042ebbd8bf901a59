"""Ray: started here, or joined where it runs already."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from conv4rec.errors import MissingExtraError, TrainingError


@contextmanager
def cluster(workers: int, address: str | None = None) -> Iterator[Any]:
    """The module `ray`, connected; what was started or joined here is left again, and no other.

    Args:
        workers: processes that the work needs, each with a core of its own.
        address: of a running cluster, `auto` or `ray://HOST:PORT`; None starts Ray on this machine.

    Raises:
        MissingExtraError: Ray is not installed.
        TrainingError: no cluster answers at the address, or it has fewer cores than workers.
    """
    ray = import_ray()
    if ray.is_initialized():
        check_cores(ray, workers)
        yield ray
        return
    connect(ray, workers, address)
    try:
        check_cores(ray, workers)
        yield ray
    finally:
        ray.shutdown()


def import_ray() -> Any:
    """The module, without reports of its use to others; MissingExtraError where it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        return import_module("ray")
    except ImportError as error:
        raise MissingExtraError(f"several workers need Ray: pip install 'conv4rec[ray]' ({error})") from None


def cores_each(ray: Any, workers: int) -> int:
    """The cores that every worker gets when all of the cluster are dealt out."""
    return max(1, int(ray.cluster_resources().get("CPU", 0)) // workers)


def check_cores(ray: Any, workers: int) -> None:
    """Raise TrainingError where Ray would wait for cores that are not there."""
    cores = int(ray.cluster_resources().get("CPU", 0))
    if cores < workers:
        raise TrainingError(f"--workers {workers}: the Ray cluster has {cores} cores; expected at most {cores} workers")


def connect(ray: Any, workers: int, address: str | None) -> None:
    """Start Ray on this machine, with a core a worker at least, or join it where it runs; errors as in `cluster`."""
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address is None:
        cores = os.cpu_count()
        ray.init(num_cpus=max(workers, 1 if cores is None else cores), include_dashboard=False, **quiet)
        return
    try:
        ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise TrainingError(f"no Ray cluster at {address}: {str(error).splitlines()[0]}") from None
