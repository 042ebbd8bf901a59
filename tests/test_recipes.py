"""Named recipes: what they set, what they say, and what they refuse."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from conv4rec.config import Config, make_config
from conv4rec.data.named import NAMED_SETS
from conv4rec.data.ratings import Ratings
from conv4rec.errors import ConfigError, DataError
from conv4rec.recipes import RECIPES, find_recipe, load_windows, recipe_notes, use_recipe


def clock(n: int = 60) -> pl.DataFrame:
    """Twelve users in turn, one interaction a second."""
    columns = {"user_id": [i % 12 for i in range(n)], "item_id": list(range(n)), "timestamp": list(range(n))}
    return pl.DataFrame(columns)


def test_the_recipes() -> None:
    assert list(RECIPES) == [
        "random",
        "strong",
        "time",
        "rolling",
        "leave-last-out",
        "u1",
        "top-n-fold",
        "random-exposure",
    ]


@pytest.mark.parametrize("name", list(RECIPES))
def test_every_recipe_sets_what_exists_and_is_for_sets_that_exist(name: str) -> None:
    recipe = find_recipe(name)
    config = use_recipe(Config(), name)
    for section, fields in recipe.settings.items():
        assert {field: getattr(getattr(config, section), field) for field in fields} == fields
    assert "relevant" in recipe.settings["evaluate"]
    assert recipe.sources is None or set(recipe.sources) <= set(NAMED_SETS)


@pytest.mark.parametrize("name", ["random", "strong", "time", "rolling", "leave-last-out"])
def test_recipes_for_any_data(name: str) -> None:
    windows = load_windows(clock(), name, use_recipe(Config(), name))
    assert len(windows) == (3 if name == "rolling" else 1)
    for parts in windows:
        assert parts.split.test is not None
        assert len(parts.split.test.targets)


def test_sizes_of_the_plain_ones() -> None:
    def sizes(name: str) -> list[int]:
        split = load_windows(clock(), name, use_recipe(Config(), name))[0].split
        assert split.test is not None
        return [len(split.train), len(split.validation.targets), len(split.test.targets)]

    assert sizes("random") == [48, 6, 6]
    assert sizes("time") == [48, 6, 6]
    assert sizes("rolling") == [36, 6, 6]
    assert sizes("leave-last-out") == [36, 12, 12]
    assert sizes("strong") == [50, 1, 1]  # one user of 12 each, with 4 of 5 interactions given


def test_a_recipe_goes_over_the_settings_and_set_goes_over_it() -> None:
    config = make_config({"split": {"recipe": "user", "test": 0.3, "seed": 5}, "train": {"epochs": 7}})
    used = use_recipe(config, "time", ["split.test=0.2", "train.epochs=2"])
    assert (used.split.recipe, used.split.test, used.split.validation, used.split.seed) == ("time", 0.2, 0.1, 5)
    assert used.train.epochs == 2
    assert use_recipe(config, "random-exposure").evaluate.relevant == 4.0
    assert use_recipe(make_config({"evaluate": {"relevant": 4}}), "random").evaluate.relevant is None


def test_the_documents_have_every_recipe_in_their_table() -> None:
    text = (Path(__file__).parents[1] / "docs" / "evaluation.md").read_text()
    rows = [line.split(" | ")[:2] for line in text.splitlines() if line.startswith("| `")]
    named = {name.strip("| `"): method.strip("`") for name, method in rows}
    assert {name: recipe.settings["split"]["recipe"] for name, recipe in RECIPES.items()}.items() <= named.items()


def test_notes_state_relevance_and_denominators() -> None:
    about, relevant, denominators = recipe_notes("random", use_recipe(Config(), "random"))
    assert about == (
        "recipe random: 80 % train, 10 % validation, 10 % test, each interaction for itself; the test is asked "
        "from train alone, and lists leave out what is in validation"
    )
    assert relevant == "relevant: every held-out interaction whose item is not in the history"
    assert denominators.startswith("denominators: ranking: every item outside the history is ranked, no sampled")
    exposed = recipe_notes("random-exposure", use_recipe(Config(), "random-exposure"))
    assert exposed[1].startswith("relevant: held-out ratings of 4 or more whose item is not in the history")


def test_notes_tell_what_was_changed() -> None:
    notes = recipe_notes("random", use_recipe(Config(), "random", ["split.test=0.2", "evaluate.relevant=3"]))
    assert notes[0].startswith("recipe random (changed): ")
    assert notes[1] == (
        "relevant: held-out ratings of 3 or more whose item is not in the history; "
        "the recipe itself: every held-out interaction whose item is not in the history"
    )
    assert notes[3:] == (
        "changed: split.test = 0.2; recipe random has 0.1",
        "changed: evaluate.relevant = 3.0; recipe random has None",
    )
    everything = recipe_notes("random-exposure", use_recipe(Config(), "random"))
    assert everything[1].startswith("relevant: every held-out interaction whose item is not in the history; the recipe")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rollin", "recipe 'rollin' does not exist; did you mean 'rolling'?"),
        ("zzz", "recipe 'zzz' does not exist; expected one of random, strong, time, rolling, leave-last-out, u1, "),
    ],
)
def test_recipes_that_do_not_exist(name: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        use_recipe(Config(), name)
    assert str(caught.value).startswith(message)


def test_an_override_that_does_not_exist() -> None:
    with pytest.raises(ConfigError, match="setting split.tests does not exist"):
        use_recipe(Config(), "random", ["split.tests=0.2"])


@pytest.mark.parametrize(
    ("name", "source", "test", "message"),
    [
        ("u1", "ml-1m", None, "recipe u1 is for the data set ml-100k; got ml-1m"),
        ("top-n-fold", "ml-1m", None, "recipe top-n-fold is for the data set ml-1m-fold; got ml-1m"),
        ("random-exposure", "x.csv", None, "recipe random-exposure is for the data set yahoo-r3 or coat; got x.csv"),
        ("u1", clock(), None, "recipe u1 is for the data set ml-100k; got DataFrame"),
        ("random", clock(), clock(), "recipe random makes the test part itself: give no other test part"),
    ],
)
def test_data_that_do_not_fit(name: str, source: Any, test: Any, message: str) -> None:
    with pytest.raises(DataError) as caught:
        load_windows(source, name, use_recipe(Config(), name), test=test)
    assert str(caught.value) == message


def test_time_needs_time_stamps(checkerboard: Ratings) -> None:
    with pytest.raises(DataError, match="a rolling split needs time stamps, and there are none"):
        load_windows(checkerboard.frame, "rolling", use_recipe(Config(), "rolling"))


def test_settings_of_ones_own_are_no_recipe() -> None:
    (parts,) = load_windows(clock(), None, Config(), test=clock(5))
    assert parts.split.recipe.startswith("given")


@pytest.mark.parametrize(
    ("name", "source", "n_train", "n_test"),
    [
        ("u1", "ml-100k", 80_000, 20_000),
        ("top-n-fold", "ml-1m-fold", 454_860, 116_671),
        ("random-exposure", "coat", 6960, 4640),
    ],
)
@pytest.mark.usefixtures("data_folder")
def test_recipes_of_publishers(
    name: str, source: str, n_train: int, n_test: int, data_folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONV4REC_DATA", str(data_folder))
    (parts,) = load_windows(source, name, use_recipe(Config(), name))
    test = parts.split.test
    assert test is not None
    assert (len(test.history), len(test.targets)) == (n_train, n_test)
    assert len(parts.split.train) + len(parts.split.validation.targets) == n_train
