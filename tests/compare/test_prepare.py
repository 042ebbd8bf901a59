"""What a model may learn from, and what it is asked."""

from dataclasses import replace

import numpy as np
import pytest

from conv4rec.compare.jobs import Job, Request
from conv4rec.compare.prepare import for_search, load, prepare, refuse_new_users
from conv4rec.config import Config, make_config
from conv4rec.data.parts import Parts
from conv4rec.data.split import split
from conv4rec.errors import DataError
from conv4rec.evaluation import Validation
from tests.compare import fakes
from tests.compare.worlds import pairs, prepared, small_ratings
from tests.triples import make_interactions


@pytest.mark.parametrize("recipe", ["random", "user", "time", "leave-last-out"])
def test_nothing_of_the_test_targets_is_in_the_task(recipe: str) -> None:
    window = prepared(recipe)
    task, asked = window.task, pairs(window.test.targets)
    assert asked
    for part in (task.train, task.validation.history, task.validation.targets, task.known):
        assert not pairs(part) & asked


@pytest.mark.parametrize("recipe", ["random", "time", "leave-last-out"])
def test_what_is_known_is_the_history_of_the_test(recipe: str) -> None:
    window = prepared(recipe)
    assert pairs(window.task.known) == pairs(window.test.history)
    assert len(window.task.known) == len(window.test.history)


def test_strong_generalization_knows_the_users_of_validation_too() -> None:
    window = prepared("user")
    task = window.task
    parts = (task.train, task.validation.history, task.validation.targets)
    assert pairs(task.known) == set().union(*map(pairs, parts))
    assert len(task.known) == sum(map(len, parts))


def test_the_given_parts_of_a_publisher() -> None:
    ratings = small_ratings()
    given = split(ratings)
    assert given.test is not None
    window = prepare(Parts(replace(given, test=given.test), ratings), Config(), seed=3)
    assert window.task.seed == 3
    assert pairs(window.task.known) == pairs(window.test.history)


def test_a_search_knows_nothing_of_users_beyond_train() -> None:
    task = for_search(prepared().task)
    assert pairs(task.known) == pairs(task.train)
    assert not pairs(task.known) & pairs(task.validation.targets)


def test_the_fingerprint_is_that_of_the_test_part() -> None:
    assert prepared().fingerprint == prepared().fingerprint
    assert prepared().fingerprint != prepared(seed=1).fingerprint


def test_parts_without_a_test_part_are_refused() -> None:
    config = make_config({"split": {"test": 0.0}})
    parts = Parts(split(small_ratings(), config.split), small_ratings())
    with pytest.raises(DataError, match=r"simulated: no test part \(split.test = 0\); expected one to compare on"):
        prepare(parts, config, seed=0)


def test_a_model_that_cannot_predict_new_users_is_not_asked_to() -> None:
    window = prepared("user")
    refuse_new_users(fakes.POPULAR, window.task.known, window.test)
    n_users = np.count_nonzero(window.test.targets.counts)
    message = f"per-user cannot predict users that it was not fitted on, and {n_users} of {n_users} users are new"
    with pytest.raises(DataError, match=message):
        refuse_new_users(fakes.PER_USER, window.task.known, window.test)


def test_a_user_without_history_is_no_new_user() -> None:
    """User 0 has no history and user 1 is known: both are asked; user 2 is new, and not asked."""
    known = make_interactions([(1, 0, 0)], n_users=3, n_items=2)
    history = make_interactions([(1, 0, 0), (2, 0, 0)], n_users=3, n_items=2)
    targets = make_interactions([(0, 1, 0), (1, 1, 0)], n_users=3, n_items=2)
    refuse_new_users(fakes.PER_USER, known, Validation(history, targets))
    with pytest.raises(DataError, match="1 of 1 users are new"):
        refuse_new_users(
            fakes.PER_USER, known, Validation(history, make_interactions([(2, 1, 0)], n_users=3, n_items=2))
        )


def test_load_finds_the_model_and_the_window() -> None:
    config = make_config({"split": {"recipe": "rolling", "windows": 2}})
    job = Job(model="tests.compare.fakes:POPULAR", data="simulated", recipe="rolling", window=2)
    loaded = load(Request(job=job, config=config))
    assert loaded.peer is fakes.POPULAR
    assert loaded.parts.split.recipe.startswith("rolling, window 2 of 2")
    with pytest.raises(DataError, match="window 3: recipe rolling makes 2 of simulated"):
        load(Request(job=job.model_copy(update={"window": 3}), config=config))
