"""A thin client of the service: `conv4rec.client.Client(url, key).recommend(users=[1])`."""

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from conv4rec.errors import MissingExtraError, ServiceError

try:
    import httpx
except ImportError:
    raise MissingExtraError("the client needs httpx: pip install 'conv4rec[serve]'") from None

Id = int | str
Json = dict[str, Any]
SWITCH = 600.0
"""Seconds to wait for a model to be read."""
History = Mapping[Any, float | None] | Sequence[Mapping[str, Any]]
"""`{item_id: rating}` (None: not rated), or interactions as the service takes them."""


class Client:
    """Asks a service. Every method returns the JSON of the answer, or raises ServiceError.

    Example:
        with Client("http://localhost:8000", key) as service:
            service.recommend(histories=[{50: 5, 181: 4}], k=10)["recommendations"]
    """

    def __init__(self, url: str, key: str | None = None, *, timeout: float = 60.0) -> None:
        """Talk to the service at `url` with an API key; `timeout` is in seconds, for each step of a request."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def recommend(
        self, *, users: Sequence[Id] | None = None, histories: Iterable[History] | None = None, **choices: Any
    ) -> Json:
        """Lists for known users or for histories; `choices` are k, rank_by, ... as in `POST /v1/recommend`."""
        return self._post("/v1/recommend", _who(users, histories) | choices)

    def predict(
        self,
        pairs: Iterable[tuple[Id, Id]] | None = None,
        *,
        histories: Iterable[History] | None = None,
        items: Sequence[Id] | None = None,
        like: float | None = None,
    ) -> Json:
        """The law of pairs of a user and an item, or of `items` for each of `histories`."""
        named = None if pairs is None else [{"user_id": user, "item_id": item} for user, item in pairs]
        about = {"pairs": named, "items": None if items is None else list(items), "like": like}
        return self._post("/v1/predict", _who(None, histories) | _given(about))

    def explain(
        self,
        items: Sequence[Id],
        *,
        users: Sequence[Id] | None = None,
        histories: Iterable[History] | None = None,
        **choices: Any,
    ) -> Json:
        """What of a history moved the predictions of `items`; `choices` are k, by and like."""
        return self._post("/v1/explain", _who(users, histories) | {"items": list(items)} | choices)

    def profile(
        self,
        *,
        users: Sequence[Id] | None = None,
        histories: Iterable[History] | None = None,
        like: float | None = None,
    ) -> Json:
        """What the model knows of people."""
        return self._post("/v1/profile", _who(users, histories) | _given({"like": like}))

    def similar_items(self, item_id: Id, k: int = 10) -> Json:
        """The items nearest to one."""
        return self._ask("GET", f"/v1/items/{_quoted(item_id)}/similar", params={"k": k})

    def similar_users(
        self, *, users: Sequence[Id] | None = None, histories: Iterable[History] | None = None, k: int = 10
    ) -> Json:
        """The known users nearest to people."""
        return self._post("/v1/users/similar", _who(users, histories) | {"k": k})

    def interaction_types(self) -> Json:
        """Which interaction types the model treats alike."""
        return self._ask("GET", "/v1/types")

    def feedback(self, events: Iterable[Mapping[str, Any]]) -> Json:
        """Append events, all or none; one with a `key` may be sent again without being stored twice."""
        return self._post("/v1/feedback", {"events": [dict(event) for event in events]})

    def history(self, user_id: Id) -> Json:
        """What is known of a user."""
        return self._ask("GET", f"/v1/users/{_quoted(user_id)}/history")

    def erase(self, user_id: Id) -> Json:
        """Delete all that is stored of a user."""
        return self._ask("DELETE", f"/v1/users/{_quoted(user_id)}")

    def ictr(self, within: Sequence[float] | None = None, *, since: int = 0) -> Json:
        """Share of shown lists of which an item was taken within so many seconds."""
        return self._ask("GET", "/v1/ictr", params={"since": since} | _given({"within": within}))

    def models(self) -> Json:
        """The models that can be served."""
        return self._ask("GET", "/v1/models")

    def activate(self, name: str) -> Json:
        """Let another model answer."""
        return self._ask("POST", f"/v1/models/{_quoted(name)}/activate", timeout=SWITCH)

    def roll_back(self) -> Json:
        """Let the model answer again that answered before."""
        return self._ask("POST", "/v1/models/rollback", timeout=SWITCH)

    def ready(self) -> bool:
        """Whether the service can answer."""
        try:
            return bool(self._ask("GET", "/health/ready")["ready"])
        except ServiceError:
            return False

    def _post(self, path: str, body: Json) -> Json:
        return self._ask("POST", path, json=body)

    def _ask(self, method: str, path: str, **parts: Any) -> Json:
        try:
            answer = self._http.request(method, path, **parts)
        except httpx.HTTPError as error:
            raise ServiceError(f"{method} {path}: no answer: {type(error).__name__}") from None
        if answer.is_success:
            return dict(answer.json())
        raise _refused(answer)


def _refused(answer: "httpx.Response") -> ServiceError:
    try:
        told = answer.json()["error"]
        return ServiceError(
            told["reason"], status=answer.status_code, field=told["field"], request_id=told["request_id"]
        )
    except (ValueError, KeyError, TypeError):
        return ServiceError(f"the answer has status {answer.status_code} and no reason", status=answer.status_code)


def _who(users: Sequence[Id] | None, histories: Iterable[History] | None) -> Json:
    told = None if histories is None else [_interactions(history) for history in histories]
    return _given({"users": None if users is None else list(users), "histories": told})


def _interactions(history: History) -> list[Json]:
    if isinstance(history, Mapping):
        return [{"item_id": item, "rating": rating} for item, rating in history.items()]
    return [dict(each) for each in history]


def _given(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


def _quoted(name: Id) -> str:
    return quote(str(name), safe="")
