"""The verbs on the command line say what Python says."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from conv4rec.cli import main
from conv4rec.recommender import Conv4Rec

WORTH = {1: -2.0, 2: -1.0, 3: 0.0, 4: 1.0, 5: 3.0}


class Done(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `conv4rec` with these words in this process, on a wide terminal."""
    monkeypatch.setenv("COLUMNS", "200")

    def run_it(*words: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["conv4rec", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        code = left.value.code
        return Done(code if isinstance(code, int) else 0, said.out, said.err)

    return run_it


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, simulated: Conv4Rec) -> Path:
    return simulated.save(tmp_path_factory.mktemp("model") / "m.conv4rec")


def same(rows: list[dict[str, Any]], table: pl.DataFrame) -> None:
    assert_frame_equal(pl.DataFrame(rows, schema=table.schema), table, abs_tol=1e-5)


def test_recommend_has_every_choice(run: Run, model: Path, simulated: Conv4Rec) -> None:
    words = ["--utility=1=-2", "--utility=2=-1", "--utility=3=0", "--utility=4=1", "--utility=5=3"]
    done = run("recommend", model, "-u", 3, "-k", 4, "--rank-by", "gain", *words, "--json")
    same(done.json["recommendations"], simulated.recommend([3], 4, rank_by="gain", utility=WORTH))
    words = ["--tag", "Comedy", "--tag", "Drama", "--without-tag", "Thriller", "--exclude", "5", "--diversity", "0.4"]
    done = run("recommend", model, "-u", 3, "-k", 4, "--rank-by", "discover", *words, "--json")
    choices: dict[str, Any] = {"tags": ["Comedy", "Drama"], "without_tags": ["Thriller"], "exclude": [5]}
    expected = simulated.recommend([3], 4, rank_by="discover", diversity=0.4, **choices)
    same(done.json["recommendations"], expected)


def test_explain(run: Run, model: Path, simulated: Conv4Rec, tmp_path: Path) -> None:
    done = run("explain", model, "--user", 3, "-i", 7, "-i", 9, "-k", 3, "--by", "like", "--json")
    same(done.json["reasons"], simulated.explain(3, [7, 9], 3, by="like"))
    posted = run("explain", model, "--history", "1=5", "--history", "2", "-i", 7, "-o", tmp_path / "e.csv", "--json")
    assert posted.json == {"model": str(model), "rows": 3, "out": str(tmp_path / "e.csv")}
    assert pl.read_csv(tmp_path / "e.csv")["history_item_id"].to_list()[0] is None


def test_explain_to_people(run: Run, model: Path, simulated: Conv4Rec) -> None:
    said = run("explain", model, "--user", 3, "-i", 7, "-k", 3, "--by", "rating").out
    assert simulated.items is not None
    for word in ("(whole history)", "effect_rating", simulated.items["title"][7]):
        assert word in said
    assert len(said.splitlines()) == 5


def test_profile(run: Run, model: Path, simulated: Conv4Rec) -> None:
    told = run("profile", model, "--user", 3, "--json").json["profile"]
    expected = simulated.profile(3).to_dict()
    assert told.keys() == expected.keys()
    for part in ("segments", "history", "neighbours"):
        same(told[part], getattr(simulated.profile(3), part))
    posted = run("profile", model, "--history", "1=5", "--json").json["profile"]
    assert posted["familiarity"]["verdict"] == "thin"


def test_profile_to_people(run: Run, model: Path) -> None:
    said = run("profile", model, "--user", 3, "--rows", 2).out
    for word in ("history: usual", "generosity", "of somebody unknown", "nearest users", "least typical", "Comedy"):
        assert word in said
    assert "has rated nothing" in run("profile", model, "--history", "1").out


def test_similar(run: Run, model: Path, simulated: Conv4Rec) -> None:
    same(run("similar", model, "-i", 7, "-k", 3, "--json").json["similar"], simulated.similar_items(7, 3))
    same(run("similar", model, "-u", 7, "-k", 3, "--json").json["similar"], simulated.similar_users(7, 3))
    posted = run("similar", model, "--history", "7=5", "-k", 3, "--json").json["similar"]
    same(posted, simulated.similar_users_for({7: 5.0}, 3))
    assert "n_shared" in run("similar", model, "-u", 7).out


def test_types(run: Run, model: Path, simulated: Conv4Rec) -> None:
    told = run("types", model, "--json").json
    same(told["alike"], simulated.interaction_types().alike)
    said = run("types", model).out
    for word in ("consumption: likeness", "rating: weights of the channels", "strength"):
        assert word in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("explain", "MODEL", "--user", 3), "explain: expected --item"),
        (("explain", "MODEL", "-i", 7), "explain: expected either --user or --history"),
        (("profile", "MODEL"), "profile: expected either --user or --history"),
        (("profile", "MODEL", "--user", 3, "--history", "1=5"), "profile: expected either --user or --history"),
        (("similar", "MODEL"), "similar: expected one of --item, --user and --history"),
        (("similar", "MODEL", "-i", "x"), "item 'x': the item ids of this model are integers"),
        (("recommend", "MODEL", "-u", 3, "--utility", "5"), "--utility 5: expected RATING=NUMBER, such as 5=3"),
        (("recommend", "MODEL", "-u", 3, "--rank-by", "gain"), "rank_by 'gain' needs a utility, such as {1: -2"),
        (("recommend", "MODEL", "-u", 3, "--tag", "x"), "tag 'x' is of no item; expected one of "),
        (("recommend", "MODEL", "-u", 3, "--diversity", 2), "diversity = 2.0: expected 0"),
    ],
)
def test_a_refusal_is_one_line(run: Run, model: Path, words: tuple[object, ...], message: str) -> None:
    done = run(*(model if word == "MODEL" else word for word in words))
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert len(done.err.splitlines()) == 1


def test_every_command_says_what_it_is_for(run: Run) -> None:
    said = {name: run(name, "--help").out for name in ("explain", "profile", "similar", "types")}
    for name, word in (("explain", "encoded anew"), ("profile", "taste"), ("similar", "cosine"), ("types", "channels")):
        assert word in said[name]
