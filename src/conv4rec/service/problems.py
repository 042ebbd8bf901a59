"""What went wrong, as an answer: a status, a reason, the field, the id of the request. Never data of a person."""

import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from conv4rec.errors import ConfigError, Conv4RecError, StoreError, UnknownIdError
from conv4rec.service.json import json_response

BRANCHES = ("constrained-int", "constrained-str")
"""What pydantic calls the two kinds of ids in the place of a fault; they are no part of the request."""
WORDS = {
    404: "no such path",
    405: "this path does not take that method",
    413: "the body is too large",
}


class Problem(Exception):  # noqa: N818 - an answer, not an error of the service
    """An answer that is no success.

    Attributes:
        status: of HTTP.
        reason: one line for people.
        field: the part of the request that is at fault, such as `histories.0.3.rating`; None where it is no part.
        headers: of the answer.
    """

    def __init__(
        self, status: int, reason: str, *, field: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(reason)
        self.status, self.reason, self.field, self.headers = status, reason, field, headers


class Fault(BaseModel):
    """What went wrong."""

    model_config = ConfigDict(extra="forbid")

    status: int
    """The status of HTTP again."""
    reason: str
    """What is wrong, in a line."""
    field: str | None
    """The part of the request that is at fault."""
    request_id: str
    """The id of the request, which the logs of the service have too."""


class Refusal(BaseModel):
    """The body of every answer that is no success."""

    model_config = ConfigDict(extra="forbid")

    error: Fault


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals that a route documents, beside those that every route may give."""
    texts = {
        400: "not HTTP, or not addressed to this service",
        401: "no key, or one that is wrong",
        403: "the key has not the role that this needs",
        404: "no such user, item or model",
        408: "the body did not come in time",
        409: "something else is being done",
        413: "the body is too large",
        422: "the request is not right; `field` tells where",
        429: "too many requests; `Retry-After` tells when to come again",
        503: "the store is down, its disk is full, or the service has too much to do",
    }
    always = (400, 401, 403, 408, 413, 422, 429, 503)
    return {status: {"model": Refusal, "description": texts[status]} for status in sorted({*always, *statuses})}


def refusal(request_id: str, problem: Problem) -> Response:
    """The answer."""
    fault = {"status": problem.status, "reason": problem.reason, "field": problem.field, "request_id": request_id}
    return json_response({"error": fault}, status=problem.status, headers=problem.headers)


def as_problem(error: Exception, fields: frozenset[str] = frozenset()) -> Problem:
    """The answer to an error of ours. The first word of its text, where that is one of `fields`, is the field."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, StoreError | ConfigError):
        return Problem(503, str(error), headers={"Retry-After": "1"})
    if isinstance(error, UnknownIdError):
        return Problem(404, str(error))
    word = re.match(r"\w*", str(error))
    field = word.group() if word is not None and word.group() in fields else "body"
    return Problem(422, str(error), field=field)


def add_handlers(app: FastAPI) -> None:
    """Answer every error in the one form."""

    async def ours(request: Request, error: Exception) -> Response:
        return refusal(request.state.request_id, as_problem(error))

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it alone
        return refusal(request.state.request_id, _invalid(error))

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
        reason = WORDS.get(error.status_code, str(error.detail))
        headers = None if error.headers is None else dict(error.headers)
        return refusal(request.state.request_id, Problem(error.status_code, reason, headers=headers))

    for kind in (Problem, Conv4RecError):
        app.add_exception_handler(kind, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)


def _invalid(error: RequestValidationError) -> Problem:
    """The first fault that pydantic found; the value met is not repeated, it may be of a person."""
    fault = error.errors()[0]
    where = [str(part) for part in fault["loc"] if part not in BRANCHES]
    field = ".".join(where[1:]) or where[0]
    if fault["type"] == "json_invalid":
        return Problem(422, "the body is not JSON", field="body")
    told = fault["msg"] if len(where) == len(fault["loc"]) else "expected an integer of 64 bits, or a text of 1 to 256"
    return Problem(422, f"{field}: {told}", field=field)
