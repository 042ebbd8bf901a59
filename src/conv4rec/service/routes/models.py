"""The models that can be served: which there are, which answers, switching and rolling back."""

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import Response

from conv4rec.service import answers
from conv4rec.service.engine import Service
from conv4rec.service.json import json_response
from conv4rec.service.keys import Role
from conv4rec.service.problems import Problem, responses
from conv4rec.service.routes.common import ADMIN, READ, TheService

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("", response_model=answers.Models, responses=responses(), dependencies=READ)
async def models(service: TheService, request: Request) -> Response:
    """The models, and the one that answers."""
    loaded = service.shelf.active
    switches = await service.remember(service.store.switches)
    past = [name for name, _ in switches]
    return json_response(
        {
            "active": loaded.name,
            "data": loaded.model.origin.data,
            "items": len(loaded.model.vocabulary.items),
            "users": len(loaded.model.vocabulary.users),
            "validation": loaded.model.origin.validation,
            "has_histories": loaded.has_histories,
            "interaction_types": [
                {"type": kind.name, "rating": kind.rating} for kind in loaded.model.vocabulary.types.channels
            ],
            "models": await asyncio.to_thread(service.shelf.about),
            "switches": [{"model": name, "timestamp": timestamp} for name, timestamp in switches],
            "back_to": _before(loaded.name, past),
            "may_switch": request.state.caller.role >= Role.ADMIN,
        }
    )


@router.post("/rollback", response_model=answers.Switched, responses=responses(404, 409), dependencies=ADMIN)
async def roll_back(service: TheService) -> Response:
    """Let the model answer again that answered before this one."""
    before = service.shelf.active.name
    past = [name for name, _ in await service.remember(service.store.switches)]
    earlier = _before(before, past)
    if earlier is None:
        raise Problem(409, "no model has answered before this one", field="body")
    return await _switch(service, earlier)


@router.post("/{name}/activate", response_model=answers.Switched, responses=responses(404, 409), dependencies=ADMIN)
async def activate(service: TheService, name: str) -> Response:
    """Let another model answer. Its file is read first; meanwhile, and for requests that began, the old one answers."""
    return await _switch(service, name)


async def _switch(service: Service, name: str) -> Response:
    before = service.shelf.active.name
    if service.shelf.switching.locked():
        raise Problem(409, "another switch is going on", headers={"Retry-After": "5"})
    await service.remember(lambda: service.switch(name))
    return json_response({"active": name, "before": before})


def _before(active: str, past: list[str]) -> str | None:
    """The model to roll back to: in the log, which has the newest first, the one below the newest that is active."""
    later = past[past.index(active) + 1 :] if active in past else past
    return next((name for name in later if name != active), None)
