"""What is answered: the bodies of successes, as the OpenAPI document shows them."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from conv4rec.model_file import ReliabilityBin


class Answer(BaseModel):
    """A body, or a part of one."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Law(BaseModel):
    """What the model says of a user and an item."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "description": "More: `p_rating_<value>` for every rating value, `p_type_<name>` for types."
        },
    )

    user_id: int | str
    item_id: int | str
    p_consume: float
    expected_rating: float | None = None
    p_like: float | None = None
    title: str | None = None


class Place(Law):
    """An item of a list."""

    rank: int
    score: float


class Lists(Answer):
    """Lists, one after the other."""

    model: str
    """The model that answered."""
    recommendations: list[Place]
    """In the order of the users, then of the ranks."""
    unknown_items: int
    """Interactions of histories that were left out, because the model does not know their items or types."""
    list_ids: list[str] | None
    """For lists that were recorded as shown: their ids, in the order of the users."""


class Predictions(Answer):
    """Laws of pairs."""

    model: str
    predictions: list[Law]
    """In the order of the pairs; for histories, in the order of these, then of the items."""
    unknown_items: int


class Explanations(Answer):
    """Reasons."""

    model: str
    explanations: list[dict[str, Any]]
    """Rows as those of `conv4rec explain --json`."""
    unknown_items: int


class Profiles(Answer):
    """What the model knows of people."""

    model: str
    profiles: list[dict[str, Any]]
    """As those of `conv4rec profile --json`, in the order of the users."""
    unknown_items: int


class SimilarItem(BaseModel):
    """An item like another."""

    model_config = ConfigDict(extra="allow")

    item_id: int | str
    rank: int
    similarity: float


class SimilarItems(Answer):
    """Items like one."""

    model: str
    item_id: int | str
    similar: list[SimilarItem]


class Neighbour(BaseModel):
    """A user like another."""

    model_config = ConfigDict(extra="allow")

    user_id: int | str
    rank: int
    similarity: float


class Neighbours(Answer):
    """Users like each of those asked about."""

    model: str
    similar: list[list[Neighbour]]
    """In the order of the users or histories. Erased users are left out, so that ranks may have gaps."""
    unknown_items: int


class Types(BaseModel):
    """What the model makes of interaction types."""

    model_config = ConfigDict(extra="allow")

    model: str


class Past(Answer):
    """An interaction of a known user."""

    item_id: int | str
    rating: float | None
    type: str | None
    title: str | None
    source: str
    """`model`: known when it was trained; `feedback`: since."""
    timestamp: int | None
    """Seconds since 1970; null for what the model knew, which keeps no times."""


class History(Answer):
    """What is known of a user."""

    model: str
    user_id: int | str
    history: list[Past]


class FoundUser(Answer):
    """A known user."""

    user_id: int | str
    n_interactions: int


class FoundUsers(Answer):
    """Users by the beginning of their ids."""

    model: str
    users: list[FoundUser]
    """The id asked for first, then the shorter ids. Erased users are left out."""


class FoundItem(Answer):
    """An item."""

    item_id: int | str
    title: str | None


class FoundItems(Answer):
    """Items by words of their titles."""

    model: str
    items: list[FoundItem]
    """The best match first."""


class Compared(Answer):
    """What a record says of a model: one recipe, one data set, one seed, one window."""

    model: str
    data: str
    recipe: str
    seed: int
    window: int
    error: str | None
    """Why there are no figures."""
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    reliability_like: list[ReliabilityBin]
    reliability_consume: list[ReliabilityBin]


class Records(Answer):
    """A comparison, from the run folder of the setting `records`."""

    folder: str | None
    """Its name; null where the setting is not given."""
    records: list[Compared]


class Stored(Answer):
    """What became of events."""

    stored: int
    """Events that are in the store now and were not before."""
    known: int
    """Events that had been stored before, under the same keys."""


class Gone(Answer):
    """What was deleted of a user."""

    events: int
    shown: int
    in_model: bool
    """Whether the model still holds the user's history from its training, which is not used again."""


class ModelAbout(Answer):
    """A model file."""

    name: str
    active: bool
    bytes: int
    modified: int
    """Seconds since 1970."""
    data: str | None
    """What it was trained on; null where the file cannot be read."""
    validation: dict[str, float] | None
    """Its figures on the validation data of its training."""
    reliability_like: list[ReliabilityBin] | None
    """Bins of p_like on the same data; empty where it was trained without ratings, or by an earlier version."""
    reliability_consume: list[ReliabilityBin] | None
    """Bins of p_consume."""
    fault: str | None
    """Why the file cannot be read."""


class Switch(Answer):
    """A change of the model that answers."""

    model: str
    timestamp: int


class Kind(Answer):
    """An interaction type."""

    type: str | None
    rating: float | None


class Models(Answer):
    """The models that can be served."""

    active: str
    data: str
    """What the active model was trained on."""
    items: int
    users: int
    validation: dict[str, float]
    """Its figures at training."""
    has_histories: bool
    """Whether it knows users; without, `discover`, `/v1/profile` and `/v1/users/similar` are refused."""
    interaction_types: list[Kind]
    """What may stand in a history, in the order of the model's channels."""
    models: list[ModelAbout]
    switches: list[Switch]
    """The newest first."""
    back_to: str | None
    """The model that a roll-back would let answer."""
    may_switch: bool
    """Whether the key may switch: it has the role admin."""


class Switched(Answer):
    """The model that answers now, and the one before."""

    active: str
    before: str


class Rate(BaseModel):
    """iCTR of the lists of a model and an order."""

    model_config = ConfigDict(extra="forbid")

    model: str
    rank_by: str
    within: float
    shown: int
    taken: int
    ictr: float
    low: float | None
    high: float | None
    unfinished: int


class Rates(Answer):
    """iCTR(d): the share of shown lists of which the user took an item within d seconds."""

    rows: list[Rate]


class Live(Answer):
    """The process runs."""

    live: bool


class Ready(Answer):
    """Whether requests can be answered."""

    ready: bool
    model: str
    store: str
    """`ok`, or why the store cannot be used."""
