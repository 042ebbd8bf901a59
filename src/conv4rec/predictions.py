"""What a predictor claims for a batch of users, and the one seam where predictors meet."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from conv4rec.data.interactions import Interactions
from conv4rec.errors import QueryError
from conv4rec.vocabulary import InteractionTypes

Floats = NDArray[np.float32] | NDArray[np.float64]


class TypeLaw(Protocol):
    """log p(type | item consumed) for the users of a batch."""

    def pairs(self, rows: NDArray[np.integer], items: NDArray[np.integer]) -> Floats:
        """(N, L) for N pairs of a row of the batch and an item."""
        ...

    def grid(self) -> Floats:
        """(B, I, L) for every user of the batch and every item."""
        ...


@dataclass(frozen=True)
class Predictions:
    """The law of a batch of B users over I items and L interaction types.

    Attributes:
        types: what the last axis of the type law means.
        log_p_consume: (B, I) log-probability that the user's next interaction is with the item; sums to one over items.
        type_law: log-probability of every interaction type, given that the user interacts with the item.

    Source: METHOD.md section 2.
    """

    types: InteractionTypes
    log_p_consume: Floats
    type_law: TypeLaw

    def p_rating(self, rows: NDArray[np.integer], items: NDArray[np.integer]) -> Floats:
        """(N, R) probability of every rating value, given consumption and that a rating is given."""
        return rating_marginal(self.type_law.pairs(rows, items), self.types)

    def p_rating_grid(self) -> Floats:
        """(B, I, R): `p_rating` for every user of the batch and every item."""
        return rating_marginal(self.type_law.grid(), self.types)

    def expected_rating(self, rows: NDArray[np.integer], items: NDArray[np.integer]) -> Floats:
        """(N,) mean of `p_rating`, in the units of the ratings."""
        return expected_rating(self.p_rating(rows, items), self.types)


def rating_marginal(log_p_type: Floats, types: InteractionTypes) -> Floats:
    """(..., L) log p(type | item) to (..., R) p(rating | item, rated); R = 0 gives an empty last axis."""
    if types.n_types == types.n_levels:  # every type is a rating value, in ascending order
        return np.exp(log_p_type)
    members = types.level_members.astype(log_p_type.dtype)
    mass = np.exp(log_p_type - log_p_type.max(axis=-1, keepdims=True)) @ members
    return np.asarray(mass / mass.sum(axis=-1, keepdims=True))


def expected_rating(p_rating: Floats, types: InteractionTypes) -> Floats:
    """(..., R) p_rating to its mean, (...), in the units of the ratings.

    Not by BLAS, which once told of an invalid value among numbers that were all valid.
    """
    return np.asarray(np.einsum("...r,r->...", p_rating, types.rating_values.astype(p_rating.dtype)))


def p_like(p_rating: Floats, types: InteractionTypes, like: float) -> Floats:
    """(..., R) p_rating to the probability of a rating of `like` or more, (...)."""
    return np.asarray(p_rating[..., types.rating_values >= like].sum(axis=-1))


class Predictor(Protocol):
    """Anything that turns the histories of a batch of users into a law: our model, baselines, wrapped peers."""

    @property
    def types(self) -> InteractionTypes: ...

    def predict(self, histories: Interactions) -> Predictions:
        """The law of every user (row) of `histories`, given that history and nothing else about the user."""
        ...


class Best(NamedTuple):
    """The K best items of B users, best first; -1 and -inf where a list runs out."""

    items: NDArray[np.int32]  # (B, K)
    log_p_consume: NDArray[np.float32]  # (B, K)


@runtime_checkable
class Lister(Predictor, Protocol):
    """A predictor that finds the items of highest p_consume without the law of all of them at once."""

    def best(
        self,
        histories: Interactions,
        k: int,
        *,
        without: Interactions | None,
        allowed: NDArray[np.bool_] | None,
        memory_mb: int,
    ) -> Best:
        """The K = min(k, I) best items of every row of `histories`; ties go to the lower index.

        Args:
            histories: (B, I) what the users have taken.
            k: length of the lists, 1 or more.
            without: (B, I) what must not be listed; None for nothing.
            allowed: (I,) the items that may be listed; None for all.
            memory_mb: limit on scoring memory, MiB.
        """
        ...

    def type_law_of(self, histories: Interactions) -> TypeLaw:
        """What `predict` says of the types, for every row of `histories`."""
        ...

    def tells_pairs_alone(self, n_users: int, k: int) -> bool:
        """Whether the type law beside so many lists of length k takes no memory for other items, batch by batch."""
        ...


def users_per_batch(n_items: int, n_types: int, *, memory_mb: int = 512) -> int:
    """How many users fit a scoring budget.

    A user takes about 4 bytes x n_items x (10 + 4 n_types): scores of network and experts, copies for sorting, laws
    of the types. At least one user.
    """
    per_user = 4 * n_items * (10 + 4 * n_types)
    return max(1, memory_mb * 2**20 // per_user)


def default_like(types: InteractionTypes) -> float:
    """The lowest rating in the upper quarter of the scale: 4 of 1-5, 4 of 0.5-5 in halves, 8 of 0-10."""
    low, high = types.rating_values[[0, -1]]
    return float(types.rating_values[types.rating_values >= low + 0.75 * (high - low) - 1e-9][0])


def choose_like(like: float | None, types: InteractionTypes) -> float:
    """The lowest rating that counts as liked: the one given, or `default_like`; 0 where nothing is rated.

    Raises QueryError for one above the scale, which no rating could reach.
    """
    if not types.n_levels:
        return 0.0
    if like is not None and not like <= types.rating_values[-1]:
        raise QueryError(f"like = {like:g}: expected at most {types.rating_values[-1]:g}, the highest rating")
    return default_like(types) if like is None else like
