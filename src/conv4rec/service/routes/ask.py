"""Questions to the model."""

import time
import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from conv4rec.errors import Conv4RecError
from conv4rec.service import answers, asking
from conv4rec.service.asking import Question
from conv4rec.service.engine import Service
from conv4rec.service.json import json_response
from conv4rec.service.keys import Role
from conv4rec.service.people import Person, check_items, placed, read_id, strangers
from conv4rec.service.problems import Problem, responses
from conv4rec.service.routes.common import READ, TheService, blamed, check_count, check_rows, people
from conv4rec.service.schemas import Explain, Predict, Profile, Recommend, SimilarUsers
from conv4rec.service.shelf import Loaded
from conv4rec.service.store.tables import ShownList

router = APIRouter(prefix="/v1", dependencies=READ, tags=["ask"])


@router.post("/recommend", response_model=answers.Lists, responses=responses(404))
async def recommend(service: TheService, request: Request, body: Recommend) -> Response:
    """The best items for known users, or for posted histories."""
    if body.record and (body.users is None or request.state.caller.role < Role.WRITE):
        raise _no_record(body)
    loaded = service.shelf.active
    check_count(body.k, "k", min(service.settings.list_length, len(loaded.items)))
    asked = await people(service, loaded, body)
    check_rows(len(asked) * body.k, "k", service)
    try:
        found = await asking.lists(service, loaded, asked, Question.of(body.k, body.choices()))
    except Conv4RecError as error:
        raise blamed(error, body) from None
    shown = await _record(service, loaded, body, asked, found) if body.record else None
    rows = [row for rows in found for row in rows]
    told = {"model": loaded.name, "recommendations": rows, "unknown_items": _unknown(service, asked)}
    return json_response(told | {"list_ids": shown})


@router.post("/predict", response_model=answers.Predictions, responses=responses(404))
async def predict(service: TheService, body: Predict) -> Response:
    """The law of pairs of known users and items, or of items for posted histories."""
    loaded = service.shelf.active
    _check_predict(body)
    items = list(body.items or ())
    check_items(placed([pair.item_id for pair in body.pairs or ()], "pairs", ".item_id"), loaded)
    check_items(placed(items, "items"), loaded)
    try:
        if body.pairs is not None:
            check_count(len(body.pairs), "pairs", service.settings.users)
            asked, rows = await _predict_pairs(service, loaded, body)
        else:
            check_count(len(body.histories or ()), "histories", service.settings.users)
            check_count(len(items), "items", service.settings.list_length)
            check_rows(len(body.histories or ()) * len(items), "items", service)
            asked = strangers(body.histories or (), loaded, service.settings.history)
            rows = [row for who in asked for row in await asking.laws(service, loaded, who, items, body.like)]
    except Conv4RecError as error:
        raise blamed(error, body) from None
    return json_response({"model": loaded.name, "predictions": rows, "unknown_items": _unknown(service, asked)})


@router.post("/explain", response_model=answers.Explanations, responses=responses(404))
async def explain(service: TheService, body: Explain) -> Response:
    """Which interactions of the history moved the predictions of some items, and by how much."""
    loaded = service.shelf.active
    check_items(placed(body.items, "items"), loaded)
    asked = await people(service, loaded, body)
    check_rows(len(asked) * len(body.items) * (body.k + 1), "k", service)
    choices: dict[str, Any] = {"by": body.by, "like": body.like}
    rows: list[dict[str, Any]] = []
    try:
        for person in asked:
            frame = await asking.verb(service, loaded, "explain", person, list(body.items), body.k, **choices)
            rows += [row | {"user_id": person.name} for row in frame.to_dicts()]
    except Conv4RecError as error:
        raise blamed(error, body) from None
    return json_response({"model": loaded.name, "explanations": rows, "unknown_items": _unknown(service, asked)})


@router.post("/profile", response_model=answers.Profiles, responses=responses(404))
async def profile(service: TheService, body: Profile) -> Response:
    """What the model knows of people: style, segments, neighbours, what is usual and unusual, how sure it is."""
    loaded = service.shelf.active
    asked = await people(service, loaded, body)
    found: list[dict[str, Any]] = []
    try:
        for person in asked:
            told = (await asking.verb(service, loaded, "profile", person, like=body.like)).to_dict()
            neighbours = await service.without_erased(told["neighbours"])
            found.append(told | {"user_id": person.name, "neighbours": neighbours})
    except Conv4RecError as error:
        raise blamed(error, body) from None
    return json_response({"model": loaded.name, "profiles": found, "unknown_items": _unknown(service, asked)})


@router.post("/users/similar", response_model=answers.Neighbours, responses=responses(404))
async def similar_users(service: TheService, body: SimilarUsers) -> Response:
    """The known users who are nearest to people."""
    loaded = service.shelf.active
    asked = await people(service, loaded, body)
    check_rows(len(asked) * body.k, "k", service)
    found = []
    try:
        for person in asked:
            rows = (await asking.verb(service, loaded, "similar_users", person, body.k)).to_dicts()
            found.append(await service.without_erased(rows))
    except Conv4RecError as error:
        raise blamed(error, body) from None
    return json_response({"model": loaded.name, "similar": found, "unknown_items": _unknown(service, asked)})


@router.get("/items/{item_id:path}/similar", response_model=answers.SimilarItems, responses=responses(404))
async def similar_items(service: TheService, item_id: str, k: Annotated[int, Query(ge=1, le=10_000)] = 10) -> Response:
    """The items that are nearest to one."""
    loaded = service.shelf.active
    item = read_id(item_id, integers=loaded.model.vocabulary.items.are_integers)
    if item is None or item not in loaded.items:
        raise Problem(404, "item: not known to this model", field="item_id")
    rows = (await service.worker.call(lambda: loaded.model.similar_items(item, k))).to_dicts()
    return json_response({"model": loaded.name, "item_id": item, "similar": rows})


@router.get("/types", response_model=answers.Types, responses=responses())
async def interaction_types(service: TheService) -> Response:
    """Which interaction types the model treats alike, and what each learned channel means."""
    loaded = service.shelf.active
    found = await service.worker.call(loaded.model.interaction_types)
    return json_response({"model": loaded.name, **found.to_dict()})


def _no_record(body: Recommend) -> Problem:
    if body.users is None:
        return Problem(422, "record: lists for posted histories belong to no user; expected false", field="record")
    return Problem(403, "record: this needs the role write", field="record")


async def _record(
    service: Service, loaded: Loaded, body: Recommend, asked: list[Person], found: list[asking.Rows]
) -> list[str]:
    """Store the lists as shown now; their ids."""
    now = int(time.time())
    lists = [
        ShownList(uuid.uuid4().hex, person.name, now, loaded.name, body.rank_by, [row["item_id"] for row in rows])
        for person, rows in zip(asked, found, strict=True)
    ]
    await service.remember(lambda: service.store.record(lists))
    service.meters.shown.inc(len(lists))
    return [each.id for each in lists]


def _check_predict(body: Predict) -> None:
    if (body.pairs is None) == (body.histories is None):
        raise Problem(422, "pairs: expected pairs, or histories with items", field="pairs")
    if (body.histories is None) != (body.items is None):
        raise Problem(422, "items: expected together with histories, and only there", field="items")


async def _predict_pairs(service: Service, loaded: Loaded, body: Predict) -> tuple[list[Person], asking.Rows]:
    """Pairs of users without feedback in one question, the others user by user."""
    pairs = [(pair.user_id, pair.item_id) for pair in body.pairs or ()]
    asked = list((await service.known(placed([user for user, _ in pairs], "pairs", ".user_id"), loaded)).values())
    own = {person.name for person in asked if person.history is None}
    untouched = [pair for pair in pairs if pair[0] in own]
    rows: dict[Any, dict[str, Any]] = {}
    if untouched:
        frame = await service.worker.call(lambda: loaded.model.predict(untouched, like=body.like))
        rows = {(row["user_id"], row["item_id"]): row for row in frame.to_dicts()}
    for person in asked:
        if person.history is not None:
            items = [item for user, item in pairs if user == person.name]
            for row in await asking.laws(service, loaded, person, items, body.like):
                rows[person.name, row["item_id"]] = row
    return asked, [rows[pair] for pair in pairs]


def _unknown(service: Service, asked: list[Person]) -> int:
    unknown = sum(person.unknown for person in asked)
    service.meters.unknown.inc(unknown)
    return unknown
