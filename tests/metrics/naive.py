"""Every metric of a report as its definition reads: one user, one item, one interaction after the other."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from conv4rec.data.interactions import Interactions
from conv4rec.vocabulary import InteractionTypes

Law = Sequence[Sequence[float]]


@dataclass(frozen=True)
class World:
    """What is known, asked and predicted.

    Attributes:
        types: the interaction types.
        p_consume: (users, items).
        p_type: (users, items, types).
        history: known interactions.
        targets: held-out interactions.
        reference: where items are counted.
        relevant: see EvaluateConfig.
        like: see EvaluateConfig.
    """

    types: InteractionTypes
    p_consume: Law
    p_type: Sequence[Law]
    history: Interactions
    targets: Interactions
    reference: Interactions
    relevant: float | None = None
    like: float | None = None
    ks: Sequence[int] = (1, 2, 5)

    def metrics(self) -> dict[str, float]:
        """All of them; those that are not defined are absent."""
        users = [u for u in range(self.targets.n_users) if pairs(self.targets, u)]
        found: dict[str, float] = {}
        for measure in (self._ranking, self._lists, self._consumption, self._rating):
            found |= measure(users)
        found["nll"] = found["nll_consume"] + found["nll_rating"]
        return found

    def ranked(self, user: int) -> list[int]:
        """All items outside the history, best first."""
        seen = {item for item, _ in pairs(self.history, user)}
        allowed = [item for item in range(self.targets.n_items) if item not in seen]
        return sorted(allowed, key=lambda item: (-self.p_consume[user][item], item))

    def relevant_items(self, user: int) -> set[int]:
        """Held-out items that count, outside the history."""
        seen = {item for item, _ in pairs(self.history, user)}
        return {item for item, channel in pairs(self.targets, user) if self._counts(channel)} - seen

    def _counts(self, channel: int) -> bool:
        rating = self.types.channels[channel].rating
        return self.relevant is None or (rating is not None and rating >= self.relevant)

    def _ranking(self, users: list[int]) -> dict[str, float]:
        values: dict[str, list[float]] = {}
        for user in users:
            relevant, order = self.relevant_items(user), self.ranked(user)
            if not relevant:
                continue
            for k in self.ks:
                for name, value in list_metrics(order[:k], relevant, k).items():
                    values.setdefault(f"{name}@{k}", []).append(value)
            area = pair_share([self.p_consume[user][i] for i in relevant], self._others(user, relevant))
            if area is not None:
                values.setdefault("auc", []).append(area)
        return {name: mean(found) for name, found in values.items()}

    def _others(self, user: int, relevant: set[int]) -> list[float]:
        return [self.p_consume[user][item] for item in self.ranked(user) if item not in relevant]

    def _lists(self, users: list[int]) -> dict[str, float]:
        owners = [
            {u for u in range(self.reference.n_users) if any(i == item for i, _ in pairs(self.reference, u))}
            for item in range(self.targets.n_items)
        ]
        n_users = max(1, self.reference.n_users)
        found: dict[str, float] = {}
        for k in self.ks:
            lists = [self.ranked(user)[:k] for user in users]
            shown = Counter(item for listed in lists for item in listed)
            found[f"coverage@{k}"] = len(shown) / self.targets.n_items
            filled = [listed for listed in lists if listed]
            if filled:
                found[f"gini@{k}"] = gini([shown[item] for item in range(self.targets.n_items)])
                share = [[len(owners[item]) / n_users for item in listed] for listed in filled]
                found[f"popularity@{k}"] = mean([mean(shares) for shares in share])
                bits = [[-math.log2(max(1 / n_users, s)) for s in shares] for shares in share]
                found[f"novelty@{k}"] = mean([mean(each) for each in bits])
            pairs_of = [list(combinations(listed, 2)) for listed in lists if len(listed) > 1]
            if pairs_of:
                distances = [mean([1 - cosine(owners[i], owners[j]) for i, j in each]) for each in pairs_of]
                found[f"diversity@{k}"] = mean(distances)
        return found

    def _consumption(self, users: list[int]) -> dict[str, float]:
        losses, squares = [], []
        predicted: defaultdict[int, float] = defaultdict(float)
        observed: defaultdict[int, int] = defaultdict(int)
        n_items = self.targets.n_items
        for user in users:
            for target, _ in pairs(self.targets, user):
                p = self.p_consume[user]
                losses.append(-math.log(p[target]) if p[target] else math.inf)
                squares.append(sum((p[item] - (item == target)) ** 2 for item in range(n_items)))
                for item in range(n_items):
                    predicted[octave(p[item] * n_items)] += p[item]
                observed[octave(p[target] * n_items)] += 1
        gaps = [abs(observed[b] - predicted[b]) for b in {*predicted, *observed}]
        return {
            "nll_consume": mean(losses),
            "brier_consume": mean(squares),
            "ece_consume": sum(gaps) / len(losses),
        }

    def _rating(self, users: list[int]) -> dict[str, float]:
        losses: list[float] = []
        rows: list[tuple[int, int, float, list[float]]] = []
        for user in users:
            for item, channel in pairs(self.targets, user):
                p = self.p_type[user][item]
                mass = sum(q for q, covered in zip(p, self.types.covers[channel], strict=True) if covered)
                losses.append(-math.log(mass) if mass else math.inf)
                rating = self.types.channels[channel].rating
                if rating is not None:
                    rows.append((user, item, rating, self._rating_law(p)))
        found = {"nll_rating": mean(losses)}
        return found | self._rated(rows) if rows else found

    def _rating_law(self, p: Sequence[float]) -> list[float]:
        mass = [
            sum(q for q, kind in zip(p, self.types.outcomes, strict=True) if kind.rating == value)
            for value in self.types.rating_values
        ]
        return [each / sum(mass) for each in mass]

    def _rated(self, rows: list[tuple[int, int, float, list[float]]]) -> dict[str, float]:
        scale = self.types.rating_values.tolist()
        threshold = self._like(scale)
        errors, scores, right = [], [], []
        likes: list[tuple[float, bool]] = []
        of_user: dict[int, list[tuple[float, int, bool]]] = {}
        for user, item, rating, law in rows:
            errors.append(sum(r * p for r, p in zip(scale, law, strict=True)) - rating)
            gaps = [(sum(law[: level + 1]) - (rating <= scale[level])) ** 2 for level in range(len(scale) - 1)]
            scores.append(mean(gaps) if gaps else 0.0)
            right.append(float(scale[max(range(len(law)), key=lambda level: (law[level], -level))] == rating))
            p = sum(q for r, q in zip(scale, law, strict=True) if r >= threshold)
            likes.append((p, rating >= threshold))
            of_user.setdefault(user, []).append((-p, item, rating >= threshold))
        found = {
            "rmse": math.sqrt(mean([error**2 for error in errors])),
            "mae": mean([abs(error) for error in errors]),
            "rps": mean(scores),
            "accuracy": mean(right),
            "brier_like": mean([(p - liked) ** 2 for p, liked in likes]),
            "ece_like": like_error(likes),
        }
        steps = [(math.floor(65536 * p), liked) for p, liked in likes]  # closer ones count as ties
        area = pair_share([p for p, liked in steps if liked], [p for p, liked in steps if not liked])
        if area is not None:
            found["auc_like"] = area
        orders = [[liked for _, _, liked in sorted(found)] for found in of_user.values()]
        for k in self.ks:
            gains = [list_metrics(list(range(len(o)))[:k], marked(o), k)["ndcg"] for o in orders if any(o)]
            if gains:
                found[f"ndcg_like@{k}"] = mean(gains)
        return found

    def _like(self, scale: list[float]) -> float:
        if self.like is not None:
            return self.like
        return next(value for value in scale if value >= scale[0] + 0.75 * (scale[-1] - scale[0]))


def pairs(interactions: Interactions, user: int) -> list[tuple[int, int]]:
    """Item and channel of every interaction of a user."""
    start, end = interactions.indptr[user : user + 2].tolist()
    return list(zip(interactions.items[start:end].tolist(), interactions.channels[start:end].tolist(), strict=True))


def list_metrics(listed: list[int], relevant: set[int], k: int) -> dict[str, float]:
    """The metrics of one list."""
    ranks = [rank for rank, item in enumerate(listed, start=1) if item in relevant]
    best = min(k, len(relevant))
    return {
        "ndcg": sum(1 / math.log2(r + 1) for r in ranks) / sum(1 / math.log2(r + 1) for r in range(1, best + 1)),
        "recall": len(ranks) / best,
        "precision": len(ranks) / k,
        "map": sum(place / rank for place, rank in enumerate(ranks, start=1)) / best,
        "mrr": 1 / ranks[0] if ranks else 0.0,
        "hit_rate": float(bool(ranks)),
    }


def marked(flags: list[bool]) -> set[int]:
    """The places that are true."""
    return {place for place, flag in enumerate(flags) if flag}


def pair_share(better: Sequence[float], worse: Sequence[float]) -> float | None:
    """Share of pairs in the right order, a tie half; None without pairs."""
    if not better or not worse:
        return None
    return mean([float(b > w) + 0.5 * (b == w) for b in better for w in worse])


def gini(counts: list[int]) -> float:
    """Mean absolute difference of all pairs over twice the mean."""
    n = len(counts)
    return sum(abs(a - b) for a in counts for b in counts) / (2 * n * sum(counts))


def cosine(one: set[int], other: set[int]) -> float:
    """Of two sets; 0 with an empty one."""
    return len(one & other) / math.sqrt(len(one) * len(other)) if one and other else 0.0


def octave(ratio: float) -> int:
    """The bin of p_consume over the uniform probability."""
    return -9 if ratio < 2**-8 else min(12, math.floor(math.log2(ratio)))


def like_error(likes: list[tuple[float, bool]]) -> float:
    """Expected calibration error in twenty bins of equal width."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for p, liked in likes:
        bins.setdefault(min(19, math.floor(20 * p)), []).append((p, liked))
    gaps = [abs(sum(p for p, _ in found) - sum(liked for _, liked in found)) for found in bins.values()]
    return sum(gaps) / len(likes)


def mean(values: Sequence[float]) -> float:
    """Of at least one."""
    return sum(values) / len(values)
