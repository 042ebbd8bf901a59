"""Feedback, and what came of lists that were shown."""

import time
from typing import Annotated, Any

import polars as pl
from fastapi import APIRouter, Query
from fastapi.responses import Response

from conv4rec.errors import QueryError
from conv4rec.online import ictr
from conv4rec.service import answers
from conv4rec.service.json import json_response
from conv4rec.service.people import check_event, check_ids
from conv4rec.service.problems import Problem, as_problem, responses
from conv4rec.service.routes.common import READ, WRITE, TheService, check_count
from conv4rec.service.schemas import Feedback
from conv4rec.service.store.tables import Event

router = APIRouter(prefix="/v1", tags=["learn"])
DAY = 86_400
WINDOWS = (600.0, 86_400.0)
"""Seconds: ten minutes and a day."""


@router.post("/feedback", response_model=answers.Stored, responses=responses(), dependencies=WRITE)
async def feedback(service: TheService, body: Feedback) -> Response:
    """Append events, all or none. The next answer to these users takes them into account."""
    loaded = service.shelf.active
    check_count(len(body.events), "events", service.settings.users)
    integers = loaded.model.vocabulary.users.are_integers
    for place, event in enumerate(body.events):
        check_ids({event.user_id: f"events.{place}.user_id"}, integers=integers)
        check_event(event, loaded, f"events.{place}.")
    now = int(time.time())
    _refuse_future(body, now)
    events = [
        Event(e.user_id, e.item_id, e.rating, e.type, now if e.timestamp is None else e.timestamp, e.key)
        for e in body.events
    ]
    try:
        done = await service.remember(lambda: service.store.append(events))
    except QueryError as error:
        raise as_problem(error, frozenset({"key"})) from None
    service.meters.feedback.inc(done.stored)
    return json_response(done._asdict())


def _refuse_future(body: Feedback, now: int) -> None:
    """Problem 422 for an event later than tomorrow: it would outdo whatever the user does until then."""
    for place, event in enumerate(body.events):
        if event.timestamp is not None and event.timestamp > now + DAY:
            where = f"events.{place}.timestamp"
            raise Problem(422, f"{where}: lies in the future; expected seconds since 1970", field=where)


@router.get("/ictr", response_model=answers.Rates, responses=responses(), dependencies=READ)
async def rates(
    service: TheService,
    within: Annotated[list[Annotated[float, Query(ge=0, le=1e9)]], Query(max_length=20)] = list(WINDOWS),  # noqa: B006
    since: Annotated[int, Query(ge=0, le=253_402_300_799)] = 0,
) -> Response:
    """Share of shown lists of which the user took an item within so many seconds, per model and order.

    `since` counts only lists shown at or after that time.
    """

    def ask() -> list[dict[str, Any]]:
        shown, events = service.store.shown(since), service.store.events(since)
        if not shown.height:
            return []
        if not events.height:  # nothing was taken: the clock is that of the last list
            events = _no_events(shown)
        return ictr(shown, events, within, service.shelf.active.model.config.evaluate).to_dicts()

    return json_response({"rows": await service.remember(ask)})


def _no_events(shown: pl.DataFrame) -> pl.DataFrame:
    """An event long before all lists, which therefore takes no item of any."""
    item = shown.schema["item_id"].inner  # type: ignore[attr-defined]
    last = shown.select("user_id").head(1).with_columns(pl.lit(0).alias("timestamp"))
    return last.with_columns(pl.lit(0 if item == pl.Int64 else "", dtype=item).alias("item_id"))
