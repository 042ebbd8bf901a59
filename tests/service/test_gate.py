"""Keys, roles, limits, times and ids of requests."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from conv4rec.service.app import create_app
from conv4rec.service.gate import Gate
from conv4rec.service.rates import Rates
from conv4rec.service.settings import ServiceSettings, make_settings
from tests.service.servers import served

Keys = tuple[Path, dict[str, str]]
LIST = {"histories": [[{"item_id": "i00", "rating": 5}]]}
EVENTS = {"events": [{"user_id": 100, "item_id": "i00", "rating": 5}]}


def settings(models: Path, store: str, **more: Any) -> ServiceSettings:
    """Settings of a service."""
    return make_settings(models=(models,), store=store, **more)


def status(client: httpx.Client, method: str, path: str, key: str | None, body: Any = None) -> tuple[int, str]:
    """Status and reason of what a key gets."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    answer = client.request(method, path, json=body, headers=headers)
    reason = "" if answer.is_success else answer.json()["error"]["reason"]
    return answer.status_code, reason


def test_keys_and_roles(models: Path, store: str, keys: Keys) -> None:
    file, by_role = keys
    with served(settings(models, store, keys=file)) as client:
        assert status(client, "POST", "/v1/recommend", None, LIST) == (401, "expected Authorization: Bearer KEY")
        assert status(client, "POST", "/v1/recommend", "c4r_wrong", LIST) == (401, "there is no such key")
        assert client.get("/openapi.json").status_code == 401
        assert client.get("/health/live").status_code == 200
        assert client.get("/health/ready").status_code == 200
        assert client.get("/metrics").status_code == 401
        for role, allowed in (("read", 1), ("write", 2), ("admin", 3)):
            key = by_role[role]
            assert status(client, "GET", "/metrics", key) == (200, "")
            assert status(client, "POST", "/v1/recommend", key, LIST)[0] == 200
            assert status(client, "POST", "/v1/feedback", key, EVENTS)[0] == (200 if allowed >= 2 else 403)
            assert status(client, "POST", "/v1/models/first/activate", key)[0] == (200 if allowed >= 3 else 403)
        forbidden = status(client, "DELETE", "/v1/users/100", by_role["write"])
        assert forbidden == (403, "this needs the role admin, the key has write")
        body = {"users": [100], "record": True}
        assert status(client, "POST", "/v1/recommend", by_role["read"], body) == (
            403,
            "record: this needs the role write",
        )


def test_a_wrong_key_is_told_before_the_body_is_read(models: Path, store: str, keys: Keys) -> None:
    with served(settings(models, store, keys=keys[0])) as client:
        answer = client.post("/v1/feedback", content=b"{", headers={"Authorization": "Bearer x"})
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_without_keys_only_this_machine_by_its_own_name(ask: httpx.Client) -> None:
    port = ask.base_url.port
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", "localhost", "[::1]"):
        assert ask.get("/health/live", headers={"Host": host}).status_code == 200
    answer = ask.get("/health/live", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "Host")


def test_a_body_that_is_too_large(models: Path, store: str) -> None:
    with served(settings(models, store, body_bytes=2000)) as client:
        large = {"histories": [[{"item_id": "i00"}] * 200]}
        answer = client.post("/v1/recommend", json=large)
        assert (answer.status_code, answer.json()["error"]["reason"]) == (413, "the body is too large")
        assert "X-Request-ID" in answer.headers
        chunks = client.post("/v1/recommend", content=iter([b'{"users":' + b" " * 3000, b"[100]}"]))  # length unknown
        assert chunks.status_code == 413
        assert client.post("/v1/recommend", json=LIST).status_code == 200


def test_limits_of_lists(models: Path, store: str) -> None:
    with served(settings(models, store, users=2, history=3, list_length=4)) as client:
        reasons = [
            status(client, "POST", "/v1/recommend", None, body)
            for body in (
                {"users": [100, 101, 102], "k": 1},
                {"histories": [[{"item_id": "i00"}] * 4], "k": 1},
                {"users": [100], "k": 5},
            )
        ]
        assert reasons == [
            (422, "users: 3: expected 1 to 2"),
            (422, "histories.0: 4 interactions: expected 1 to 3"),
            (422, "k: 5: expected 1 to 4"),
        ]


def test_more_requests_than_allowed(models: Path, store: str, keys: Keys) -> None:
    file, by_role = keys
    with served(settings(models, store, keys=file, requests_per_second=0.01)) as client:
        assert status(client, "POST", "/v1/recommend", by_role["read"], LIST)[0] == 200
        answer = client.post("/v1/recommend", json=LIST, headers={"Authorization": f"Bearer {by_role['read']}"})
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "100")
        assert answer.json()["error"]["reason"] == "more than 0.01 requests a second"
        assert status(client, "POST", "/v1/recommend", by_role["write"], LIST)[0] == 200  # a key of its own share
        assert status(client, "POST", "/v1/recommend", "guess", LIST)[0] == 401
        assert status(client, "POST", "/v1/recommend", "another guess", LIST)[0] == 429


def test_tokens_come_back_with_time() -> None:
    now = [0.0]
    rates = Rates(2.0, clock=lambda: now[0])
    taken = []
    for moment in (0.0, 0.0, 0.0, 0.5, 0.5, 100.0, 100.0, 100.0):
        now[0] = moment
        try:
            rates.take("a")
            taken.append(True)
        except Exception:  # noqa: BLE001 - whichever way it is refused
            taken.append(False)
    assert taken == [True, True, False, True, False, True, True, False]


def test_callers_who_could_ask_in_full_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conv4rec.service.rates.MOST", 3)
    now = [0.0]
    rates = Rates(1.0, clock=lambda: now[0])
    for name in ("a", "b", "c"):
        rates.take(name)
    now[0] = 50.0
    rates.take("d")
    assert list(rates._buckets) == ["d"]
    Rates(None).take("anybody")


def test_a_body_that_never_comes(models: Path, store: str) -> None:
    with served(settings(models, store, timeout=0.3)) as client:
        head = "POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n"
        port = client.base_url.port
        assert port is not None
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(head.encode() + b'{"users"')
            assert connection.recv(4000).startswith(b"HTTP/1.1 408")


def test_an_answer_that_takes_too_long(models: Path, store: str) -> None:
    with served(settings(models, store, timeout=1e-6)) as client:
        answer = client.get("/v1/types")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert answer.json()["error"]["reason"] == "no answer within 1e-06 s"
        assert client.post("/v1/models/second/activate").json()["active"] == "second"  # reading a model may take long
    with served(settings(models, store, switch_timeout=1e-6)) as client:
        assert client.post("/v1/models/first/activate").status_code == 503


def test_websockets_pass_the_gate_too(models: Path, store: str, keys: Keys) -> None:
    met: list[Any] = []

    async def inside(scope: Any, _receive: Any, _send: Any) -> None:
        met.append(scope["state"]["caller"].name)

    async def send(message: Any) -> None:
        met.append(message["code"])

    async def receive() -> Any:
        raise AssertionError

    service = create_app(settings(models, store, keys=keys[0])).state.service
    gate = Gate(inside, service, ("/page/",))
    for path, key in (("/ws", None), ("/page/ws", None), ("/ws", keys[1]["read"])):
        headers = [] if key is None else [(b"authorization", f"Bearer {key}".encode())]
        scope = {"type": "websocket", "path": path, "headers": headers, "client": ("127.0.0.1", 5)}
        asyncio.run(gate(scope, receive, send))
    assert met == [1008, "-", "a-reader"]
    service.store.close()


def test_ids_of_requests(ask: httpx.Client) -> None:
    given = ask.get("/health/live", headers={"X-Request-ID": "my-id.7"})
    assert given.headers["X-Request-ID"] == "my-id.7"
    made = ask.get("/health/live", headers={"X-Request-ID": 'x" injected'}).headers["X-Request-ID"]
    assert len(made) == 32


def test_a_fault_of_the_service_is_told_without_its_text(ask: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    app = ask.app_under_test  # type: ignore[attr-defined]

    async def broken() -> None:
        raise RuntimeError("user 12345 did it")

    app.router.add_api_route("/broken", broken)
    with caplog.at_level("INFO", logger="conv4rec.service"):
        answer = ask.get("/broken")
    assert answer.status_code == 500
    assert answer.json()["error"]["reason"] == "a fault of the service; its log has the request id"
    [failure] = [record for record in caplog.records if record.msg == "failure"]
    fields = failure.fields  # type: ignore[attr-defined]
    assert fields["error"] == "RuntimeError"
    assert fields["at"][-1].startswith("test_gate.py:")
    assert "12345" not in str(fields)
