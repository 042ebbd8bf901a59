"""One answer from Python, the command line, REST and its client; and a model trained from what the service stored."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from conv4rec.cli import main
from conv4rec.client import Client
from conv4rec.errors import ServiceError
from conv4rec.recommender import Conv4Rec
from tests.service.same import assert_same

Run = Callable[..., Any]
HISTORY = {"i00": 5.0, "i02": None, "i13": 2.0}
WORDS = ("--history", "i00=5", "--history", "i02", "--history", "i13=2")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The JSON that `conv4rec WORDS --json` prints."""

    def run_it(*words: str | Path) -> Any:
        monkeypatch.setattr(sys, "argv", ["conv4rec", *map(str, words), "--json"])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        assert not left.value.code
        return json.loads(capsys.readouterr().out)

    return run_it


@pytest.fixture
def client(ask: httpx.Client) -> Iterator[Client]:
    """The client of a service."""
    with Client(str(ask.base_url)) as made:
        yield made


@pytest.fixture
def model(models: Path) -> Path:
    """The file of the model that answers."""
    return models / "first.conv4rec"


def test_lists(run: Run, client: Client, model: Path, fitted: Conv4Rec) -> None:
    for rank_by in ("consume", "enjoy", "rating", "discover"):
        told = client.recommend(users=[100, 105], k=4, rank_by=rank_by)["recommendations"]
        assert_same(told, fitted.recommend([100, 105], 4, rank_by=rank_by).to_dicts())
        words = ("recommend", model, "-u", "100", "-u", "105", "-k", "4", "--rank-by", rank_by)
        assert run(*words)["recommendations"] == told
        told = client.recommend(histories=[HISTORY], k=4, rank_by=rank_by)["recommendations"]
        assert_same(told, fitted.recommend_for(HISTORY, 4, rank_by=rank_by).to_dicts())
        assert run("recommend", model, *WORDS, "-k", "4", "--rank-by", rank_by)["recommendations"] == told


def test_predictions(run: Run, client: Client, model: Path, fitted: Conv4Rec) -> None:
    told = client.predict([(100, "i01"), (105, "i02")])["predictions"]
    assert_same(told, fitted.predict([(100, "i01"), (105, "i02")]).to_dicts())
    words = ("predict", model, "--user", "100", "--item", "i01", "--user", "105", "--item", "i02")
    assert run(*words)["predictions"] == told
    assert client.predict(histories=[HISTORY], items=["i01"])["predictions"][0]["item_id"] == "i01"


def test_reasons(run: Run, client: Client, model: Path, fitted: Conv4Rec) -> None:
    told = client.explain(["i10", "i04"], users=[100], k=3, by="like")["explanations"]
    assert_same(told, fitted.explain(100, ["i10", "i04"], 3, by="like").to_dicts())
    words = ("explain", model, "-i", "i10", "-i", "i04", "-u", "100", "-k", "3", "--by", "like")
    assert run(*words)["reasons"] == told
    told = client.explain(["i10"], histories=[HISTORY])["explanations"]
    assert_same(told, fitted.explain_for(HISTORY, ["i10"]).to_dicts())


def test_profiles(run: Run, client: Client, model: Path, fitted: Conv4Rec) -> None:
    told = client.profile(users=[100])["profiles"][0]
    assert told == json.loads(json.dumps(fitted.profile(100).to_dict()))
    assert run("profile", model, "-u", "100")["profile"] == told


def test_likeness(run: Run, client: Client, model: Path, fitted: Conv4Rec) -> None:
    told = client.similar_items("i04", 3)["similar"]
    assert told == fitted.similar_items("i04", 3).to_dicts() == run("similar", model, "-i", "i04", "-k", "3")["similar"]
    told = client.similar_users(users=[100], k=3)["similar"][0]
    assert told == fitted.similar_users(100, 3).to_dicts() == run("similar", model, "-u", "100", "-k", "3")["similar"]
    assert client.interaction_types() == {"model": "first"} | fitted.interaction_types().to_dict()


def test_the_rest_of_the_client(client: Client) -> None:
    assert client.ready()
    assert client.feedback([{"user_id": 9, "item_id": "i01", "rating": 5, "key": "k"}]) == {"stored": 1, "known": 0}
    assert [row["item_id"] for row in client.history(9)["history"]] == ["i01"]
    client.recommend(users=[9], record=True)
    assert client.ictr([60])["rows"][0]["shown"] == 1
    assert client.ictr()["rows"][0]["within"] == 600
    assert client.activate("second") == {"active": "second", "before": "first"}
    assert client.roll_back()["active"] == "first"
    assert client.models()["active"] == "first"
    assert client.erase(9) == {"events": 1, "shown": 1, "in_model": False}
    with pytest.raises(ServiceError, match="this model knows nothing of this user") as caught:
        client.recommend(users=[9])
    assert (caught.value.status, caught.value.field) == (404, "users.0")
    assert len(str(caught.value.request_id)) == 32


def test_a_client_without_a_service() -> None:
    with Client("http://127.0.0.1:1") as nobody:
        with pytest.raises(ServiceError, match="GET /v1/models: no answer: ConnectError"):
            nobody.models()
        assert not nobody.ready()
    other = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    thread = threading.Thread(target=other.handle_request)
    thread.start()
    with Client(f"http://127.0.0.1:{other.server_port}") as elsewhere, pytest.raises(ServiceError) as caught:
        elsewhere.models()
    thread.join()
    other.server_close()
    assert (str(caught.value), caught.value.status) == ("the answer has status 501 and no reason", 501)


def test_a_model_is_trained_from_what_was_stored(run: Run, client: Client, store: str, tmp_path: Path) -> None:
    events = [
        {"user_id": user, "item_id": f"i{item:02d}", "rating": 5 if item < 12 else 2}
        for user in range(12)
        for item in range(user % 2, 24, 2)
    ]
    client.feedback(events)
    client.erase(11)
    small = ("--set", "model.embedding_dim=8", "--set", "train.epochs=3", "--set", "train.device=cpu")
    told = run("train", "--data", f"{store}#feedback", "--model", tmp_path / "new.conv4rec", *small)
    assert told["data"] == "feedback"
    new = Conv4Rec.load(tmp_path / "new.conv4rec", device="cpu")
    assert new.vocabulary.users.values.to_list() == list(range(11))
    assert new.history_of(1).height == 12
