"""`conv4rec bounds` and `conv4rec evaluate --coverage`: what they print, and what they refuse in one line."""

from pathlib import Path

import pytest

from conv4rec.config import Config, override
from conv4rec.data.ratings import Ratings
from conv4rec.data.sources import load_ratings
from conv4rec.data.split import split
from conv4rec.recommender import Conv4Rec
from conv4rec.theory.held_out_sets import calibrate_model
from tests.cli.test_verbs import Run, run  # noqa: F401 - a fixture


@pytest.fixture(scope="module")
def model(csv: Path, small_config: Config) -> Path:
    config = override(small_config, ["train.epochs=2", "experts.neighbours=4", "experts.factors=[2]"])
    ratings = load_ratings(csv)
    fitted = Conv4Rec(config).fit_split(split(ratings, config.split), ratings)
    return fitted.save(csv.parent / "m.conv4rec")


def test_every_factor_and_bound_is_printed(run: Run, model: Path, csv: Path) -> None:  # noqa: F811
    said = run("bounds", model, "--data", csv).out
    for word in ("input convolution", "encoder", "decoder", "popularity", "repeat", "item means", "X prod(s rho)"):
        assert word in said
    for word in ("by norms", "by parameters", "leading term", "vacuous", "users", "interactions", "whole law", "TV"):
        assert word in said
    assert "not vacuous from N" in said


def test_as_json(run: Run, model: Path, csv: Path) -> None:  # noqa: F811
    told = run("bounds", model, "--data", csv, "--json").json
    assert told["data"] == "ratings.csv"
    assert {row["weights"] for row in told["factors"]["consumption"]} >= {"input convolution", "encoder", "decoder"}
    assert [row["path"] for row in told["bounds"]] == ["consumption", "rating", "joint"] * 2


def test_other_data_are_refused(run: Run, model: Path, checkerboard: Ratings, tmp_path: Path) -> None:  # noqa: F811
    checkerboard.frame.head(300).write_csv(tmp_path / "other.csv")
    done = run("bounds", model, "--data", tmp_path / "other.csv")
    assert done.code == 2
    assert "is not the data the model was trained on" in done.err


def test_coverage_beside_the_metrics(run: Run, model: Path, csv: Path) -> None:  # noqa: F811
    told = run("evaluate", model, "--data", csv, "--coverage", "0.8", "--json").json["sets"]
    fitted, ratings = Conv4Rec.load(model), load_ratings(csv)
    test = split(ratings, fitted.config.split).test
    assert test is not None
    _, expected = calibrate_model(fitted, test, 0.8, by_history=True)
    assert [(row["group"], row["coverage"], row["n"]) for row in told] == [(e.group, e.coverage, e.n) for e in expected]
    assert {row["asked"] for row in told} == {0.8}
    assert "asked" in run("evaluate", model, "--data", csv, "--coverage", "0.8").out


def test_a_coverage_that_is_none(run: Run, model: Path, csv: Path) -> None:  # noqa: F811
    done = run("evaluate", model, "--data", csv, "--coverage", "90")
    assert (done.code, done.err) == (2, "conv4rec: coverage 90: expected a probability between 0 and 1\n")
