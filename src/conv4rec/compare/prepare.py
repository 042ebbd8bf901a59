"""From the parts of a window to what a model may learn from, and, apart from it, what it is asked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from conv4rec.compare.jobs import Request
from conv4rec.compare.params import settings_given
from conv4rec.config import Config
from conv4rec.data.interactions import Interactions
from conv4rec.data.parts import Parts
from conv4rec.data.ratings import join
from conv4rec.data.split import Split
from conv4rec.errors import DataError
from conv4rec.evaluation import Validation
from conv4rec.peers.models import find_model
from conv4rec.peers.peer import Peer, Task
from conv4rec.recipes import load_windows
from conv4rec.vocabulary import Vocabulary


@dataclass(frozen=True)
class Prepared:
    """A window in index space.

    Attributes:
        task: what a model may learn from.
        test: what it is asked once fitted; no part of it is in `task`.
        vocabulary: the ids of the window.
    """

    task: Task
    test: Validation
    vocabulary: Vocabulary

    @property
    def fingerprint(self) -> str:
        """A hash of what is asked."""
        parts = (self.test.history, self.test.targets, self.test.excluded)
        return "".join(part.fingerprint() for part in parts if part is not None)


@dataclass(frozen=True)
class Loaded:
    """What a request needs.

    Attributes:
        peer: the model.
        parts: those of its window.
        prepared: the same in index space.
        fixed: hyper-parameters that are given, as such or as settings, and are not searched.
    """

    peer: Peer
    parts: Parts
    prepared: Prepared
    fixed: Mapping[str, Any]


def load(request: Request) -> Loaded:
    """Find the model, load the data and divide them. Raises DataError for a window that there is not."""
    job, peer = request.job, find_model(request.job.model)
    windows = load_windows(job.data, job.recipe, request.config)
    if len(windows) < job.window:
        raise DataError(f"window {job.window}: recipe {job.recipe} makes {len(windows)} of {job.data}")
    parts = windows[job.window - 1]
    fixed = settings_given(peer, request.config) | request.params
    return Loaded(peer, parts, prepare(parts, request.config, seed=job.seed), fixed)


def prepare(parts: Parts, config: Config, *, seed: int, vocabulary: Vocabulary | None = None) -> Prepared:
    """Cross the id border, with the ids of all parts or with those of a model, which must have them all.

    Raises DataError for parts without a test part, and UnknownIdError for an id that the vocabulary does not have.
    """
    split = parts.split
    if split.test is None:
        raise DataError(f"{parts.known.name}: no test part (split.test = 0); expected one to compare on")
    vocabulary = parts.known.vocabulary() if vocabulary is None else vocabulary
    task = Task(
        types=vocabulary.types,
        train=Interactions.from_ratings(split.train, vocabulary),
        validation=Validation.of(split.validation, vocabulary),
        known=_known(split, vocabulary),
        seed=seed,
        config=config,
    )
    return Prepared(task, Validation.of(split.test, vocabulary), vocabulary)


def for_search(task: Task) -> Task:
    """The task while hyper-parameters are searched: nothing is known of the users beyond train."""
    return replace(task, known=task.train)


def refuse_new_users(peer: Peer, known: Interactions, asked: Validation) -> None:
    """Raise DataError where a model that cannot predict new users is asked about users it was not fitted on.

    A user without any history is no new user: every model must have an answer for them.
    """
    if peer.new_users:
        return
    users = (asked.targets.counts > 0) & (asked.history.counts > 0)
    n_new = int(np.count_nonzero(users & (known.counts == 0)))
    if n_new:
        raise DataError(
            f"{peer.name} cannot predict users that it was not fitted on, and {n_new:,} of "
            f"{np.count_nonzero(users):,} users are new"
        )


def _known(split: Split, vocabulary: Vocabulary) -> Interactions:
    """Train, and validation with its history, which may be train itself; but train alone if the test is not told."""
    if split.test is not None and split.test.excluded is not None:
        return Interactions.from_ratings(split.train, vocabulary)
    known = join(split.train, split.validation.targets)
    if split.validation.history is not split.train:
        known = join(known, split.validation.history)
    return Interactions.from_ratings(known, vocabulary)
