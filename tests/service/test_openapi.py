"""Requests made up from the OpenAPI document: none ends in a 500, and every answer is as the document says."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

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


@pytest.mark.parametrize("known", [False, True], ids=["anything", "what is known"])
def test_no_request_ends_in_a_500(
    models: Path, tmp_path: Path, launch: Callable[[Sequence[str | Path]], Server], known: bool
) -> None:
    server = launch([models, "--store", f"sqlite:///{tmp_path / 'store.db'}", "--set", "requests_per_second=1e9"])
    server.wait()
    document = httpx.get(f"{server.url}/openapi.json").json()
    checks = CHECKS if not known else CHECKS.removesuffix(",response_schema_conformance")
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(narrowed(document) if known else document))
    bounds = ["--max-examples", "15", "--max-time", "15", "--seed", "1", "--phases", "examples,coverage,fuzzing"]
    program = Path(sys.executable).parent / "schemathesis"
    done = subprocess.run(
        [program, "run", path, "--url", server.url, "-c", checks, *bounds, "--generation-database", "none"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"NO_COLOR": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "Operations:       20 selected" in done.stdout
    statuses = {line["status"] for line in map(json.loads, server.log.read_text().splitlines()[3:]) if "status" in line}
    assert 200 in statuses
    assert not {status for status in statuses if status >= 500}
