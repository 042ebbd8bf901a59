"""Whether the verbs say something that is so, on MovieLens 100K, and what they cost, on MovieLens 1M.

    python -m benchmarks.verbs            # writes benchmarks/results/verbs.json

discover: of held-out ratings whose item is past the 100th place of what the user would take, those of items among the
user's 50 best by each order, against other held-out ratings of about the same p_consume. explain: how far the claim for
a user's first recommendation falls without the five best reasons, and without any five items. familiarity: share of
histories that are flagged, of users that the model has never seen, and of items thrown together. similar: share of
tags that an item has in common with its ten nearest.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from benchmarks.machine import machine

from conv4rec import Conv4Rec, load_parts, load_ratings
from conv4rec.config import Config, override
from conv4rec.data.interactions import Interactions
from conv4rec.data.ratings import Ratings
from conv4rec.data.split import split
from conv4rec.evaluation import Validation
from conv4rec.filters import item_tags
from conv4rec.queries import Query, QueryEngine
from conv4rec.verbs.explain import explain

RESULT = Path(__file__).parent / "results" / "verbs.json"
USUAL, LISTED, OTHERS = 100, 50, 94
"""Places of p_consume that a user comes across, length of the lists, users that are left out of training."""


def main() -> None:
    """Measure everything and write it down."""
    torch.manual_seed(0)
    ratings = load_ratings("ml-100k")
    model = Conv4Rec().fit(ratings)
    result = {
        "command": " ".join(sys.argv),
        "discover": discover(),
        "explain": fidelity(model),
        "familiarity": familiarity(ratings),
        "similar": similar(model),
        "cost": cost(),
        "machine": machine(),
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def discover() -> dict[str, Any]:
    """Figures of every order, by name."""
    config = override(Config(), ["split.test=0.2", "split.validation=0.05"])
    parts = load_parts("ml-100k", config)
    assert parts.split.test is not None
    model = Conv4Rec(config).fit_split(parts.split, parts.known)
    known = Interactions.from_ratings(parts.split.test.history, model.vocabulary)
    engine = QueryEngine(model.predictor, model.vocabulary, model.items, 512, known)
    names = model.vocabulary.users.values

    def lists(k: int, rank_by: str) -> pl.DataFrame:
        found = engine.rank(names, known, Query(k=k, rank_by=rank_by))
        return found.select("user_id", "item_id", "rank", "p_consume", "p_like")

    usual = lists(len(model.vocabulary.items), "consume").rename({"rank": "place"})
    held_out = parts.split.test.targets.frame.join(usual, on=["user_id", "item_id"])
    held_out = held_out.filter(pl.col("place") > USUAL)
    steps = np.quantile(held_out["p_consume"], np.linspace(0, 1, 11)[1:-1])
    held_out = held_out.with_columns(step=np.digitize(held_out["p_consume"], steps))
    counts = parts.split.train.frame.group_by("item_id").agg(pl.len().alias("n"))
    orders = ("consume", "enjoy", "rating", "discover")
    return {name: _order(held_out, lists(LISTED, name), usual, counts) for name in orders}


def _order(held_out: pl.DataFrame, lists: pl.DataFrame, usual: pl.DataFrame, counts: pl.DataFrame) -> dict[str, Any]:
    top = lists.filter(pl.col("rank") <= 10)
    top = top.join(usual.select("user_id", "item_id", "place"), on=["user_id", "item_id"])
    top = top.join(counts, on="item_id", how="left").with_columns(pl.col("n").fill_null(0))
    told: dict[str, Any] = {
        "top10_place_of_consume_median": top["place"].median(),
        "top10_p_like": top["p_like"].mean(),
        "top10_ratings_of_item_median": top["n"].median(),
        "top10_share_with_fewer_than_5_ratings": (top["n"] < 5).mean(),
        "top10_different_items": top["item_id"].n_unique(),
    }
    key = ["user_id", "item_id"]
    listed, others = held_out.join(lists, on=key, how="semi"), held_out.join(lists, on=key, how="anti")
    if listed.height < 10:
        return told | {"held_out": listed.height}
    control = listed.join(others.group_by("step").agg(pl.col("rating").mean().alias("equal")), on="step")
    return told | {
        "held_out": listed.height,
        "rating": listed["rating"].mean(),
        "rating_of_equal_p_consume": control["equal"].mean(),
        "liked": (listed["rating"] >= 4).mean(),
        "p_like": listed["p_like"].mean(),
    }


def fidelity(model: Conv4Rec, n_users: int = 200, n_out: int = 5) -> dict[str, Any]:
    """How far claims fall without the best reasons and without any items, for the three measures."""
    rng, told = np.random.default_rng(0), {}
    known = Interactions.from_ratings(load_ratings("ml-100k"), model.vocabulary)
    users = rng.choice(known.n_users, n_users, replace=False)
    asked = model.recommend(model.vocabulary.users.take(users), 1)
    asked_items = model.vocabulary.items.indices(asked["item_id"])
    for by in ("consume", "rating", "like"):
        falls = [_falls(model, known.select(users[[u]]), asked_items[[u]], by, n_out, rng) for u in range(n_users)]
        reasons, chance = np.array(falls).T
        told[by] = {
            "fall_without_reasons": float(reasons.mean()),
            "fall_without_any": float(chance.mean()),
            "share_of_users_with_the_larger_fall": float((reasons > chance).mean()),
        }
    return told


def _falls(
    model: Conv4Rec, history: Interactions, asked: Any, by: str, n_out: int, rng: np.random.Generator
) -> tuple[float, float]:
    found = explain(model.predictor, history, asked, like=4.0, memory_mb=512)
    reasons = found.items[np.argsort(-found.effects(by)[:, 0])[:n_out]]
    fall = [
        found.whole[by][0] - _claim(model, history.keep(~np.isin(history.items, out)), asked, by)
        for out in (reasons, rng.permutation(found.items)[:n_out])
    ]
    return fall[0], fall[1]


def _claim(model: Conv4Rec, history: Interactions, asked: Any, by: str) -> float:
    law, row = model.predictor.predict(history), np.zeros(1, dtype=np.int64)
    if by == "consume":
        return float(law.log_p_consume[0, asked[0]])
    p_rating = law.p_rating(row, asked)[0]
    return float(law.expected_rating(row, asked)[0] if by == "rating" else p_rating[law.types.rating_values >= 4].sum())


def familiarity(ratings: Ratings) -> dict[str, Any]:
    """Share of each verdict, for several kinds of history; the model is trained without the first kind."""
    rng, users = np.random.default_rng(0), ratings.frame["user_id"].unique().sort()
    out = users.gather(rng.permutation(len(users))[:OTHERS])
    left_out = pl.col("user_id").is_in(out.implode())
    table, config = replace(ratings, frame=ratings.frame.filter(~left_out)), Config()
    parts = split(table, config.split.model_copy(update={"recipe": "random", "test": 0.0}))
    model = Conv4Rec(config).fit_split(parts, table)
    items = model.vocabulary.items.values
    theirs = ratings.frame.filter(left_out & pl.col("item_id").is_in(items.implode()))
    new = [part.select("item_id", "rating") for _, part in theirs.group_by("user_id", maintain_order=True)]
    same = [
        ratings.frame.filter(user_id=user).select("item_id", "rating")
        for user in model.vocabulary.users.values[:OTHERS]
    ]
    half = [pl.concat([part.head(part.height // 2), _thrown(items, part, part.height // 2, rng)]) for part in new]
    kinds = {
        "users of the model": same,
        "users it has never seen": new,
        "half of their items thrown together": half,
        "all items thrown together": [_thrown(items, part, part.height, rng) for part in new],
        "five items of theirs": [part.sample(5, seed=0) for part in new],
    }
    limits = held_out_limits(model, Validation.of(parts.validation, model.vocabulary))
    shares = {name: _verdicts(model, histories, limits) for name, histories in kinds.items()}
    return shares | {"limits_of_held_out_items": limits}


def held_out_limits(model: Conv4Rec, held_out: Validation, least: int = 5) -> dict[str, float]:
    """Percentiles of the mean lift over users of what they took and training never saw, `least` items or more each."""
    counts = np.bincount(np.concatenate([held_out.history.items, held_out.targets.items])) + 1.0
    log_popularity, means = np.log(counts / counts.sum()), []
    for user in np.flatnonzero(held_out.targets.counts >= least):
        row = np.array([user])
        items = held_out.targets.select(row).items
        law = model.predictor.predict(held_out.history.select(row)).log_p_consume[0]
        means.append(float((law[items] - log_popularity[items]).mean()))
    return {f"percentile {percent}": float(np.percentile(means, percent)) for percent in (1, 5)}


def _thrown(items: pl.Series, part: pl.DataFrame, n: int, rng: np.random.Generator) -> pl.DataFrame:
    left = items.filter(~items.is_in(part["item_id"].implode()))
    chosen = left.gather(rng.permutation(len(left))[:n])
    return pl.DataFrame({"item_id": chosen, "rating": rng.integers(1, 6, n).astype(np.float64)})


def _verdicts(model: Conv4Rec, histories: list[pl.DataFrame], limits: dict[str, float]) -> dict[str, float]:
    found = [model.profile_for(history).familiarity for history in histories]
    shares = {name: float(np.mean([one.verdict == name for one in found])) for name in ("usual", "thin", "odd")}
    lifts = np.array([one.lift for one in found])
    below = {f"below {name} of held-out items": float((lifts < limit).mean()) for name, limit in limits.items()}
    return shares | below | {"lift": float(lifts.mean())}


def similar(model: Conv4Rec) -> dict[str, float]:
    """Tags in common (Jaccard) of an item with 20 interactions or more and its ten nearest, and of any two."""
    pairs = item_tags(model.vocabulary, model.items)
    assert pairs is not None
    names = pairs["tag"].unique().sort()
    tags = np.zeros((len(model.vocabulary.items), len(names)))
    tags[pairs["item"].to_numpy(), pairs["tag"].cast(pl.Enum(names)).to_physical().to_numpy()] = 1
    both = tags @ tags.T
    share = both / np.maximum(tags.sum(1)[:, None] + tags.sum(1) - both, 1)
    every = model.similar_items(1, len(tags) - 1)
    asked = every.filter(pl.col("n_interactions") >= 20)["item_id"]
    places = model.vocabulary.items.indices(asked)
    near = [share[place, model.vocabulary.items.indices(model.similar_items(item)["item_id"])].mean()
            for place, item in zip(places, asked, strict=True)]  # fmt: skip
    return {"nearest": float(np.mean(near)), "any": float(share[np.ix_(places, places)].mean())}


def cost() -> dict[str, Any]:
    """Seconds of a call, the median of several; the model has seen one epoch, which does not matter here."""
    model = Conv4Rec(override(Config(), ["train.epochs=1"])).fit("ml-1m")
    counts = model.history_counts()
    users = model.vocabulary.users.values
    longest, middle = users[int(counts.argmax())], users[int(np.argsort(counts)[len(counts) // 2])]
    first, calls = _seconds(lambda: model.profile(middle), 1), _calls(model, middle, longest)
    return {
        "items": len(model.vocabulary.items),
        "middle_history": int(np.median(counts)),
        "longest_history": int(counts.max()),
        "first profile": first,
        **{name: _seconds(call, 7) for name, call in calls.items()},
    }


def _calls(model: Conv4Rec, middle: Any, longest: Any) -> dict[str, Callable[[], object]]:
    return {
        "recommend, consume": lambda: model.recommend([middle], 20),
        "recommend, discover": lambda: model.recommend([middle], 20, rank_by="discover"),
        "recommend, diversity 0.5": lambda: model.recommend([middle], 20, diversity=0.5),
        "explain, middle history": lambda: model.explain(middle, [1, 2, 3]),
        "explain, longest history": lambda: model.explain(longest, [1, 2, 3]),
        "profile, middle history": lambda: model.profile(middle),
        "profile, longest history": lambda: model.profile(longest),
        "similar items": lambda: model.similar_items(1),
        "similar users": lambda: model.similar_users(middle),
    }


def _seconds(call: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return round(float(np.median(taken)), 5)


if __name__ == "__main__":
    main()
