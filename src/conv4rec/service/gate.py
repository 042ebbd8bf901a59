"""What every request passes: its id, its key, its share of requests and of time; and what is told of it afterwards."""

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException

from conv4rec.service.engine import Service
from conv4rec.service.keys import NOBODY, Caller
from conv4rec.service.logs import describe
from conv4rec.service.problems import WORDS, Problem, refusal
from conv4rec.service.rates import Rates
from conv4rec.service.settings import is_loopback

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MODELS = "/v1/models/"
"""Beginning of the paths that switch."""
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
log = logging.getLogger("conv4rec.service")


@dataclass
class _Passing:
    """A request on its way."""

    id: str
    began: float
    caller: Caller | None = None
    status: int = 0
    has_body: bool = False
    bytes: int = 0


@dataclass(frozen=True)
class Gate:
    """ASGI middleware around everything else.

    Attributes:
        app: what is inside.
        service: whose keys and settings hold.
        open_paths: beginnings of paths that need no key.
    """

    app: App
    service: Service
    open_paths: tuple[str, ...]
    rates: Rates = field(init=False)

    def __post_init__(self) -> None:
        """Begin with all requests allowed."""
        object.__setattr__(self, "rates", Rates(self.service.settings.requests_per_second))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request, and tell of it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["type"] == "websocket":
            await self._pass_websocket(scope, receive, send, headers)
            return
        passing = _Passing(_request_id(headers), time.perf_counter())
        scope.setdefault("state", {})["request_id"] = passing.id
        try:
            passing.caller = self._admit(scope, headers)
            scope["state"]["caller"] = passing.caller
            passing.has_body = self._expects_none(headers)
            watched = _watched_receive(receive, passing, self.service.settings.body_bytes)
            async with asyncio.timeout(self._seconds(scope)):
                await self.app(scope, watched, _watched_send(send, passing))
        except Problem as problem:
            await refusal(passing.id, problem)(scope, receive, _watched_send(send, passing))
        except TimeoutError:
            await self._give_up(scope, receive, send, passing)
        except Exception as error:  # noqa: BLE001 - the last place where an answer can be given
            log.error("failure", extra={"fields": {"request_id": passing.id} | describe(error)})
            await self._apologise(scope, receive, send, passing)
        finally:
            self._tell(scope, passing)

    async def _pass_websocket(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        """Let in whom a request would be let in; a page that is mounted here may talk so."""
        try:
            scope.setdefault("state", {})["caller"] = self._admit(scope, headers)
        except Problem as problem:
            await send({"type": "websocket.close", "code": 1008, "reason": problem.reason})
        else:
            await self.app(scope, receive, send)

    def _admit(self, scope: Scope, headers: Headers) -> Caller:
        """Who asks. Raises Problem 400 for another host's name, 401 for a wrong key, 429 for too many requests."""
        address = scope["client"][0] if scope.get("client") else ""
        keys = self.service.keys
        if keys is None:
            host = headers.get("host", "").rsplit(":", 1)[0] if headers.get("host", "")[-1:] != "]" else headers["host"]
            if not is_loopback(host):  # a page elsewhere that has its name point to this machine
                raise Problem(400, "without keys, this service answers to localhost only", field="Host")
            self.rates.take(address)
            return NOBODY
        if scope["path"] == "/" or scope["path"].startswith(self.open_paths):  # "/" only leads to the page
            self.rates.take(address)
            return NOBODY
        kind, _, key = headers.get("authorization", "").partition(" ")
        caller = keys.find(key.strip()) if kind.lower() == "bearer" else None
        self.rates.take(address if caller is None else f"key {caller.name}")
        if caller is None:
            reason = "expected Authorization: Bearer KEY" if kind.lower() != "bearer" else "there is no such key"
            raise Problem(401, reason, field="Authorization", headers={"WWW-Authenticate": "Bearer"})
        return caller

    def _expects_none(self, headers: Headers) -> bool:
        """Whether no body will come. Raises Problem 413 for one that says that it is too large."""
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self.service.settings.body_bytes:
            raise Problem(413, WORDS[413], field="body", headers={"Connection": "close"})
        return length == "0" and "transfer-encoding" not in headers

    def _seconds(self, scope: Scope) -> float:
        """How long an answer may take: to switch, a model is read first."""
        settings = self.service.settings
        switches = scope["method"] == "POST" and scope["path"].startswith(MODELS)
        return settings.switch_timeout if switches else settings.timeout

    async def _give_up(self, scope: Scope, receive: Receive, send: Send, passing: _Passing) -> None:
        seconds = self._seconds(scope)
        late = Problem(503, f"no answer within {seconds:g} s", headers={"Retry-After": "1"})
        if not passing.has_body:
            late = Problem(408, f"the body did not come within {seconds:g} s", headers={"Connection": "close"})
        if not passing.status:
            await refusal(passing.id, late)(scope, receive, _watched_send(send, passing))

    async def _apologise(self, scope: Scope, receive: Receive, send: Send, passing: _Passing) -> None:
        if not passing.status:
            sorry = Problem(500, "a fault of the service; its log has the request id")
            await refusal(passing.id, sorry)(scope, receive, _watched_send(send, passing))

    def _tell(self, scope: Scope, passing: _Passing) -> None:
        seconds = time.perf_counter() - passing.began
        route = getattr(scope.get("route"), "path", "other")
        self.service.meters.requests.labels(route, passing.status).inc()
        self.service.meters.seconds.labels(route).observe(seconds)
        told = {
            "request_id": passing.id,
            "method": scope["method"],
            "route": route,
            "status": passing.status,
            "seconds": round(seconds, 6),
            "key": "-" if passing.caller is None else passing.caller.name,
        }
        log.info("request", extra={"fields": told})


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _watched_receive(receive: Receive, passing: _Passing, limit: int) -> Receive:
    async def watched() -> Message:
        message = await receive()
        passing.has_body = passing.has_body or not message.get("more_body", False)
        passing.bytes += len(message.get("body", b""))
        if passing.bytes > limit:
            raise HTTPException(413)  # FastAPI lets this one through
        return message

    return watched


def _watched_send(send: Send, passing: _Passing) -> Send:
    async def watched(message: Message) -> None:
        if message["type"] == "http.response.start":
            passing.status = message["status"]
            MutableHeaders(scope=message)["X-Request-ID"] = passing.id
        await send(message)

    return watched
