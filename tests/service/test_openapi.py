"""Requests made up from the OpenAPI document: none ends in a 500, and every answer is as the document says."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.service.servers import Server

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
KNOWN: dict[str, dict[str, Any]] = {
    "user_id": {"enum": [100, 101, 102, 5, -1]},
    "item_id": {"enum": ["i00", "i01", "i02", "i03", "../x"]},
    "rating": {"enum": [None, 1, 5]},
    "like": {"enum": [None, 3, 5]},
    "type": {"type": "null"},
    "rank_by": {"enum": ["consume", "enjoy", "rating", "discover"]},
    "k": {"type": "integer", "minimum": 1, "maximum": 24},
    "name": {"enum": ["first", "second"]},
}
"""What the model of the tests knows, nearly always; made up ids would seldom get beyond a 404."""


def narrowed(part: Any) -> Any:
    """The document, with what is known in the place of what is allowed."""
    if isinstance(part, list):
        return [narrowed(each) for each in part]
    if not isinstance(part, dict):
        return part
    made = {key: narrowed(value) for key, value in part.items()}
    if isinstance(made.get("properties"), dict):
        made["properties"] = {name: _property(name, told) for name, told in made["properties"].items()}
    if made.get("in") in ("path", "query") and made["name"] in KNOWN:
        made["schema"] = KNOWN[made["name"]]
    return made


def _property(name: str, told: Any) -> Any:
    if name == "users":
        return {"type": "array", "items": KNOWN["user_id"], "minItems": 1, "maxItems": 3}
    if name in ("items", "candidates", "exclude"):
        return {"type": "array", "items": KNOWN["item_id"], "minItems": 1, "maxItems": 3}
    return KNOWN.get(name, told)


def begin(server: Server, folder: Path, *, known: bool) -> "subprocess.Popen[str]":
    """Schemathesis, which asks a server anything, or mostly for what it knows."""
    document = httpx.get(f"{server.url}/openapi.json").json()
    checks = CHECKS if not known else CHECKS.removesuffix(",response_schema_conformance")
    path = folder / f"openapi-{known}.json"
    path.write_text(json.dumps(narrowed(document) if known else document))
    bounds = ["--max-examples", "15", "--max-time", "15", "--seed", "1", "--phases", "examples,coverage,fuzzing"]
    program = Path(sys.executable).parent / "schemathesis"
    words = [
        str(program),
        "run",
        str(path),
        "--url",
        server.url,
        "-c",
        checks,
        *bounds,
        "--generation-database",
        "none",
    ]
    environment = os.environ | {"NO_COLOR": "1"}
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=folder, env=environment)


def test_no_request_ends_in_a_500(
    models: Path, tmp_path: Path, launch: Callable[[Sequence[str | Path]], Server]
) -> None:
    running = []
    for known in (False, True):  # at once
        store = f"sqlite:///{tmp_path / f'store-{known}.db'}"
        server = launch([models, "--store", store, "--set", "requests_per_second=1e9"])
        server.wait()
        running.append((server, begin(server, tmp_path, known=known)))
    for server, process in running:
        said, _ = process.communicate()
        assert process.returncode == 0, said
        assert "Operations:       20 selected" in said
        told = map(json.loads, server.log.read_text().splitlines()[3:])
        statuses = {line["status"] for line in told if "status" in line}
        assert 200 in statuses
        assert not {status for status in statuses if status >= 500}
