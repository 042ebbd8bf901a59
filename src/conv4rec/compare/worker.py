"""The process of one job: `python -m conv4rec.compare.worker fit RUN JOB`, or `tune RUN JOB LOST_SECONDS`.

A process of its own makes the peak memory that of this job, and keeps whatever happens to it away from the others.
"""

import os
import sys
import threading
import time
from pathlib import Path

from conv4rec.compare.cost import peak_memory
from conv4rec.compare.events import Events, in_one_line
from conv4rec.compare.jobs import Request, RunFolder, Tuned
from conv4rec.compare.measure import epochs_of, insights_of, measure, protocol, recall_over_time
from conv4rec.compare.prepare import for_search, load, refuse_new_users
from conv4rec.errors import DataError
from conv4rec.records import Cost, write_record


def fit(folder: RunFolder, name: str, events: Events) -> None:
    """Fit the model of a job with the parameters it is to have, measure it, and write its record."""
    request = _request(folder, name)
    tuned = folder.read_tuned(name) if request.limits is not None else None
    events.tell(stage="loading")
    loaded = load(request)
    task, peer = loaded.prepared.task, loaded.peer
    refuse_new_users(peer, task.known, loaded.prepared.test)
    params = {**peer.defaults, **(loaded.fixed if tuned is None else tuned.params)}
    events.tell(stage="fitting")
    started = time.perf_counter()
    fitted = peer.fit(task, params)
    seconds, memory = time.perf_counter() - started, peak_memory()
    events.tell(stage="measuring")
    measured = measure(fitted, loaded.prepared, request.config.evaluate, with_slices=request.slices)
    fields = measured.fields() | epochs_of(fitted) | protocol(request, loaded.parts, measured.report)
    fields |= insights_of(fitted, loaded.prepared)
    if request.over_time:
        points, notes = recall_over_time(fitted, loaded, request.config.evaluate)
        fields["curves"] = fields["curves"].model_copy(update={"recall_beta": points})
        fields["notes"] += notes
    cost = Cost(
        fit_seconds=seconds,
        users_per_second=measured.users_per_second,
        peak_memory_bytes=memory,
        model_bytes=fitted.n_bytes,
    )
    budget = None if tuned is None else tuned.budget
    write_record(folder.root, request.job.record(params=params, budget=budget, cost=cost, **fields), measured.report)


def tune(folder: RunFolder, name: str, events: Events, lost_seconds: str = "0") -> None:
    """Search the hyper-parameters of a job; `lost_seconds` were spent on a trial that died with its process."""
    from conv4rec.compare.tune import Search, search

    request = _request(folder, name)
    if request.limits is None:
        raise DataError(f"{name}: no limits of a search in the request")
    events.tell(stage="loading")
    loaded = load(request)
    storage = folder.storage if request.storage is None else request.storage
    wanted = Search(loaded.peer, for_search(loaded.prepared.task), loaded.fixed, request.limits)
    found = search(wanted, storage=storage, study=name, listener=events, lost_seconds=float(lost_seconds))
    folder.write_tuned(name, Tuned(params=found.params, budget=found.budget))


ACTIONS = {"fit": fit, "tune": tune}


def main(words: list[str]) -> None:
    """Do one action; whatever stops it is told before it is raised."""
    events = Events.take_standard_output()
    _end_with_parent()
    _be_the_first_to_go()
    try:
        ACTIONS[words[0]](RunFolder(Path(words[1])), words[2], events, *words[3:])
    except BaseException as error:
        events.tell(error=in_one_line(error))
        raise


def _request(folder: RunFolder, name: str) -> Request:
    request = folder.read_request(name)
    if request is None:
        raise DataError(f"{folder.root}: no request of the name {name}")
    return request


def _end_with_parent() -> None:
    """Leave when standard input ends, which the parent holds open as long as it lives."""

    def wait() -> None:
        os.read(0, 1)  # not sys.stdin, whose lock would be held when the interpreter ends
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _be_the_first_to_go() -> None:
    """Where memory runs out on Linux, let the kernel end this process and not the one that reports it."""
    try:
        Path("/proc/self/oom_score_adj").write_text("500")
    except OSError:
        return


if __name__ == "__main__":
    main(sys.argv[1:])
