"""`conv4rec train` from a folder of Parquet files: in memory, or by shards where they do not fit."""

import json
from pathlib import Path
from typing import cast

import pytest
from typer.testing import CliRunner

from conv4rec import Conv4Rec
from conv4rec.cli import app
from conv4rec.errors import Conv4RecError, DataError, QueryError
from tests.conftest import make_checkerboard

FAST = ["--set", "train.epochs=2", "--set", "experts.neighbours=4", "--set", "experts.factors=[4]"]

ROWS = len(make_checkerboard())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parquet")
    frame = make_checkerboard().frame
    for number in range(3):
        frame[number::3].write_parquet(folder / f"part-{number}.parquet")
    return folder


def run(*words: object, code: int = 0) -> dict[str, object]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if code == 0 and result.exception is not None:
        raise result.exception
    assert result.exit_code == code, result.output
    return json.loads(result.stdout) if "--json" in words else {"text": result.output}


def test_a_small_folder_is_read_into_memory(folder: Path, tmp_path: Path) -> None:
    text = run("train", "--data", folder, "--model", tmp_path / "m", *FAST)["text"]
    told = f"{ROWS} rows need about 0 MiB of memory, data.memory_mb is 8,192: training in memory"
    assert told in " ".join(str(text).split())
    assert Conv4Rec.load(tmp_path / "m").history_counts().sum() == ROWS


def test_shards_that_are_asked_for(folder: Path, tmp_path: Path) -> None:
    told = run("train", "--data", folder, "--model", tmp_path / "m", "--shards", tmp_path / "s", "--json", *FAST)
    assert told["shards"] == str(tmp_path / "s")
    assert (tmp_path / "s" / "shards.json").exists()
    assert not list(tmp_path.glob("*.checkpoint"))
    metrics = told["metrics"]
    assert isinstance(metrics, dict)
    assert metrics["test"]["ndcg@10"] > 0
    assert "the model holds no histories: it answers posted ones" in str(told["notes"])
    model = Conv4Rec.load(tmp_path / "m")
    assert model.recommend_for({"i00": 5.0}, 3).height == 3
    with pytest.raises(QueryError, match="this model was saved without histories"):
        model.recommend([100])
    told = run("recommend", tmp_path / "m", "--shards", tmp_path / "s", "-k", 3, "--json")
    ratings = make_checkerboard()
    mine = ratings.frame.filter(user_id=104)
    expected = model.recommend_for(dict(zip(mine["item_id"], mine["rating"], strict=True)), 3)
    found = [row for row in cast("list[dict[str, object]]", told["recommendations"]) if row["user_id"] == 104]
    assert told["rows"] == 3 * ratings.n_users
    assert [row["item_id"] for row in found] == expected["item_id"].to_list()


def test_what_is_larger_than_memory_goes_by_shards(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conv4rec.cli.out_of_core.BYTES", 10_000)
    text = run("train", "--data", folder, "--model", tmp_path / "m", "--set", "data.memory_mb=5", *FAST)["text"]
    plain = " ".join(str(text).split())
    assert f"{ROWS} rows need about 5 MiB of memory, data.memory_mb is 5: training by shards in" in plain
    assert "shards: pass 3 of 3, 1 shards" in plain
    assert "epoch 2 of 2 kept" in plain


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data", "ml-100k", "--shards", "s"], "--shards: ml-100k is not one folder of Parquet files"),
        (["--shards", "s", "--recipe", "strong"], "training by shards splits by random: give no --test, --query or"),
        (["--address", "auto"], "--address auto: expected --workers beside it"),
    ],
)
def test_what_does_not_go_together(folder: Path, tmp_path: Path, words: list[str], message: str) -> None:
    data = [] if "--data" in words else ["--data", str(folder)]
    with pytest.raises(Conv4RecError, match=message):
        run("train", *data, *words, "--model", tmp_path / "m")


def test_a_folder_whose_files_differ(tmp_path: Path) -> None:
    frame = make_checkerboard().frame
    frame.write_parquet(tmp_path / "a.parquet")
    frame.with_columns(item_id=frame["user_id"]).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(DataError, match="item is text in one file and not in another"):
        run("train", "--data", tmp_path, "--model", tmp_path / "m")


def test_users_come_from_parquet(fitted: Conv4Rec, tmp_path: Path) -> None:
    model = fitted.save(tmp_path / "m")
    asked = fitted.vocabulary.users.values[5:8]
    asked.to_frame("user_id").write_parquet(tmp_path / "users.parquet")
    told = run("recommend", model, "--users", tmp_path / "users.parquet", "-k", 3, "--json")
    assert told["recommendations"] == fitted.recommend(asked, 3).to_dicts()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--workers", "2", "--all-users"], "--workers scores known users: expected --out NAME.parquet and no --hist"),
        (["--workers", "2", "--history", "i00=5", "--out", "x.parquet"], "--workers scores known users"),
        (["--address", "auto", "--all-users"], "--address auto: expected --workers beside it"),
        (
            ["--users", "u.parquet", "--all-users"],
            "expected one of --user, --users, --all-users, --shards and --history",
        ),
    ],
)
def test_scoring_that_does_not_go_together(fitted: Conv4Rec, tmp_path: Path, words: list[str], message: str) -> None:
    model = fitted.save(tmp_path / "m")
    with pytest.raises(QueryError, match=message):
        run("recommend", model, *words)
