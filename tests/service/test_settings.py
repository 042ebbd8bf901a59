"""Settings, keys, model files and logs of the service."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from conv4rec.cli import main
from conv4rec.config import Config
from conv4rec.errors import ConfigError, ModelFileError, UnknownIdError
from conv4rec.recommender import Conv4Rec
from conv4rec.service.app import create_app
from conv4rec.service.keys import Role, load_keys, new_key
from conv4rec.service.logs import JsonLines
from conv4rec.service.settings import load_settings, make_settings
from conv4rec.service.shelf import Loaded, Shelf

HASH = "0" * 64


def test_settings_of_a_file_of_words_and_of_overrides(tmp_path: Path) -> None:
    file = tmp_path / "serve.toml"
    file.write_text('models = ["a.conv4rec"]\nport = 1\nbatch = 2\nqueue = 3\n')
    settings = load_settings(file, ["queue=30", "store=sqlite:///x.db"], port=10, host=None)
    assert (settings.port, settings.batch, settings.queue, settings.store) == (10, 2, 30, "sqlite:///x.db")
    assert settings.models == (Path("a.conv4rec"),)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"models": ["m"], "colour": 1}, "setting colour of the service: Extra inputs are not permitted"),
    ({"models": ["m"], "batch": 0}, "setting batch of the service: Input should be greater than or equal to 1"),
    ({"models": ["m"], "host": "0.0.0.0"}, "host 0.0.0.0: others can reach it, so keys are needed; give --keys"),  # noqa: S104
    ({"models": ["m"], "host": "example.org"}, "host example.org: others can reach it, so keys are needed"),
]


@pytest.mark.parametrize(("settings", "message"), REFUSED)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
        make_settings(**settings)


def test_loopback_needs_no_keys() -> None:
    for host in ("127.0.0.1", "::1", "localhost", "127.1.2.3"):
        assert make_settings(models=["m"], host=host).keys is None


def test_files_of_settings_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none.toml: cannot be read: No such file or directory"):
        load_settings(tmp_path / "none.toml", [])
    (tmp_path / "odd.toml").write_text("a = = b")
    with pytest.raises(ConfigError, match=r"odd.toml: not a TOML file: "):
        load_settings(tmp_path / "odd.toml", [])
    with pytest.raises(ConfigError, match="--set 'batch': expected name=value, such as batch=16"):
        load_settings(None, ["batch"])


def test_a_key_is_found_by_its_hash_alone(tmp_path: Path) -> None:
    key, entry = new_key("web.1", "write")
    assert key not in entry
    (tmp_path / "keys").write_text(entry)
    ring = load_keys(tmp_path / "keys")
    found = ring.find(key)
    assert found is not None
    assert (found.name, found.role) == ("web.1", Role.WRITE)
    assert ring.find(key[:-1]) is None
    assert ring.find("") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[key]]", "key.0.name: Field required"),
        (f'[[key]]\nname="a"\nrole="king"\nsha256="{HASH}"', "key.0.role: Input should be 'read', 'write' or 'admin'"),
        ('[[key]]\nname="a"\nrole="read"\nsha256="abc"', "key.0.sha256: String should match pattern"),
        (f'[[key]]\nname="a\\nb"\nrole="read"\nsha256="{HASH}"', "key.0.name: String should match pattern"),
        ("", "key: Field required"),
        ("[[", "not a TOML file"),
        (f'[[key]]\nname="a"\nrole="read"\nsha256="{HASH}"\n' * 2, "a key occurs twice; expected every sha256 once"),
    ],
)
def test_files_that_are_no_keys(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "keys").write_text(text)
    with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
        load_keys(tmp_path / "keys")


def test_keys_that_cannot_be_made_or_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="key 'a b', name: String should match pattern"):
        new_key("a b", "read")
    with pytest.raises(ConfigError, match="key 'a', role: Input should be 'read', 'write' or 'admin'"):
        new_key("a", "king")
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_keys(tmp_path / "none")


def test_models_are_called_by_their_files(models: Path, tmp_path: Path) -> None:
    shelf = Shelf((models, tmp_path / "alone.conv4rec"))
    assert list(shelf.files()) == ["first", "second", "alone"]
    assert shelf.choose(None, []) == "first"
    assert shelf.choose(None, ["gone", "second"]) == "second"
    assert shelf.choose("alone", ["second"]) == "alone"
    with pytest.raises(ConfigError, match="model 'third': expected one of first, second, alone"):
        shelf.choose("third", [])
    with pytest.raises(UnknownIdError, match="model 'third': there is no such model"):
        shelf.read("third")
    with pytest.raises(ModelFileError, match="model 'alone': cannot be read: No such file"):
        shelf.read("alone")
    with pytest.raises(ConfigError, match="no model is loaded yet"):
        _ = shelf.active


def test_models_that_cannot_be_told_apart(models: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="both are called 'first'; rename one of them"):
        Shelf((models, tmp_path / "first.conv4rec")).files()
    with pytest.raises(ConfigError, match=r"no model files \(\*.conv4rec\) in "):
        Shelf((tmp_path,)).choose(None, [])


def test_a_model_without_histories_knows_no_users(fitted: Conv4Rec, tmp_path: Path) -> None:
    fitted.save(tmp_path / "m.conv4rec", histories=False)
    loaded = Loaded.load("m", tmp_path / "m.conv4rec", "cpu")
    assert (loaded.users, loaded.has_histories) == (frozenset(), False)
    assert loaded.titles["i00"] == "Item 0"


def test_a_switch_to_a_model_of_other_ids_is_refused(models: Path, store: str, tmp_path: Path) -> None:
    other = tmp_path / "other.conv4rec"
    history = {"user_id": [1, 1, 2, 2] * 8, "item_id": [i % 16 for i in range(32)], "rating": [1.0, 5.0] * 16}
    import polars as pl

    from conv4rec.config import make_config
    from conv4rec.data.sources import load_ratings

    config = make_config({"model": {"embedding_dim": 4}, "train": {"epochs": 1, "device": "cpu"}})
    Conv4Rec(config).fit(load_ratings(pl.DataFrame(history))).save(other)
    service = create_app(make_settings(models=(models, other), store=store)).state.service
    with pytest.raises(Exception, match="model 'other' has integers as users and integers as items; the store holds"):
        service.switch("other")
    assert service.shelf.active.name == "first"
    service.store.close()


def test_logs_tell_where_an_error_was_raised_and_not_its_text() -> None:
    try:
        raise ValueError("user 12345")
    except ValueError:
        record = logging.LogRecord("uvicorn.error", 40, "", 0, "it %s", ("failed",), sys.exc_info())
    told = json.loads(JsonLines().format(record))
    assert (told["event"], told["reason"], told["level"], told["error"]) == (
        "server",
        "it failed",
        "error",
        "ValueError",
    )
    assert told["at"][0].startswith("test_settings.py:")
    assert "12345" not in json.dumps(told)


def run(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    """The exit status of `conv4rec WORDS`."""
    monkeypatch.setattr(sys, "argv", ["conv4rec", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        main()
    return left.value.code if isinstance(left.value.code, int) else 0


def test_the_command_that_makes_keys(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, "key", "--name", "web", "--role", "admin") == 0
    said = capsys.readouterr()
    (tmp_path / "keys").write_text(said.out)
    found = load_keys(tmp_path / "keys").find(said.err.split()[-1])
    assert found is not None
    assert found.role is Role.ADMIN


def test_what_cannot_be_served_is_told_in_a_line(models: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "conv4rec", "serve", str(models / "none.conv4rec")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 2
    assert "model 'none': cannot be read: No such file or directory" in done.stderr.splitlines()[-1]


def test_others_are_not_served_without_keys(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], models: Path
) -> None:
    assert run(monkeypatch, "serve", models, "--host", "0.0.0.0") == 2  # noqa: S104
    assert "host 0.0.0.0: others can reach it, so keys are needed" in capsys.readouterr().err


def test_a_model_of_named_types_alone_can_be_loaded(small_config: Config, tmp_path: Path) -> None:
    rows = [(u, i, ("view", "cart")[(u + i) % 2]) for u in range(20) for i in range(10) if (u * i) % 3]
    table = pl.DataFrame(rows, schema=["user_id", "item_id", "type"], orient="row")
    path = Conv4Rec(small_config).fit(table).save(tmp_path / "typed.conv4rec")
    assert Loaded.load("typed", path, "cpu").types == {("view", None), ("cart", None)}
