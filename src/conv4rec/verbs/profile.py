"""Who somebody is to the model: style, segments, neighbours, what is typical, how sure the model is. Source: ours."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from conv4rec.predictions import Predictions
from conv4rec.verbs.familiarity import Familiarity
from conv4rec.verbs.population import percentile
from conv4rec.verbs.style import Styles


@dataclass(frozen=True)
class Style:
    """How somebody rates.

    Attributes:
        n_ratings: how many ratings that is known from.
        mean: their mean.
        generosity: mean of rating less the item's mean rating.
        spread: standard deviation; None for a single rating.
        generosity_percentile: of the population, in percent.
        spread_percentile: the same of the spread.
    """

    n_ratings: int
    mean: float
    generosity: float
    spread: float | None
    generosity_percentile: float
    spread_percentile: float | None

    @classmethod
    def of(cls, styles: Styles, population: Styles) -> "Style | None":
        """The one user of `styles`, None for somebody who has rated nothing."""
        if not styles.n_ratings[0]:
            return None
        mean, generosity, spread = (float(x[0]) for x in (styles.mean, styles.generosity, styles.spread))
        has_spread = not np.isnan(spread)
        return cls(
            int(styles.n_ratings[0]),
            mean,
            generosity,
            spread if has_spread else None,
            percentile(generosity, population.sorted_generosity),
            percentile(spread, population.sorted_spread) if has_spread else None,
        )


@dataclass(frozen=True)
class Uncertainty:
    """How far a law is from being sure.

    Attributes:
        consume_entropy: nats of p_consume.
        effective_items: exp of that: so many equally likely items would be as uncertain.
        rating_entropy: nats of p_rating, mean over what the user would take; None where nothing is rated.
    """

    consume_entropy: float
    effective_items: float
    rating_entropy: float | None

    @classmethod
    def of(cls, predictions: Predictions) -> "Uncertainty":
        """The first row of the predictions."""
        log_p = predictions.log_p_consume[0].astype(np.float64)
        p = np.exp(log_p)
        entropy = float(-(p * log_p).sum())
        if not predictions.types.n_levels:
            return cls(entropy, float(np.exp(entropy)), None)
        each = _entropy(predictions.p_rating_grid()[0].astype(np.float64))
        return cls(entropy, float(np.exp(entropy)), float(p @ each / p.sum()))


@dataclass(frozen=True)
class Profile:
    """What the model knows of a user.

    Attributes:
        user_id: whom it is of; 0 for somebody new.
        n_interactions: length of the history.
        embedding: (D,) the bottleneck of the consumption path.
        style: how they rate; None where they have rated nothing.
        segments: `segment`, `n_items`, `examples` (titles, or ids), `n_interactions`, `share` of the history,
            `population_share`, `lift` (the one over the other, drawn to 1 where the history is thin); where there are
            ratings `p_like` and `population_p_like` (of somebody unknown), means over the segment. Largest first.
        neighbours: `user_id`, `rank`, `similarity`, `n_interactions`, `n_shared`.
        history: the items of the history: `item_id`, `interactions`, `rating`, `p_consume` and `expected_rating`
            when the item is left out, `popularity`, `lift` (log of p_consume over popularity), `unusual`, `title`.
            Most typical first.
        uncertainty: of the law of the next interaction.
        blank: the same of somebody of whom nothing is known.
        familiarity: whether the history is like those that the model has learned from.
    """

    user_id: int | str
    n_interactions: int
    embedding: NDArray[np.floating]
    style: Style | None
    segments: pl.DataFrame
    neighbours: pl.DataFrame
    history: pl.DataFrame
    uncertainty: Uncertainty
    blank: Uncertainty
    familiarity: Familiarity

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        return {
            "user_id": self.user_id,
            "n_interactions": self.n_interactions,
            "embedding": [float(value) for value in self.embedding],
            "style": None if self.style is None else asdict(self.style),
            "segments": self.segments.to_dicts(),
            "neighbours": self.neighbours.to_dicts(),
            "history": self.history.to_dicts(),
            "uncertainty": asdict(self.uncertainty),
            "blank": asdict(self.blank),
            "familiarity": asdict(self.familiarity),
        }


def _entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, R) to (N,) nats."""
    return np.asarray(-(p * np.log(np.maximum(p, np.finfo(np.float64).tiny))).sum(axis=-1))
