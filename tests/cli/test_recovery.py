"""`conv4rec recovery`: what is written, and what is told."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conv4rec.cli import main

Run = Callable[..., tuple[int, str, str]]
SMALL = ("--size", 5, "--size", 40, "--users", 40, "--items", 15, "--seeds", 1, "--world", "neighbourhood")
QUICK = ("--model", "conv4rec", "--model", "popularity", "--weight", 1, "--set", "train.epochs=3")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `conv4rec recovery` with these words."""

    def run_it(*words: str | float | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["conv4rec", "recovery", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            main()
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return run_it


def test_json_is_what_is_written_and_pictures_stand_beside_it(run: Run, tmp_path: Path) -> None:
    code, out, err = run(*SMALL, *QUICK, "--out", tmp_path / "found", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    names = [tmp_path / "found" / name for name in ("recovery.png", "weights.png")]
    assert told.pop("pictures") == [str(name) for name in names]
    assert told.pop("out") == str(tmp_path / "found")
    assert told == json.loads((tmp_path / "found" / "recovery.json").read_text())
    assert all(name.read_bytes().startswith(b"\x89PNG") for name in names)
    assert told["settings"]["sizes"] == [5, 40]
    assert [(row["model"], row["size"]) for row in told["found"]] == [
        ("conv4rec", 5), ("popularity", 5), ("conv4rec", 40), ("popularity", 40),
    ]  # fmt: skip
    assert told["claims"]["tv_is_below_the_bound"] is True
    assert {row["world"] for row in told["found"]} == {"neighbourhood"}


def test_people_are_told_of_every_fit_and_of_the_claims(run: Run, tmp_path: Path) -> None:
    code, out, err = run(*SMALL[2:], *QUICK, "--out", tmp_path, "--model", "empirical")
    assert code == 0
    assert "neighbourhood, seed 0, " in err
    assert "one bottleneck, 16 wide: total variation 0." in err
    assert "holds: total variation is at most the Pinsker bound, for every model, world and part" in out
    assert "not asked: the total variation of conv4rec falls from each size to the next" in out
    assert out.endswith(f"{tmp_path}: recovery.json and pictures\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--world", "flat"], "setting recovery.worlds.0: Input should be 'low-rank' or 'neighbourhood'; got 'flat'"),
        (["--size", 0], "setting recovery.sizes.0: Input should be greater than or equal to 1; got 0"),
        (["--weight", -1], "setting recovery.weights.0: Input should be greater than or equal to 0; got -1.0"),
        (["--set", "train.epoch=1"], "setting train.epoch does not exist; `conv4rec config` prints those that do"),
    ],
)
def test_a_setting_that_cannot_be_is_one_line(run: Run, tmp_path: Path, words: list[object], said: str) -> None:
    assert run(*words, "--out", tmp_path / "none") == (2, "", f"conv4rec: {said}\n")
    assert not (tmp_path / "none").exists()
