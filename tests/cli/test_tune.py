"""`conv4rec tune`, and what `tune` and `compare` refuse before any work."""

import json
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from conv4rec.cli import main
from conv4rec.config import load_config
from conv4rec.records import read_records, read_replicates
from tests.compare.worlds import write_small_csv

POPULAR = "tests.compare.fakes:POPULAR"


class Done(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `conv4rec` with these words in this process."""

    def run_it(*words: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["conv4rec", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        code = left.value.code
        return Done(code if isinstance(code, int) else 0, said.out, said.err)

    return run_it


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "r.csv"
    write_small_csv(path)
    return path


def test_what_is_found_is_toml_for_compare(run: Run, csv: Path, tmp_path: Path) -> None:
    words = ("tune", "--data", csv, "--model", POPULAR, "--trials", "3", "--study", tmp_path / "tune.db")
    done = run(*words, "-o", tmp_path / "best.toml")
    assert done.code == 0
    text = (tmp_path / "best.toml").read_text()
    assert text in done.out
    assert tomllib.loads(text).keys() <= {"power"}
    first, second = text.splitlines()[:2]
    assert first.startswith(f"# {POPULAR} on {csv}, random, seed 0: searched by nll_consume on validation, at most 3")
    assert second.startswith("# nll_consume ")
    assert done.err.count("\ntrial ") == 3
    again = run(*words, "--json")
    assert (json.loads(again.out)["params"], again.err) == (tomllib.loads(text), "")
    more = run(*words[:-3], "5", *words[-2:], "--json")
    assert json.loads(more.out)["budget"]["trials"] == 5
    assert more.err.count("\ntrial ") == 2


def test_what_is_found_for_conv4rec_is_a_config_file(run: Run, csv: Path, tmp_path: Path) -> None:
    small = ("train.epochs=2", "model.embedding_dim=32", "train.device=cpu")
    sets = [word for setting in small for word in ("--set", setting)]
    study = ("--study", tmp_path / "t.db", "--trials", "2")
    done = run("tune", "--data", csv, *study, *sets, "-o", tmp_path / "best.toml", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["out"] == str(tmp_path / "best.toml")
    assert told["params"]["model.embedding_dim"] == 32
    settings = load_config(tmp_path / "best.toml")
    assert (settings.train.epochs, settings.model.embedding_dim) == (2, 32)
    searched = {name for name in told["params"] if name != "model.embedding_dim"}
    assert not searched or settings.train.learning_rate == told["params"]["train.learning_rate"]
    trained = run("train", "--data", csv, "--config", tmp_path / "best.toml", "-m", tmp_path / "m", "--json")
    assert json.loads(trained.out)["epochs"] == 2


COMPARE, TUNE = ("compare", "--data", "CSV", "--model", POPULAR), ("tune", "--data", "CSV", "--model", POPULAR)
REFUSED = [
    ((*COMPARE, "--model", "eese"), "model 'eese' does not exist; did you mean 'ease'?"),
    ((*COMPARE, "--recipe", "randum"), "recipe 'randum' does not exist; did you mean 'random'?"),
    ((*COMPARE, "--data", "nowhere"), "'nowhere' is neither a file nor a named data set"),
    ((*COMPARE, "--set", "train.epoch=1"), "setting train.epoch does not exist"),
    (
        (*COMPARE, "--params", '{"popular": {}}'),
        f"--params: model 'popular' is not compared; expected one of {POPULAR}",
    ),
    (TUNE, "tune: no limit; expected --trials, --seconds or both"),
    ((*TUNE, "--trials", "1", "--window", "2"), "tune: --window 2: recipe random makes 1"),
    ((*TUNE, "--trials", "1", "--study", "nothing://host"), "nothing://host: no studies can be kept there"),
]


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_a_refusal_is_one_line_and_nothing_is_written(
    run: Run, csv: Path, tmp_path: Path, words: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*(str(csv) if word == "CSV" else word for word in words))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("conv4rec: ")
    assert message in done.err
    assert list(tmp_path.iterdir()) == []


def test_evaluate_writes_a_record_that_report_and_compare_read(run: Run, csv: Path, tmp_path: Path) -> None:
    sets = ("--set", "train.epochs=2", "--set", "train.device=cpu", "--set", "evaluate.bootstrap=20")
    model, folder = tmp_path / "films.conv4rec", tmp_path / "run"
    assert run("train", "--data", csv, "-m", model, *sets, "--json").code == 0
    plain = json.loads(run("evaluate", model, "--data", csv, "--json").out)
    recorded = json.loads(run("evaluate", model, "--data", csv, "--run", folder, "--json").out)
    assert recorded["metrics"] == {"test": pytest.approx(plain["metrics"]["test"])}
    (record,) = read_records(folder)
    assert record.model == "films"
    assert record.metrics == pytest.approx(plain["metrics"]["test"])
    assert read_replicates(folder, record)["rmse"].shape == (20,)
