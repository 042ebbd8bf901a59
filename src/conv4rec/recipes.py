"""Named recipes: whole protocols of evaluation, each a set of settings with its rules in words.

A recipe is a preset over the sections `split` and `evaluate` of the settings and adds no way of splitting of its own.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conv4rec.config import Config, make_config, override
from conv4rec.data.download import Progress
from conv4rec.data.parts import Parts, load_all_parts
from conv4rec.errors import ConfigError, DataError

SHARES = {"validation": 0.1, "test": 0.1}
EVERY = "every held-out interaction whose item is not in the history"
AT_LEAST = "held-out ratings of {:g} or more whose item is not in the history"
OVER_USERS = (
    "ranking: every item outside the history is ranked, no sampled negatives; mean over users with a relevant item; "
    "recall@k and map@k divide by min(k, relevant items). Ratings: mean over held-out rated interactions. "
    "Likelihood: mean over held-out interactions"
)


@dataclass(frozen=True)
class Recipe:
    """A protocol.

    Attributes:
        name: as typed after `--recipe`.
        about: what it does, in a line.
        relevance: which items count as relevant in the ranking.
        denominators: what figures are divided by.
        settings: what it sets, by section and field; the rest of the settings is left as it is.
        sources: the named data sets that it is for; None: any source that has what the split needs.
    """

    name: str
    about: str
    settings: Mapping[str, Mapping[str, Any]]
    relevance: str = EVERY
    denominators: str = OVER_USERS
    sources: tuple[str, ...] | None = None

    @property
    def data(self) -> str:
        """The data that it is for, in words."""
        if self.sources is not None:
            return " or ".join(self.sources)
        needs_times = self.settings["split"]["recipe"] in ("time", "rolling", "leave-last-out")
        return "any with a time stamp in every row" if needs_times else "any"


def _settings(recipe: str, *, relevant: float | None = None, **fields: Any) -> Mapping[str, Mapping[str, Any]]:
    return {"split": {"recipe": recipe, **fields}, "evaluate": {"relevant": relevant}}


GIVEN = _settings("given", validation=0.1)

_ALL = (
    Recipe(
        "random",
        "80 % train, 10 % validation, 10 % test, each interaction for itself; the test is asked from train alone, and "
        "lists leave out what is in validation",
        _settings("random", **SHARES),
    ),
    Recipe(
        "strong",
        "strong generalization: 10 % of the users in validation and in test, whom training does not see; 80 % of "
        "their interactions are given, the rest is predicted",
        _settings("user", **SHARES, fold_in=0.8),
    ),
    Recipe(
        "time",
        "one cut in time for all users: the latest 10 % are the test, the 10 % before them validation",
        _settings("time", **SHARES),
    ),
    Recipe(
        "rolling",
        "the cut of `time` moved forward in three windows: each trains on all that is earlier than its validation part",
        _settings("rolling", **SHARES, windows=3),
        denominators=f"{OVER_USERS}. Over windows: plain mean, each window counts the same",
    ),
    Recipe(
        "leave-last-out",
        "the last interaction of each user is the test, the one before it validation",
        _settings("leave-last-out"),
        relevance="the one held-out interaction of a user, if its item is not in the history",
    ),
    Recipe("u1", "the official split u1 of MovieLens 100K, 80,000 and 20,000 ratings", GIVEN, sources=("ml-100k",)),
    Recipe(
        "top-n-fold",
        "a published fold of a Top-N study, implicit: ratings of 4 or 5 became interactions, all others were dropped",
        GIVEN,
        relevance=f"{EVERY}; the publisher kept ratings of 4 or 5 only",
        denominators=f"{OVER_USERS}. The study divides recall by all relevant items instead",
        sources=("ml-1m-fold",),
    ),
    Recipe(
        "random-exposure",
        "train on ratings that users chose to give, test on ratings of items drawn at random for them",
        {"split": GIVEN["split"], "evaluate": {"relevant": 4.0, "like": 4.0}},
        relevance=f"{AT_LEAST.format(4)}; liked, for the metrics of p_like: rated 4 or more",
        denominators=f"{OVER_USERS}. Only ndcg_like@k ranks the exposed items alone",
        sources=("yahoo-r3", "coat"),
    ),
)
RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _ALL}


def find_recipe(name: str) -> Recipe:
    """The recipe of this name. Raises ConfigError naming those that exist."""
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(RECIPES)}"
        raise ConfigError(f"recipe {name!r} does not exist; {hint}")
    return RECIPES[name]


def use_recipe(config: Config, name: str, overrides: Sequence[str] = ()) -> Config:
    """The settings with those of a recipe over them, and `section.field=value` overrides over both.

    Raises ConfigError for a recipe or a setting that does not exist.
    """
    settings = config.model_dump()
    for section, fields in find_recipe(name).settings.items():
        settings[section] = settings[section] | fields
    return override(make_config(settings), overrides)


def recipe_notes(name: str, config: Config) -> tuple[str, ...]:
    """What a recipe does, its relevance rule and its denominators, and which of its settings `config` has changed."""
    recipe = find_recipe(name)
    changed = tuple(_changes(recipe, config))
    return (
        f"recipe {name}{' (changed)' if changed else ''}: {recipe.about}",
        f"relevant: {_relevance(recipe, config.evaluate.relevant)}",
        f"denominators: {recipe.denominators}",
        *changed,
    )


def load_windows(
    source: Any,
    recipe: str | None,
    config: Config,
    *,
    test: Any = None,
    query: str | None = None,
    progress: Progress | None = None,
) -> tuple[Parts, ...]:
    """The parts that `config`, as from `use_recipe`, makes of a source: several for rolling windows, else one.

    `recipe` is the name of the recipe that `config` follows, None for settings of one's own; all else is as for
    `load_parts`. Raises DataError for a source that the recipe is not for, and for a recipe together with `test`.
    """
    if recipe is not None:
        _refuse_misfit(find_recipe(recipe), source, test)
    return load_all_parts(source, config, test=test, query=query, progress=progress)


def _refuse_misfit(recipe: Recipe, source: Any, test: Any) -> None:
    if test is not None:
        raise DataError(f"recipe {recipe.name} makes the test part itself: give no other test part")
    if recipe.sources is not None and not (isinstance(source, str) and source in recipe.sources):
        met = source if isinstance(source, str) else type(source).__name__
        raise DataError(f"recipe {recipe.name} is for the data set {recipe.data}; got {met}")


def _relevance(recipe: Recipe, least: float | None) -> str:
    if least == recipe.settings["evaluate"]["relevant"]:
        return recipe.relevance
    return f"{EVERY if least is None else AT_LEAST.format(least)}; the recipe itself: {recipe.relevance}"


def _changes(recipe: Recipe, config: Config) -> Iterator[str]:
    for section, fields in recipe.settings.items():
        for field, value in fields.items():
            met = getattr(getattr(config, section), field)
            if met != value:
                yield f"changed: {section}.{field} = {met}; recipe {recipe.name} has {value}"
