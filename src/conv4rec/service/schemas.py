"""What may be asked: the bodies of requests. A field that does not exist is an error, here as everywhere."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

IntegerId = Annotated[StrictInt, Field(ge=-(2**63), le=2**63 - 1)]
TextId = Annotated[StrictStr, Field(min_length=1, max_length=256, pattern=r"^[^\x00]+$")]
Id = IntegerId | TextId
"""An id as the model has it: an integer, or a text."""
Name = Annotated[StrictStr, Field(max_length=256, pattern=r"^[^\x00]*$")]
Time = Annotated[StrictInt, Field(ge=0, le=253_402_300_799)]
"""Whole seconds since 1970, until the year 9999."""
MAX_IDS = 100_000


class Body(BaseModel):
    """A body, or a part of one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class Interaction(Body):
    """An item of a posted history."""

    item_id: Id
    """The item. One that the model does not know is left out, and counted in the answer."""
    rating: float | None = None
    """The rating in units of the data; null: not rated."""
    type: Name | None = None
    """The name of the interaction type, where the data have names."""


class Who(Body):
    """Whom a question is about: known users, or posted histories; one of both."""

    users: list[Id] | None = None
    """Known users: of the model, or of the feedback stored since."""
    histories: list[list[Interaction]] | None = None
    """Histories of people whom nothing is stored of; they are called 0, 1, ... in the answer."""


class Recommend(Who):
    """Ask for lists."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"users": [1, 7], "k": 10, "rank_by": "enjoy"},
                {"histories": [[{"item_id": 50, "rating": 5}, {"item_id": 181, "rating": 4}]], "k": 20},
            ]
        }
    )

    k: Annotated[StrictInt, Field(ge=1)] = 10
    """Length of the lists; a user with fewer items left gets a shorter one."""
    rank_by: str = "consume"
    """consume, enjoy, rating, discover, utility or gain."""
    utility: dict[float, float] | None = None
    """For utility and gain: what each rating value is worth."""
    exclude_seen: bool = True
    """Leave out the items of the history."""
    candidates: Annotated[list[Id], Field(max_length=MAX_IDS)] | None = None
    """The only items allowed; null: all."""
    exclude: Annotated[list[Id], Field(max_length=MAX_IDS)] | None = None
    """Items that are not allowed."""
    tags: list[Name] | None = None
    """Only items with any of these tags."""
    without_tags: list[Name] | None = None
    """Only items with none of these tags."""
    diversity: Annotated[float, Field(ge=0, le=1)] = 0.0
    """0: the best items, 1: items as unlike each other as can be (maximal marginal relevance)."""
    like: float | None = None
    """The lowest rating that counts as liked; null: the upper quarter of the scale."""
    record: bool = False
    """Store the lists as shown, for iCTR; for known users, and with a key that may write."""

    def choices(self) -> dict[str, Any]:
        """The arguments of `Conv4Rec.recommend` that were given."""
        mine = {name for name in self.model_fields_set if name not in ("users", "histories", "k", "record")}
        return {name: getattr(self, name) for name in type(self).model_fields if name in mine}


class Pair(Body):
    """A user and an item."""

    user_id: Id
    item_id: Id


class Predict(Body):
    """Ask for the law of pairs, or of some items for posted histories."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"pairs": [{"user_id": 1, "item_id": 50}]},
                {"histories": [[{"item_id": 50, "rating": 5}]], "items": [181, 100]},
            ]
        }
    )

    pairs: list[Pair] | None = None
    """Known users and items."""
    histories: list[list[Interaction]] | None = None
    """Posted histories, each of which is asked for every one of `items`."""
    items: list[Id] | None = None
    """Items, together with `histories`."""
    like: float | None = None
    """The lowest rating that counts as liked."""


class Explain(Who):
    """Ask why: what of the history moved the prediction of an item."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"users": [1], "items": [50], "by": "consume"},
                {"histories": [[{"item_id": 50, "rating": 5}, {"item_id": 100, "rating": 2}]], "items": [181]},
            ]
        }
    )

    items: Annotated[list[Id], Field(min_length=1, max_length=1000)]
    """The items whose predictions are explained."""
    k: Annotated[StrictInt, Field(ge=1, le=10_000)] = 10
    """Most reasons an item."""
    by: str = "consume"
    """What the reasons are sorted by: consume, rating or like."""
    like: float | None = None
    """The lowest rating that counts as liked."""


class Profile(Who):
    """Ask what the model knows of people."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"users": [1]}]})

    like: float | None = None
    """The lowest rating that counts as liked."""


class SimilarUsers(Who):
    """Ask for the known users who are nearest."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"users": [1], "k": 5}]})

    k: Annotated[StrictInt, Field(ge=1, le=10_000)] = 10
    """Most neighbours."""


class FeedbackEvent(Body):
    """Somebody did something."""

    user_id: Id
    item_id: Id
    rating: float | None = None
    """The rating in units of the data; null: not rated."""
    type: Name | None = None
    """The name of the interaction type, where the data have names."""
    timestamp: Time | None = None
    """Seconds since 1970; null: now."""
    key: Annotated[StrictStr, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")] | None = None
    """Makes it safe to send the event again: an event of a key is stored once."""


class Feedback(Body):
    """Events to append, all or none."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"events": [{"user_id": 1, "item_id": 50, "rating": 5, "key": "8d1f6c2e-1"}]}]}
    )

    events: Annotated[list[FeedbackEvent], Field(min_length=1)]
