"""What the README shows runs as it stands there."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


def block(language: str, number: int = 0) -> str:
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", README.read_text(), flags=re.DOTALL)
    return found[number]


def test_the_python_of_the_readme(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONV4REC_DATA", str(data_folder))
    monkeypatch.chdir(tmp_path)
    exec(block("python"), {"__name__": "readme"})  # noqa: S102 - our own README
    said = capsys.readouterr().out
    assert said.count("shape: ") == 4
    assert "Familiarity(lift=" in said
    assert (tmp_path / "films.conv4rec").exists()


@pytest.mark.parametrize("line", block("sh", 1).strip().splitlines())
def test_every_option_in_the_shell_of_the_readme_exists(line: str) -> None:
    words = shlex.split(line, comments=True)
    command = words[1:3] if words[1] == "data" else words[1:2]
    shown = subprocess.run(
        [sys.executable, "-m", "conv4rec", *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "300", "PATH": "/usr/bin"},
    ).stdout
    assert [word for word in words if word.startswith("-") and word not in shown] == []


def test_the_two_commands_are_named() -> None:
    assert {"make demo", "make test"} <= {line.partition(" #")[0].strip() for line in block("sh").splitlines()}
