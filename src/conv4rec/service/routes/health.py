"""Whether the service lives, whether it can answer, and its figures."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from conv4rec.errors import ConfigError, StoreError
from conv4rec.service import answers
from conv4rec.service.json import json_response
from conv4rec.service.problems import responses
from conv4rec.service.routes.common import READ, TheService

router = APIRouter(tags=["health"])
TEXT: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus' text format"}
}


@router.get("/health/live", response_model=answers.Live, responses=responses())
async def live() -> Response:
    """Whether the process answers at all; needs no key."""
    return json_response({"live": True})


@router.get("/health/ready", response_model=answers.Ready, responses={503: {"model": answers.Ready}})
async def ready(service: TheService) -> Response:
    """Whether a model is loaded and the store can be read; needs no key. 503 where not."""
    try:
        await service.remember(service.store.check)
        store = "ok"
    except (StoreError, ConfigError) as error:
        store = str(error)
    told = {"ready": store == "ok", "model": service.shelf.active.name, "store": store}
    return json_response(told, status=200 if store == "ok" else 503)


@router.get("/metrics", dependencies=READ, responses=responses() | TEXT, response_class=Response)
async def metrics(service: TheService) -> Response:
    """Figures for Prometheus."""
    return Response(generate_latest(service.meters.registry), media_type=CONTENT_TYPE_LATEST)
