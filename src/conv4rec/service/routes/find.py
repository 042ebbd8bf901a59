"""Finding users and items, and the figures of a comparison: what a page asks before it can ask the model."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from conv4rec.errors import DataError
from conv4rec.records import Record, read_records
from conv4rec.service import answers
from conv4rec.service.json import json_response
from conv4rec.service.problems import Problem, responses
from conv4rec.service.routes.common import READ, TheService

router = APIRouter(prefix="/v1", tags=["find"], dependencies=READ)
Text = Annotated[str, Query(max_length=256)]
Count = Annotated[int, Query(ge=1, le=1000)]


@router.get("/users", response_model=answers.FoundUsers, responses=responses())
async def users(service: TheService, prefix: Annotated[Text, Query(examples=["19"])] = "", k: Count = 10) -> Response:
    """The known users whose ids begin with a text. Users of feedback alone are not among them."""
    loaded = service.shelf.active
    found = await asyncio.to_thread(lambda: loaded.found_by.users(prefix, k))
    kept = await service.without_erased(found)
    return json_response({"model": loaded.name, "users": kept})


@router.get("/items", response_model=answers.FoundItems, responses=responses())
async def items(
    service: TheService, query: Annotated[Text, Query(examples=["star wars"])] = "", k: Count = 10
) -> Response:
    """The items whose titles (or ids) hold all words of a text."""
    loaded = service.shelf.active
    found = await asyncio.to_thread(lambda: loaded.found_by.items(query, k))
    return json_response({"model": loaded.name, "items": found})


@router.get("/records", response_model=answers.Records, responses=responses())
async def records(service: TheService) -> Response:
    """Figures and reliability of the models that were compared, from the run folder of the setting `records`."""
    folder = service.settings.records
    if folder is None:
        return json_response({"folder": None, "records": []})
    try:
        found = await asyncio.to_thread(lambda: read_records(folder))
    except DataError as error:  # it was readable when the service began
        raise Problem(503, str(error), headers={"Retry-After": "5"}) from None
    return json_response({"folder": folder.name, "records": [_compared(record) for record in found]})


def _compared(record: Record) -> dict[str, Any]:
    fields = {"model", "data", "recipe", "seed", "window", "error", "metrics", "intervals"}
    curves = record.curves.model_dump(include={"reliability_like", "reliability_consume"})
    return record.model_dump(include=fields) | curves
