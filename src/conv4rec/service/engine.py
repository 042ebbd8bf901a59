"""The service as an object: its model, worker, store and figures. Routes and pages ask it, and nothing below it."""

import asyncio
import gc
import logging
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from conv4rec.errors import StoreError
from conv4rec.records import read_records
from conv4rec.service.keys import KeyRing, load_keys
from conv4rec.service.meters import Meters
from conv4rec.service.people import Person, acquaintances, check_ids
from conv4rec.service.problems import Problem
from conv4rec.service.settings import ServiceSettings
from conv4rec.service.shelf import Loaded, Shelf
from conv4rec.service.store.database import CONNECTIONS
from conv4rec.service.store.store import Store
from conv4rec.service.store.tables import Id, Kinds
from conv4rec.service.worker import Worker

T = TypeVar("T")
log = logging.getLogger("conv4rec.service")


@dataclass(frozen=True)
class Service:
    """Everything that answers a request."""

    settings: ServiceSettings
    keys: KeyRing | None
    shelf: Shelf
    store: Store
    worker: Worker
    meters: Meters
    threads: ThreadPoolExecutor

    @classmethod
    def open(cls, settings: ServiceSettings) -> "Service":
        """Read keys and model, and open the store; a database that is down is waited for, not an error.

        Raises ConfigError, DataError, ModelFileError or MissingExtraError for what cannot be served at all.
        """
        if settings.records is not None:
            read_records(settings.records)  # they are read again when asked for; a wrong folder is known now
        keys = None if settings.keys is None else load_keys(settings.keys)
        shelf, meters = Shelf(settings.models, settings.device), Meters.new()
        loaded = shelf.read(shelf.choose(settings.active, []))
        store = Store.open(settings.store, Kinds.of(loaded.model.vocabulary), timeout=settings.store_timeout)
        name = shelf.choose(settings.active, _past(store))
        shelf.put(loaded if loaded.name == name else shelf.read(name))
        meters.model.labels(name).set(1)
        threads = settings.threads if settings.threads is not None else max(1, (os.cpu_count() or 1) // 2)
        worker = Worker(settings.batch, settings.queue, meters.batch.observe, lambda: torch.set_num_threads(threads))
        meters.waiting.set_function(lambda: worker.waiting)
        return cls(settings, keys, shelf, store, worker, meters, ThreadPoolExecutor(CONNECTIONS, "conv4rec-store"))

    def start(self) -> None:
        """Start to answer. What is loaded by now is left alone by the garbage collector, which keeps pauses short."""
        gc.collect()
        gc.freeze()
        self.worker.start()

    def close(self) -> None:
        """Finish what waits, and let go of everything."""
        self.worker.stop()
        self.threads.shutdown()
        self.store.close()

    async def remember(self, ask: Callable[[], T]) -> T:
        """The result of a function that asks the store, on a thread of the store."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self.threads, ask)
        except StoreError:
            self.meters.store_errors.inc()
            raise

    async def known(self, places: Mapping[Id, str], loaded: Loaded) -> dict[Id, Person]:
        """Known users with what they did since, by id.

        `places` are the users, and where in the request they stand. Problem 422 for ids of the wrong kind, 404 for one
        of whom nothing is known.
        """
        check_ids(places, integers=loaded.model.vocabulary.users.are_integers)
        return await self.remember(lambda: acquaintances(places, loaded, self.store.remembered(list(places))))

    async def without_erased(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rows about users, without those who were erased since the model was trained."""
        erased = (await self.remember(lambda: self.store.remembered([row["user_id"] for row in rows]))).erased
        return [row for row in rows if row["user_id"] not in erased]

    def switch(self, name: str) -> Loaded:
        """Read a model and let it answer from now on; those that answer requests now finish them."""
        with self.shelf.switching:
            loaded = self.shelf.read(name)
            _refuse_other_ids(loaded, self.store.kinds)
            self._remember_switch(name)
            self.meters.model.clear()
            self.meters.model.labels(name).set(1)
            self.shelf.put(loaded)
        log.info("model", extra={"fields": {"model": name}})
        return loaded

    def _remember_switch(self, name: str) -> None:
        """Note the model, and first the one before, where that was never switched to but answered from the start."""
        now, past = int(time.time()), self.store.switches()
        before = self.shelf.active.name
        if not past or past[0][0] != before:
            self.store.switched(before, now)
        self.store.switched(name, now)


def _past(store: Store) -> list[str]:
    try:
        return [name for name, _ in store.switches()]
    except StoreError as error:
        log.error("store", extra={"fields": {"reason": str(error)}})
        return []


def _refuse_other_ids(loaded: Loaded, kinds: Kinds) -> None:
    met = Kinds.of(loaded.model.vocabulary)
    if met != kinds:
        raise Problem(422, f"model {loaded.name!r} has {met}; the store holds {kinds}", field="name")
