"""The demo: what it ends with works."""

import shlex
import sys
from pathlib import Path

import pytest

from conv4rec.cli import main
from conv4rec.cli.demo import _program
from conv4rec.data.simulator import SimulatorConfig, simulate
from conv4rec.service.settings import load_settings


def test_the_demo_ends_with_the_command_that_opens_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, model = tmp_path / "ratings.csv", tmp_path / "a model.conv4rec"
    simulate(SimulatorConfig(n_users=60, n_items=40, n_interactions=20, rank=2)).ratings.frame.write_csv(data)
    monkeypatch.setattr(sys, "argv", ["conv4rec", "demo", "--data", str(data), "--model", str(model)])
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code
    last = capsys.readouterr().out.rstrip().splitlines()[-1]
    command, told = last.removeprefix("To see it in a browser: ").split(", then open ")
    assert shlex.split(command)[-2:] == ["serve", str(model)]
    assert model.exists()
    settings = load_settings(None, [], models=[model])
    assert told == f"http://{settings.host}:{settings.port}/"


def test_the_program_is_called_by_its_path_where_its_name_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [".venv/bin/conv4rec", "demo"])
    monkeypatch.setenv("PATH", "")
    assert _program() == ".venv/bin/conv4rec"
    monkeypatch.setattr(sys, "argv", ["/x/conv4rec/__main__.py", "demo"])
    assert _program() == "conv4rec"
