"""How familiar a history is to the model, and what in it is unusual. In index space. Source: ours."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from conv4rec.data.interactions import Interactions
from conv4rec.verbs.leave_out import Claims, Indices, claims_left_out
from conv4rec.verbs.population import Population, percentile

FEW, ODD, UNUSUAL = 5.0, 1.0, 5.0
"""Percent of the population whose histories count as thin and as odd, and of its interactions that do as unusual."""
Verdict = Literal["usual", "thin", "odd"]


@dataclass(frozen=True)
class Familiarity:
    """How well the model finds what is in a history, and what it makes of that.

    Attributes:
        lift: mean over the items of log p_consume, the item left out of the history, less the log of its popularity:
            nats by which the rest of the history tells more than popularity does.
        percentile: of that among users of the population.
        n_items: different items in the history.
        verdict: `thin` below the 5th percentile of lengths, else `odd` below the 1st of lift, else `usual`.
        rule: the same in a sentence, with the limits.
    """

    lift: float
    percentile: float
    n_items: int
    verdict: Verdict
    rule: str


@dataclass(frozen=True)
class Reading:
    """A history read item by item.

    Attributes:
        items: (M,) its items, each once.
        claims: what is claimed of each, left out of the history, (M,).
        popularity: (M,) share of each in all interactions.
        lift: (M,) log p_consume, left out, less log popularity.
        unusual: (M,) below the 5th percentile of the lifts of items in the population.
    """

    items: Indices
    claims: Claims
    popularity: NDArray[np.float64]
    lift: NDArray[np.float64]
    unusual: NDArray[np.bool_]


def read(history: Interactions, population: Population, *, like: float) -> Reading:
    """Leave out every item of the one row of `history`, in turn."""
    items = np.unique(history.items)
    rows = np.zeros(len(items), dtype=np.int64)
    predictor, memory = population.predictor, population.memory_mb
    found = claims_left_out(predictor, history, rows, items, like=like, memory_mb=memory)
    popularity = population.popularity[items]
    lift = np.asarray(found["consume"] - np.log(popularity), dtype=np.float64)
    return Reading(items, found, popularity, lift, lift < np.percentile(population.reference.lifts, UNUSUAL))


def familiarity(reading: Reading, population: Population) -> Familiarity:
    """The verdict on a history that has been read."""
    lift, n_items = float(reading.lift.mean()), len(reading.items)
    shortest = float(np.percentile(population.histories.counts, FEW))
    lowest = float(np.percentile(population.reference.means, ODD))
    verdict: Verdict = "thin" if n_items < shortest else "odd" if lift < lowest else "usual"
    rule = (
        f"thin: fewer than {shortest:g} items, the {FEW:g}th percentile of the histories in the model; "
        f"odd: mean lift below {lowest:.2f} nats, percentile {ODD:g} of theirs; "
        "more are below of people it has not learned from"
    )
    return Familiarity(lift, percentile(lift, population.reference.means), n_items, verdict, rule)
