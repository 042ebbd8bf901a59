"""What routes share: the service, the caller's role, and whom a question is about."""

from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from conv4rec.errors import Conv4RecError
from conv4rec.service.engine import Service
from conv4rec.service.keys import Role
from conv4rec.service.people import Person, placed, strangers
from conv4rec.service.problems import Problem, as_problem
from conv4rec.service.schemas import Body, Who
from conv4rec.service.shelf import Loaded

BEARER = HTTPBearer(auto_error=False, description="An API key, see `conv4rec key`.")


async def _service(request: Request) -> Service:  # async, as all dependencies: others would each wait for a thread
    found = request.app.state.service
    assert isinstance(found, Service)  # noqa: S101 - create_app puts it there
    return found


TheService = Annotated[Service, Depends(_service)]


def _needs(role: Role) -> Any:
    async def check(request: Request) -> None:
        if request.state.caller.role < role:
            met = request.state.caller.role.name.lower()
            raise Problem(403, f"this needs the role {role.name.lower()}, the key has {met}", field="Authorization")

    return check


READ = [Security(BEARER), Depends(_needs(Role.READ))]
WRITE = [Security(BEARER), Depends(_needs(Role.WRITE))]
ADMIN = [Security(BEARER), Depends(_needs(Role.ADMIN))]


async def people(service: Service, loaded: Loaded, who: Who) -> list[Person]:
    """Those a body is about. Raises Problem 422 for none, both, or too many, 404 for one who is not known."""
    if (who.users is None) == (who.histories is None):
        raise Problem(422, "users: expected users or histories, one of both", field="users")
    field, asked = ("histories", who.histories) if who.users is None else ("users", who.users)
    check_count(len(asked or ()), field, service.settings.users)
    if who.histories is not None:
        return strangers(who.histories, loaded, service.settings.history)
    users = who.users or []
    found = await service.known(placed(users, "users"), loaded)
    return [found[user] for user in users]


def check_count(count: int, field: str, limit: int) -> None:
    """Raise Problem 422 for a number of things, or a length, that is 0 or more than allowed."""
    if not 1 <= count <= limit:
        raise Problem(422, f"{field}: {count}: expected 1 to {limit}", field=field)


def check_rows(rows: int, field: str, service: Service) -> None:
    """Raise Problem 422 for a question whose answer may have more rows than the service allows."""
    limit = service.settings.rows
    if rows > limit:
        raise Problem(422, f"{field}: the answer may have {rows} rows: expected at most {limit}", field=field)


def blamed(error: Conv4RecError, body: Body) -> Problem:
    """The answer to what the model says of a question, with the field of `body` that it is about."""
    return as_problem(error, frozenset(type(body).model_fields))
