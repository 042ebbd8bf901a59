"""The service, route by route: what it answers, and what it refuses."""

import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest

from conv4rec.recommender import Conv4Rec
from conv4rec.service.app import create_app
from conv4rec.service.settings import make_settings
from tests.service.same import assert_same

HISTORY = [{"item_id": "i00", "rating": 5}, {"item_id": "i02"}]


def post(ask: httpx.Client, path: str, **body: Any) -> dict[str, Any]:
    """The answer to a body, which is a success."""
    answer = ask.post(f"/v1/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def refused(ask: httpx.Client, path: str, **body: Any) -> tuple[int, str | None, str]:
    """Status, field and reason of a refusal."""
    answer = ask.post(f"/v1/{path}", json=body)
    error = answer.json()["error"]
    assert error["status"] == answer.status_code
    assert error["request_id"] == answer.headers["X-Request-ID"]
    return answer.status_code, error["field"], error["reason"]


def items(ask: httpx.Client, user: int, **more: Any) -> list[str]:
    """The list of a user."""
    return [row["item_id"] for row in post(ask, "recommend", users=[user], **more)["recommendations"]]


def test_lists_of_known_users_are_those_of_python(ask: httpx.Client, fitted: Conv4Rec) -> None:
    told = post(ask, "recommend", users=[101, 100], k=3, rank_by="enjoy", candidates=["i01", "i02", "i04"])
    expected = fitted.recommend([101, 100], 3, rank_by="enjoy", candidates=["i01", "i02", "i04"]).to_dicts()
    assert told["recommendations"] == expected
    assert (told["model"], told["unknown_items"], told["list_ids"]) == ("first", 0, None)


def test_lists_for_histories_are_those_of_python(ask: httpx.Client, fitted: Conv4Rec) -> None:
    told = post(ask, "recommend", histories=[HISTORY, [{"item_id": "i01", "rating": 2}]], k=4)
    alone = fitted.recommend_for({"i00": 5, "i02": None}, 4).to_dicts()
    rows = told["recommendations"]
    assert rows[:4] == [pytest.approx(row) for row in alone]
    assert [row["user_id"] for row in rows] == [0] * 4 + [1] * 4


def test_a_utility_has_rating_values_as_names(ask: httpx.Client, fitted: Conv4Rec) -> None:
    told = post(ask, "recommend", users=[100], k=3, rank_by="gain", utility={"1": -1, "2": -1, "3": 0, "4": 1, "5": 2})
    utility = {1.0: -1.0, 2.0: -1.0, 3.0: 0.0, 4.0: 1.0, 5.0: 2.0}
    assert_same(told["recommendations"], fitted.recommend([100], 3, rank_by="gain", utility=utility).to_dicts())


def test_items_that_the_model_does_not_know_are_left_out_and_counted(ask: httpx.Client) -> None:
    told = post(ask, "recommend", histories=[[*HISTORY, {"item_id": "../../etc/passwd"}]], k=1)
    assert told["unknown_items"] == 1
    assert told["recommendations"] == post(ask, "recommend", histories=[HISTORY], k=1)["recommendations"]


def test_predict_pairs_in_their_order(ask: httpx.Client, fitted: Conv4Rec) -> None:
    pairs = [(101, "i01"), (100, "i00"), (101, "i01")]
    told = post(ask, "predict", pairs=[{"user_id": user, "item_id": item} for user, item in pairs], like=5)
    assert_same(told["predictions"], fitted.predict(pairs, like=5).to_dicts())


def test_predict_for_histories(ask: httpx.Client, fitted: Conv4Rec) -> None:
    told = post(ask, "predict", histories=[HISTORY], items=["i07", "i00", "i07"])
    frame = fitted.recommend_for({"i00": 5, "i02": None}, 2, candidates=["i00", "i07"], exclude_seen=False)
    by_item = {row["item_id"]: row for row in frame.drop("rank", "score").to_dicts()}
    assert told["predictions"] == [pytest.approx(by_item[item]) for item in ("i07", "i00", "i07")]


def test_explain_and_profile_are_those_of_python(ask: httpx.Client, fitted: Conv4Rec) -> None:
    told = post(ask, "explain", users=[100], items=["i10"], k=3)
    assert_same(told["explanations"], fitted.explain(100, ["i10"], 3).to_dicts())
    told = post(ask, "profile", users=[100, 101])
    assert_same(told["profiles"], [fitted.profile(100).to_dict(), fitted.profile(101).to_dict()])
    posted = post(ask, "profile", histories=[HISTORY])["profiles"][0]
    assert posted["user_id"] == 0
    assert posted["n_interactions"] == 2


def test_neighbours_and_types_are_those_of_python(ask: httpx.Client, fitted: Conv4Rec) -> None:
    assert_same(ask.get("/v1/items/i04/similar?k=3").json()["similar"], fitted.similar_items("i04", 3).to_dicts())
    told = post(ask, "users/similar", users=[100], k=3)
    assert_same(told["similar"], [fitted.similar_users(100, 3).to_dicts()])
    assert ask.get("/v1/types").json() == {"model": "first"} | fitted.interaction_types().to_dict()


def test_feedback_changes_the_next_answer(ask: httpx.Client, fitted: Conv4Rec) -> None:
    before = items(ask, 100, k=3)
    events = [{"user_id": 100, "item_id": before[0], "rating": 1}]
    assert post(ask, "feedback", events=events) == {"stored": 1, "known": 0}
    assert before[0] not in items(ask, 100, k=3)
    history = {row["item_id"]: row["rating"] for row in fitted.history_of(100).to_dicts()} | {before[0]: 1.0}
    expected = fitted.recommend_for(history, 3).with_columns(user_id=100).to_dicts()
    assert post(ask, "recommend", users=[100], k=3)["recommendations"] == [pytest.approx(row) for row in expected]
    pair = {"user_id": 100, "item_id": "i05"}
    law = post(ask, "predict", pairs=[pair, {"user_id": 101, "item_id": "i05"}])["predictions"]
    wanted = fitted.recommend_for(history, 1, candidates=["i05"]).to_dicts()[0]
    assert law[0]["p_consume"] == pytest.approx(wanted["p_consume"])
    assert law[1] == fitted.predict([(101, "i05")]).to_dicts()[0]


def test_a_later_rating_replaces_an_earlier_one(ask: httpx.Client) -> None:
    for timestamp, rating in ((50, 2), (70, 4), (60, 1)):
        post(ask, "feedback", events=[{"user_id": 100, "item_id": "i00", "rating": rating, "timestamp": timestamp}])
    rows = [row for row in ask.get("/v1/users/100/history").json()["history"] if row["item_id"] == "i00"]
    title = {"title": "Item 0", "source": "feedback", "type": None}
    assert rows == [{"item_id": "i00", "rating": 4.0, "timestamp": 70} | title]


def test_a_user_of_feedback_alone_is_known(ask: httpx.Client) -> None:
    assert refused(ask, "recommend", users=[100, 5])[:2] == (404, "users.1")
    post(ask, "feedback", events=[{"user_id": 5, "item_id": "i00", "rating": 5}, {"user_id": 5, "item_id": "new"}])
    told = post(ask, "recommend", users=[101, 5, 100], k=1)
    assert [row["user_id"] for row in told["recommendations"]] == [101, 5, 100]
    assert told["unknown_items"] == 1
    post(ask, "feedback", events=[{"user_id": 6, "item_id": "new"}])
    assert refused(ask, "recommend", users=[6])[0] == 404
    assert [row["item_id"] for row in ask.get("/v1/users/6/history").json()["history"]] == ["new"]


def test_keys_of_events_make_it_safe_to_send_them_again(ask: httpx.Client) -> None:
    event = {"user_id": 5, "item_id": "i00", "rating": 5, "key": "a"}
    assert post(ask, "feedback", events=[event, event]) == {"stored": 1, "known": 1}
    assert post(ask, "feedback", events=[event, event | {"key": "b"}]) == {"stored": 1, "known": 1}
    status, field, reason = refused(ask, "feedback", events=[event | {"rating": 1}])
    assert (status, field) == (422, "key")
    assert reason == "key 'a': came before with another event; expected a key of its own for each event"
    status, _, reason = refused(ask, "feedback", events=[event | {"key": "c"}, event | {"key": "c", "rating": 2}])
    assert (status, reason[:7]) == (422, "key 'c'")


def test_erasure_leaves_nothing(ask: httpx.Client, store: str) -> None:
    near = [row["user_id"] for row in post(ask, "users/similar", users=[102], k=10)["similar"][0]]
    gone = near[0]
    post(ask, "feedback", events=[{"user_id": gone, "item_id": "i17", "rating": 5, "key": "secret-key"}])
    post(ask, "recommend", users=[gone], record=True)
    assert ask.delete(f"/v1/users/{gone}").json() == {"events": 1, "shown": 1, "in_model": True}
    assert refused(ask, "recommend", users=[gone])[0] == 404
    assert ask.get(f"/v1/users/{gone}/history").status_code == 404
    assert [row["user_id"] for row in post(ask, "users/similar", users=[102], k=10)["similar"][0]] == near[1:]
    assert gone not in [row["user_id"] for row in post(ask, "profile", users=[102])["profiles"][0]["neighbours"]]
    path = Path(store.removeprefix("sqlite:///"))
    files = b"".join(file.read_bytes() for file in path.parent.glob("store.db*"))
    assert b"secret-key" not in files
    assert ask.delete(f"/v1/users/{gone}").json() == {"events": 0, "shown": 0, "in_model": True}
    post(ask, "feedback", events=[{"user_id": gone, "item_id": "i17", "rating": 5}])  # who comes back begins anew
    assert len(ask.get(f"/v1/users/{gone}/history").json()["history"]) == 1


def test_what_was_shown_and_taken_is_a_rate(ask: httpx.Client) -> None:
    assert ask.get("/v1/ictr").json() == {"rows": []}
    told = post(ask, "recommend", users=[100, 101], k=2, record=True)
    assert len(set(told["list_ids"])) == 2
    [row] = ask.get("/v1/ictr?within=60").json()["rows"]
    assert (row["model"], row["rank_by"], row["shown"], row["taken"]) == ("first", "consume", 2, 0)
    taken = told["recommendations"][0]["item_id"]
    post(ask, "feedback", events=[{"user_id": 100, "item_id": taken, "rating": 5}])
    post(ask, "recommend", users=[100], k=2, record=True, rank_by="rating")
    rows = ask.get("/v1/ictr", params={"within": [60, 3600]}).json()["rows"]
    assert [(r["rank_by"], r["within"], r["ictr"]) for r in rows] == [
        ("consume", 60.0, 0.5),
        ("consume", 3600.0, 0.5),
        ("rating", 60.0, 0.0),
        ("rating", 3600.0, 0.0),
    ]
    assert ask.get("/v1/ictr?since=9999999999").json() == {"rows": []}


def test_models_are_listed_switched_and_rolled_back(ask: httpx.Client, models: Path) -> None:
    second = Conv4Rec.load(models / "second.conv4rec", device="cpu")
    assert ask.post("/v1/models/rollback").status_code == 409
    assert ask.post("/v1/models/second/activate").json() == {"active": "second", "before": "first"}
    assert_same(post(ask, "recommend", users=[100], k=2)["recommendations"], second.recommend([100], 2).to_dicts())
    told = ask.get("/v1/models").json()
    assert told["active"] == "second"
    assert [(each["name"], each["active"]) for each in told["models"]] == [("first", False), ("second", True)]
    assert [each["model"] for each in told["switches"]] == ["second", "first"]
    assert (told["back_to"], told["may_switch"]) == ("first", True)
    origin = second.origin.model_dump(mode="json")
    about = {name: origin[name] for name in ("data", "validation", "reliability_like", "reliability_consume")}
    assert {name: told["models"][1][name] for name in about} == about
    assert ask.post("/v1/models/rollback").json() == {"active": "first", "before": "second"}
    assert ask.post("/v1/models/..%2F..%2Fetc%2Fpasswd/activate").status_code == 404
    assert ask.post("/v1/models/third/activate").json()["error"]["reason"] == "model 'third': there is no such model"


def test_a_restart_goes_on_with_the_model_that_answered(ask: httpx.Client, models: Path, store: str) -> None:
    ask.post("/v1/models/second/activate")
    settings = make_settings(models=(models,), store=store)
    assert create_app(settings).state.service.shelf.active.name == "second"
    chosen = settings.model_copy(update={"active": "first"})
    assert create_app(chosen).state.service.shelf.active.name == "first"


def test_a_damaged_model_does_not_take_over(ask: httpx.Client, models: Path) -> None:
    (models / "torn.conv4rec").write_bytes((models / "first.conv4rec").read_bytes()[:2000])
    try:
        error = ask.post("/v1/models/torn/activate").json()["error"]
        listed = ask.get("/v1/models").json()["models"][2]
    finally:
        (models / "torn.conv4rec").unlink()
    assert (error["status"], error["reason"][:12]) == (422, "model 'torn'")
    assert str(models) not in error["reason"]
    assert (listed["name"], listed["data"]) == ("torn", None)
    assert listed["fault"].startswith("not a conv4rec model, or cut short")
    assert post(ask, "recommend", users=[100])["model"] == "first"


def test_health_and_figures(ask: httpx.Client) -> None:
    assert ask.get("/health/live").json() == {"live": True}
    assert ask.get("/health/ready").json() == {"ready": True, "model": "first", "store": "ok"}
    post(ask, "recommend", users=[100])
    text = ask.get("/metrics").text
    assert 'conv4rec_requests_total{route="/v1/recommend",status="200"} 1.0' in text
    assert 'conv4rec_model{model="first"} 1.0' in text


REFUSED: list[tuple[str, dict[str, Any], int, str | None]] = [
    ("recommend", {}, 422, "users"),
    ("recommend", {"users": [100], "histories": [HISTORY]}, 422, "users"),
    ("recommend", {"users": []}, 422, "users"),
    ("recommend", {"users": list(range(1001))}, 422, "users"),
    ("recommend", {"users": [100, "100"]}, 422, "users.1"),
    ("recommend", {"users": [100], "k": 0}, 422, "k"),
    ("recommend", {"users": [100], "k": 25}, 422, "k"),
    ("recommend", {"users": [100], "k": "5"}, 422, "k"),
    ("recommend", {"users": [100], "limit": 5}, 422, "limit"),
    ("recommend", {"users": [100], "rank_by": "luck"}, 422, "rank_by"),
    ("recommend", {"users": [100], "rank_by": "gain"}, 422, "rank_by"),
    ("recommend", {"users": [100], "diversity": 2}, 422, "diversity"),
    ("recommend", {"users": [100], "like": 9}, 422, "like"),
    ("recommend", {"users": [100], "candidates": ["nowhere"]}, 404, None),
    ("recommend", {"users": [2**63]}, 422, "users.0"),
    ("recommend", {"users": [True]}, 422, "users.0"),
    ("recommend", {"users": [7]}, 404, "users.0"),
    ("recommend", {"histories": [[]]}, 422, "histories.0"),
    ("recommend", {"histories": [HISTORY, [{"item_id": "nowhere"}]]}, 422, "histories.1"),
    ("recommend", {"histories": [[{"item_id": "i00", "rating": 3.5}]]}, 422, "histories.0.0.rating"),
    ("recommend", {"histories": [[{"item_id": 5}]]}, 422, "histories.0.0.item_id"),
    ("recommend", {"histories": [[{"item_id": "i00", "type": "view"}]]}, 422, "histories.0.0.type"),
    ("recommend", {"histories": [[{"item_id": "i00", "stars": 5}]]}, 422, "histories.0.0.stars"),
    ("recommend", {"histories": [HISTORY], "record": True}, 422, "record"),
    ("predict", {}, 422, "pairs"),
    ("predict", {"histories": [HISTORY]}, 422, "items"),
    ("predict", {"pairs": [{"user_id": 100, "item_id": 5}]}, 422, "pairs.0.item_id"),
    ("predict", {"pairs": [{"user_id": 100, "item_id": "nowhere"}]}, 404, "pairs.0.item_id"),
    (
        "predict",
        {"pairs": [{"user_id": 100, "item_id": "i00"}] * 2 + [{"user_id": 7, "item_id": "i00"}]},
        404,
        "pairs.2.user_id",
    ),
    ("predict", {"histories": [HISTORY], "items": ["i00", "nowhere"]}, 404, "items.1"),
    ("explain", {"users": [100], "items": ["nowhere"]}, 404, "items.0"),
    ("explain", {"users": [100], "items": []}, 422, "items"),
    ("explain", {"users": [100], "items": ["i10"], "by": "magic"}, 422, "by"),
    ("recommend", {"users": [100], "rank_by": "gain", "utility": {}}, 422, "utility"),
    ("explain", {"users": [100, 101], "items": ["i10"] * 100, "k": 10_000}, 422, "k"),
    ("profile", {"users": [100], "like": 99}, 422, "like"),
    ("feedback", {"events": []}, 422, "events"),
    ("feedback", {"events": [{"user_id": "a", "item_id": "i00"}]}, 422, "events.0.user_id"),
    ("feedback", {"events": [{"user_id": 1, "item_id": "i00", "rating": 9}]}, 422, "events.0.rating"),
    ("feedback", {"events": [{"user_id": 1, "item_id": "i\x0000"}]}, 422, "events.0.item_id"),
    ("feedback", {"events": [{"user_id": 1, "item_id": "i00", "timestamp": -1}]}, 422, "events.0.timestamp"),
    ("feedback", {"events": [{"user_id": 1, "item_id": "i00", "timestamp": 9**11}]}, 422, "events.0.timestamp"),
]


@pytest.mark.parametrize(("path", "body", "status", "field"), REFUSED)
def test_a_refusal_names_the_field(
    ask: httpx.Client, path: str, body: dict[str, Any], status: int, field: str | None
) -> None:
    assert refused(ask, path, **body)[:2] == (status, field)


def test_a_body_that_is_no_json(ask: httpx.Client) -> None:
    answer = ask.post("/v1/recommend", content=b"{", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["reason"]) == (422, "the body is not JSON")
    assert ask.get("/v1/nowhere").json()["error"]["reason"] == "no such path"
    assert ask.get("/v1/recommend").status_code == 405


@pytest.mark.parametrize("name", ["../../etc/passwd", "1;drop table feedback", "' or 1=1--", "%2e%2e%2f", "😀", "a/b"])
def test_tricks_in_ids_are_just_ids(ask: httpx.Client, name: str, store: str) -> None:
    from urllib.parse import quote

    quoted = quote(name, safe="")
    assert ask.get(f"/v1/users/{quoted}/history").status_code == 404
    assert ask.delete(f"/v1/users/{quoted}").status_code == 404
    assert ask.get(f"/v1/items/{quoted}/similar").status_code == 404
    assert post(ask, "feedback", events=[{"user_id": 9, "item_id": name}]) == {"stored": 1, "known": 0}
    assert ask.get("/v1/users/9/history").json()["history"][0]["item_id"] == name
    with sqlite3.connect(store.removeprefix("sqlite:///")) as connection:
        assert connection.execute("select item_id from feedback").fetchall() == [(name,)]
    connection.close()
