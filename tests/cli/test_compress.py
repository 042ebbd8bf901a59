"""`conv4rec compress`: models and matrices."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from conv4rec.cli import main
from conv4rec.compression.compressor import Compressor
from conv4rec.compression.index_file import load_index
from conv4rec.recommender import Conv4Rec
from conv4rec.records import read_records

FAST = ("--set", "compress.epochs=2", "--set", "compress.width=40", "--set", "compress.device=cpu")


class Runner:
    """Runs `conv4rec` with these words in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.capsys, self.patch = capsys, patch

    def __call__(self, *words: object) -> tuple[int, str, str]:
        self.patch.setattr("sys.argv", ["conv4rec", *map(str, words)])
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        said = self.capsys.readouterr()
        return left.value.code if isinstance(left.value.code, int) else 0, said.out, said.err

    def json(self, *words: object) -> Any:
        code, out, err = self(*words, "--json")
        assert code == 0, err
        return json.loads(out)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    monkeypatch.setenv("COLUMNS", "200")
    return Runner(capsys, monkeypatch)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, simulated: Conv4Rec) -> Path:
    return simulated.save(tmp_path_factory.mktemp("model") / "m.conv4rec")


def loaded_dead(path: Path) -> int:
    compressed = Conv4Rec.load(path).compressed
    assert compressed is not None
    return compressed.decoder.n_dead


def test_a_model(run: Runner, model: Path, tmp_path: Path) -> None:
    told = run.json("compress", model, "-o", tmp_path / "c.conv4rec", "--ratio", 3, *FAST)
    assert (told["codes"], told["atoms"], told["bytes_of_atoms"]) == (120, 40, 40 * 16 * 4)
    assert (told["embeddings"]["codes"], told["dead_atoms"]) == (120, loaded_dead(tmp_path / "c.conv4rec"))
    loaded = Conv4Rec.load(tmp_path / "c.conv4rec")
    assert (loaded.config.compress.ratio, loaded.config.compress.epochs) == (3.0, 2)
    listed = run.json("recommend", tmp_path / "c.conv4rec", "-u", 3, "-k", 4)["recommendations"]
    assert [row["item_id"] for row in listed] == loaded.recommend([3], 4)["item_id"].to_list()
    assert len(run.json("similar", tmp_path / "c.conv4rec", "-i", 7, "-k", 3)["similar"]) == 3


def test_a_matrix(run: Runner, tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(90, 24)).astype(np.float32)
    np.save(tmp_path / "v.npy", vectors)
    told = run.json(
        "compress", tmp_path / "v.npy", "-o", tmp_path / "i", "--compressor", tmp_path / "c", "--ratio", 2, *FAST
    )
    index, compressor = load_index(tmp_path / "i"), Compressor.load(tmp_path / "c")
    used = np.unique(compressor.encode(vectors).indices)
    assert (told["codes"], told["dead_atoms"]) == (90, 40 - len(used))
    assert index.search(compressor.encode(vectors), 1, by="sparse").rows.ravel().tolist() == list(range(90))
    code, said, _ = run("compress", tmp_path / "v.npy", "-o", tmp_path / "i", *FAST)
    assert code == 0
    for word in ("90 codes of 40 atoms", "times fewer; atoms take", "dead atoms"):
        assert word in said
    pl.DataFrame({"a": vectors.tolist(), "b": vectors.tolist()}).write_parquet(tmp_path / "v.parquet")
    assert run.json("compress", tmp_path / "v.parquet", "-o", tmp_path / "i", "--tensor", "b", *FAST)["codes"] == 90


def test_a_model_is_measured_for_the_report(run: Runner, tmp_path: Path) -> None:
    rows = [(u, i, float(1 + (u * i) % 5)) for u in range(40) for i in range(30) if (u + i) % 2 == 0]
    pl.DataFrame(rows, schema=["user_id", "item_id", "rating"], orient="row").write_csv(tmp_path / "r.csv")
    small = ("--set", "train.epochs=2", "--set", "model.embedding_dim=16", "--set", "experts.neighbours=0")
    few = ("--set", "experts.factors=[]", "--set", "evaluate.bootstrap=0")
    run.json("train", "--data", tmp_path / "r.csv", "-m", tmp_path / "m.conv4rec", *small, *few)
    words = ("--data", tmp_path / "r.csv", "--run", tmp_path / "run", *FAST)
    told = run.json("compress", tmp_path / "m.conv4rec", "-o", tmp_path / "c.conv4rec", *words)
    assert told["points"][0]["bytes_per_item"] == 4 * (16 + 1)
    (record,) = read_records(tmp_path / "run")
    assert record.model == "c"
    assert [point.model_dump() for point in record.curves.compression] == told["points"]
    assert all(point.ndcg == pytest.approx(told["points"][0]["ndcg"]) for point in record.curves.compression)
    assert record.metrics["ndcg@20"] == pytest.approx(told["points"][0]["ndcg"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("v.npy", "--data", "ml-1m"), "compress: --data and --run are for models; a matrix has no test part"),
        (("m.conv4rec", "--tensor", "x"), "compress: --tensor and --compressor are for matrices (.npy, .parquet"),
        (("m.conv4rec", "--data", "ml-1m"), "compress: expected both --data and --run, or neither"),
        (("m.conv4rec",), "m.conv4rec: cannot be read: No such file"),
        (("v.npy",), "v.npy: cannot be read: No such file"),
        (("v.npy", "--set", "compress.k=0"), "setting compress.k: Input should be greater than or equal to 1; got 0"),
    ],
)
def test_a_refusal_is_one_line(run: Runner, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    code, out, err = run("compress", tmp_path / words[0], "-o", tmp_path / "out", *words[1:])
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "out").exists()
