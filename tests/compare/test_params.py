"""Hyper-parameters as text, and back."""

import json
import tomllib
from pathlib import Path

import pytest

from conv4rec.compare.params import flat, in_toml, read_params, settings_in_toml
from conv4rec.config import Config, load_config, make_config
from conv4rec.errors import ConfigError
from tests.compare import fakes

MODELS = {"popular": fakes.POPULAR, "uniform": fakes.UNIFORM}


def test_a_file_of_one_model_a_file_of_several_and_text(tmp_path: Path) -> None:
    one, several = tmp_path / "best.toml", tmp_path / "all.json"
    one.write_text("power = 0.5\ndull = 3\n")
    several.write_text(json.dumps({"popular": {"power": 0.75}, "uniform": {"dull": 1}}))
    assert read_params([f"popular={one}"], MODELS) == {"popular": {"power": 0.5, "dull": 3}}
    found = read_params([f"popular={one}", str(several), '{"uniform": {"power": 1}}'], MODELS)
    assert found == {"popular": {"power": 0.75, "dull": 3}, "uniform": {"dull": 1, "power": 1}}
    assert read_params([], MODELS) == {}


REFUSED = [
    ("none.toml", "--params none.toml: cannot be read: No such file"),
    ("best.yaml", "--params best.yaml: expected a name that ends in .toml or .json, MODEL=FILE, or JSON text"),
    ("broken.toml", "--params broken.toml: not TOML: "),
    ("list.json", "--params list.json: expected a table a model; got list"),
    ("latin.toml", "--params latin.toml: cannot be read: not text"),
    ("{]", "--params {]: not JSON: "),
    ('{"eease": {}}', "--params: model 'eease' is not compared; expected one of popular, uniform"),
    ('{"popular": 3}', "--params: popular: expected a table of hyper-parameters; got 3"),
    (
        '{"popular": {"powr": 1}}',
        "--params: popular has no hyper-parameter 'powr'; expected one of power, dull",
    ),
]


@pytest.mark.parametrize(("word", "message"), REFUSED)
def test_anything_else_is_refused(word: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.toml").write_text("power = = 1")
    Path("best.yaml").write_text("")
    Path("list.json").write_text("[1]")
    Path("latin.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError) as met:
        read_params([word], MODELS)
    assert str(met.value).startswith(message)


def test_toml_comes_back() -> None:
    params = {"l2": 1e-05, "layers": [600, 200], "name": 'a "b"', "on": True, "train.epochs": 3, "odd key": 1}
    assert flat(tomllib.loads(in_toml(params))) == params


def test_toml_has_no_null() -> None:
    with pytest.raises(ConfigError, match="width = None: TOML has no word for it"):
        in_toml({"width": None})


def test_settings_that_differ_make_a_config_file(tmp_path: Path) -> None:
    config = make_config(
        {"train": {"epochs": 7}, "split": {"seed": 3}, "evaluate": {"k": [3]}, "data": {"min_user": 2}}
    )
    text = settings_in_toml(config, {"train.learning_rate": 0.01, "model.channels": Config().model.channels})
    (tmp_path / "best.toml").write_text(text)
    wanted = {"train": {"epochs": 7, "learning_rate": 0.01}, "data": {"min_user": 2}}
    assert tomllib.loads(text) == wanted
    assert load_config(tmp_path / "best.toml") == make_config(wanted)
