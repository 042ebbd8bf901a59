"""Models x data sets x recipes x seeds, as the jobs of a run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conv4rec.compare.jobs import Job, Limits, Request
from conv4rec.config import Config, make_config
from conv4rec.data.named import NAMED_SETS, unknown_name
from conv4rec.errors import DataError
from conv4rec.recipes import find_recipe, use_recipe


@dataclass(frozen=True)
class Grid:
    """What is compared on what, and how.

    Attributes:
        data: named data sets and paths.
        models: names of models.
        recipes: protocols.
        seeds: of split and fit.
        config: settings below those of the recipe.
        overrides: `section.field=value`, above those of the recipe.
        params: hyper-parameters that are given, by model.
        limits: of the search for the others; None: no search.
        storage: of the studies; None: in the run folder.
        slices: whether parts of the test data are measured for themselves.
        over_time: whether recall@K^beta is measured.
    """

    data: Sequence[str]
    models: Sequence[str]
    recipes: Sequence[str] = ("random",)
    seeds: Sequence[int] = (0,)
    config: Config = field(default_factory=Config)
    overrides: Sequence[str] = ()
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    limits: Limits | None = None
    storage: str | None = None
    slices: bool = True
    over_time: bool = False

    def requests(self) -> tuple[Request, ...]:
        """A request for every job, in the order in which tables fill: by data, recipe, seed, window, model.

        Raises:
            ConfigError: a recipe or a setting that does not exist.
            DatasetNotFoundError: a source that is neither a file nor a named data set.
            DataError: a recipe that is not for one of the sources, or two jobs whose files would have the same name.
        """
        requests: dict[str, Request] = {}
        for request in self._requests():
            other = requests.setdefault(request.job.name, request).job
            if other != request.job:
                raise DataError(
                    f"{other.model} on {other.data} and {request.job.model} on {request.job.data} would both be "
                    f"written to {other.name}"
                )
        return tuple(requests.values())

    def _requests(self) -> Iterator[Request]:
        for source in self.data:
            for recipe in self.recipes:
                _check_source(source, recipe)
                for seed in self.seeds:
                    yield from self._of_split(source, recipe, seed)

    def _of_split(self, source: str, recipe: str, seed: int) -> Iterator[Request]:
        config = with_seed(use_recipe(self.config, recipe, self.overrides), seed)
        n_windows = config.split.windows if config.split.recipe == "rolling" else 1
        for window in range(1, n_windows + 1):
            for model in self.models:
                yield Request(
                    job=Job(model=model, data=source, recipe=recipe, seed=seed, window=window),
                    config=config,
                    params=dict(self.params.get(model, {})),
                    limits=self.limits,
                    storage=self.storage,
                    slices=self.slices,
                    over_time=self.over_time,
                )


def with_seed(config: Config, seed: int) -> Config:
    """The settings with this seed of the split and of our own fit; the seed of the intervals stays, as it pairs."""
    settings = config.model_dump()
    settings["split"]["seed"] = settings["train"]["seed"] = seed
    return make_config(settings)


def _check_source(source: str, recipe: str) -> None:
    if source not in NAMED_SETS and not Path(source).exists():
        raise unknown_name(source)
    sources = find_recipe(recipe).sources
    if sources is not None and source not in sources:
        raise DataError(f"recipe {recipe} is for the data set {' or '.join(sources)}; got {source}")
