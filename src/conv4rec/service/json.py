"""Answers as JSON, written by orjson: exact for floats, NaN as null."""

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi.responses import Response


def json_response(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A response whose body is `value`."""
    body = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    return Response(body, status_code=status, headers=None if headers is None else dict(headers), media_type=JSON)


JSON = "application/json"
