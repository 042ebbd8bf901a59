"""The jobs of a comparison."""

from pathlib import Path

import pytest

from conv4rec.compare.grid import Grid, with_seed
from conv4rec.compare.jobs import Limits
from conv4rec.config import Config, make_config
from conv4rec.errors import ConfigError, DataError, DatasetNotFoundError


def test_every_combination_in_the_order_in_which_tables_fill() -> None:
    config = make_config({"split": {"windows": 2}})
    grid = Grid(
        data=["ml-100k", "simulated"],
        models=["a", "b"],
        recipes=["random", "rolling"],
        seeds=[0, 5],
        config=config,
        overrides=["split.windows=2"],
        params={"b": {"power": 1}},
        limits=Limits(trials=3),
    )
    requests = grid.requests()
    jobs = [(r.job.data, r.job.recipe, r.job.seed, r.job.window, r.job.model) for r in requests]
    per_data = [
        (recipe, seed, window, model)
        for recipe, windows in (("random", (1,)), ("rolling", (1, 2)))
        for seed in (0, 5)
        for window in windows
        for model in "ab"
    ]
    assert jobs == [(data, *job) for data in ("ml-100k", "simulated") for job in per_data]
    assert [r.params for r in requests[:2]] == [{}, {"power": 1}]
    assert all(r.limits == Limits(trials=3) for r in requests)


def test_the_settings_of_a_job() -> None:
    config = make_config({"train": {"epochs": 3}, "evaluate": {"seed": 9}})
    grid = Grid(data=["ml-100k"], models=["a"], recipes=["u1"], seeds=[5], config=config, overrides=["train.mask=0.1"])
    (request,) = grid.requests()
    settings = request.config
    assert (settings.train.epochs, settings.train.mask, settings.split.recipe) == (3, 0.1, "given")
    assert (settings.split.seed, settings.train.seed, settings.evaluate.seed) == (5, 5, 9)
    assert with_seed(Config(), 0) == Config()


def test_repeated_words_make_one_job() -> None:
    assert len(Grid(data=["simulated"] * 2, models=["a", "a"], seeds=[1, 1]).requests()) == 1


REFUSED = [
    (Grid(data=["ml-1mm"], models=["a"]), DatasetNotFoundError, "'ml-1mm' is neither a file nor a named data set"),
    (Grid(data=["simulated"], models=["a"], recipes=["randum"]), ConfigError, "recipe 'randum' does not exist"),
    (Grid(data=["ml-1m"], models=["a"], recipes=["u1"]), DataError, "recipe u1 is for the data set ml-100k; got ml-1m"),
    (Grid(data=["simulated"], models=["a"], overrides=["train.epoch=1"]), ConfigError, "setting train.epoch does not"),
    (
        Grid(data=["simulated"], models=["m:A", "m-A"]),
        DataError,
        "m:A on simulated and m-A on simulated would both be written to simulated__random__m-A__s0__w1",
    ),
]


@pytest.mark.parametrize(("grid", "kind", "message"), REFUSED)
def test_what_cannot_be_done_is_refused_before_anything_is(grid: Grid, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as met:
        grid.requests()
    assert str(met.value).startswith(message)


def test_a_path_is_a_source_too(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("")
    assert Grid(data=[str(tmp_path / "r.csv")], models=["a"]).requests()[0].job.data == str(tmp_path / "r.csv")
