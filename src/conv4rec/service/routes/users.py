"""What is known of a user, and erasure."""

import time
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from conv4rec.service import answers
from conv4rec.service.json import json_response
from conv4rec.service.people import Row, own_history, read_id
from conv4rec.service.problems import Problem, responses
from conv4rec.service.routes.common import ADMIN, READ, TheService
from conv4rec.service.schemas import Id
from conv4rec.service.shelf import Loaded
from conv4rec.service.store.tables import Event

router = APIRouter(prefix="/v1/users", tags=["users"])


@router.get("/{user_id:path}/history", response_model=answers.History, responses=responses(404), dependencies=READ)
async def history(service: TheService, user_id: str) -> Response:
    """What the model knew of a user, and what they did since."""
    loaded = service.shelf.active
    user = _read(user_id, loaded)
    remembered = await service.remember(lambda: service.store.remembered([user]))
    events = remembered.events.get(user, [])
    own = user in loaded.users and user not in remembered.erased
    if not (own or events):
        raise _stranger()
    before = await service.worker.call(lambda: own_history(loaded, user)) if own else []
    told = {"model": loaded.name, "user_id": user, "history": _rows(before, events, loaded)}
    return json_response(told)


@router.delete("/{user_id:path}", response_model=answers.Gone, responses=responses(404), dependencies=ADMIN)
async def erase(service: TheService, user_id: str) -> Response:
    """Delete all that is stored of a user, and never use again what the model knew of them.

    The model file still holds that history until it is trained again; the answer tells so.
    """
    loaded = service.shelf.active
    user = _read(user_id, loaded)
    remembered = await service.remember(lambda: service.store.remembered([user]))
    if user not in loaded.users and user not in remembered.events and user not in remembered.erased:
        raise _stranger()
    gone = await service.remember(lambda: service.store.erase(user, int(time.time())))
    return json_response({"events": gone.events, "shown": gone.shown, "in_model": user in loaded.users})


def _read(text: str, loaded: Loaded) -> Id:
    user = read_id(text, integers=loaded.model.vocabulary.users.are_integers)
    if user is None:
        raise _stranger()
    return user


def _stranger() -> Problem:
    return Problem(404, "user: not known to this model, and there is no feedback of them", field="user_id")


def _rows(before: list[Row], events: list[Event], loaded: Loaded) -> list[dict[str, Any]]:
    """The history as it is used: of an item and type name, the last stands for all."""
    last = {(event.item_id, event.type): event for event in events}
    rows: list[dict[str, Any]] = [
        row._asdict() | {"source": "model", "timestamp": None} for row in before if (row.item_id, row.type) not in last
    ]
    for event in last.values():
        told = {"item_id": event.item_id, "rating": event.rating, "type": event.type}
        rows.append(told | {"source": "feedback", "timestamp": event.timestamp})
    return [row | {"title": loaded.titles.get(row["item_id"])} for row in rows]
