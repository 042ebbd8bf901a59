"""What makes the generalization bounds small, what that costs, and which of the two is smaller when.

    python -m benchmarks.bounds                    # writes benchmarks/results/bounds.json and bounds-*.png
    python -m benchmarks.bounds --draw             # the pictures alone, from the file

penalties: networks trained with each penalty, on the data named; NDCG and RMSE of the whole law on the test part (of
the network alone too), bounds and measured gaps. users: networks trained on ever more users of ML-1M, each with as many
items as these users have. items: on ever more items, the most popular first, all users. The bounds are those of
`conv4rec bounds`; beside them the number of samples from which each would say something, if the norms stayed.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import vl_convert
from benchmarks.machine import machine

from conv4rec import Conv4Rec, load_parts, load_ratings
from conv4rec.config import Config, override
from conv4rec.data.interactions import Interactions
from conv4rec.data.parts import Parts
from conv4rec.data.ratings import Ratings
from conv4rec.data.split import split
from conv4rec.theory.bounds import Factors, count_bound, norm_bound
from conv4rec.theory.certificate import certify, factors_of, initial_network

FOLDER = Path(__file__).parent / "results"
PENALTIES: tuple[tuple[str, ...], ...] = (
    (),
    ("train.spectral_penalty=0.003",),
    ("train.spectral_penalty=0.03",),
    ("train.spectral_penalty=0.3",),
    ("train.distance_penalty=0.0001",),
    ("train.distance_penalty=0.001",),
    ("train.distance_penalty=0.01",),
    ("train.spectral_penalty=0.03", "train.distance_penalty=0.001"),
)
FEW = tuple(PENALTIES[n] for n in (0, 2, 5, 6))
"""Those that are tried on larger data."""
SMALL = "ml-100k"
SHARES = (0.05, 0.15, 0.4, 1.0)
"""Of users, or of items, in a part of the data."""
SAMPLES = [10.0 ** (power / 4) for power in range(12, 61)]
"""N at which the bounds of fixed weights are drawn."""


def main() -> None:
    """Measure what is asked for, write it down, draw it."""
    words = argparse.ArgumentParser()
    words.add_argument("--draw", action="store_true")
    words.add_argument("--penalties", nargs="*", default=["ml-100k", "ml-1m"])
    words.add_argument("--growth", default="ml-1m")
    words.add_argument("--set", nargs="*", default=[])
    asked = words.parse_args()
    path = FOLDER / "bounds.json"
    if not asked.draw:
        path.write_text(json.dumps(_measure(asked), indent=1) + "\n")
    _draw(json.loads(path.read_text()))


def _measure(asked: argparse.Namespace) -> dict[str, Any]:
    return {
        "command": " ".join(sys.argv),
        "penalties": {
            data: [penalised(data, [*asked.set, *each]) for each in (PENALTIES if data == SMALL else FEW)]
            for data in asked.penalties
        },
        "users": grown(asked.growth, "user_id", asked.set),
        "items": grown(asked.growth, "item_id", asked.set),
        "machine": machine(),
    }


def penalised(data: str, settings: list[str]) -> dict[str, Any]:
    """One network with these settings: figures of the test part, bounds, gaps, and how long the command takes."""
    config = override(Config(), ["evaluate.bootstrap=0", *settings])
    parts = load_parts(data, config)
    model = Conv4Rec(config).fit_split(parts.split, parts.known)
    assert parts.split.test is not None
    metrics = model.evaluate(parts.split.test).metrics
    started = time.perf_counter()
    found = certify(model, parts)
    told = {name: metrics[name] for name in ("ndcg@20", "recall@20", "rmse", "nll")}
    print(data, settings, told, {b.path: (b.by_norm, b.by_count, b.leading) for b in found.bounds}, flush=True)
    seconds = time.perf_counter() - started
    return {"settings": settings, "metrics": told, "certificate": found.to_dict(), "certify_seconds": seconds}


def grown(data: str, column: str, settings: list[str]) -> list[dict[str, Any]]:
    """Networks on growing parts of the data: factors, bounds at their own N, and bounds at other N."""
    ratings = load_ratings(data)
    config = override(Config(), ["evaluate.bootstrap=0", "experts.neighbours=0", "experts.factors=[]", *settings])
    return [_grown(_part(ratings, column, share), config, share) for share in SHARES]


def _grown(ratings: Ratings, config: Config, share: float) -> dict[str, Any]:
    parts = Parts(split(ratings, config.split), ratings)
    model = Conv4Rec(config).fit_split(parts.split, parts.known)
    train = Interactions.from_ratings(parts.split.train, model.vocabulary)
    factors = factors_of(model.predictor.network, initial_network(model), train)
    found = certify(model, parts)
    print(share, len(train), train.n_items, {b.path: (b.by_norm, b.by_count) for b in found.bounds}, flush=True)
    return {
        "share": share,
        "n_users": train.n_users,
        "n_items": train.n_items,
        "n_interactions": len(train),
        "certificate": found.to_dict(),
        "by_samples": {each.path: _by_samples(each) for each in factors},
    }


def _by_samples(factors: Factors) -> list[dict[str, float]]:
    return [{"n": n, "by_norm": norm_bound(factors, n), "by_count": count_bound(factors, n)} for n in SAMPLES]


def _part(ratings: Ratings, column: str, share: float) -> Ratings:
    """A share of the users at random, or of the items, the most popular first."""
    counts = ratings.frame.group_by(column).len().sort(["len", column], descending=[True, False])
    kept = counts.head(round(share * counts.height)) if column == "item_id" else counts.sample(fraction=share, seed=0)
    frame = ratings.frame.join(kept.select(column), on=column, how="semi", maintain_order="left")
    return replace(ratings, frame=frame)


def _draw(result: dict[str, Any]) -> None:
    for name, chart in {"samples": _samples(result), "items": _items(result), "penalties": _trade(result)}.items():
        spec = chart.configure_view(stroke=None).configure(background="white", padding=16).to_dict()
        (FOLDER / f"bounds-{name}.png").write_bytes(vl_convert.vegalite_to_png(spec, scale=2, allowed_base_urls=[]))


def _samples(result: dict[str, Any]) -> Any:
    """Both bounds of the consumption path against N, the weights those of the largest and of the smallest part."""
    rows = [
        {"N": point["n"], "nats": point[key], "bound": told, "weights": f"trained on {each['n_users']:,} users"}
        for each in (result["users"][0], result["users"][-1])
        for point in each["by_samples"]["consumption"]
        for key, told in (("by_norm", "norms"), ("by_count", "parameters"))
    ]
    most = np.log(result["users"][-1]["n_items"])
    base = alt.Chart(alt.InlineData(values=rows)).mark_line(strokeWidth=2)
    lines = base.encode(
        x=alt.X("N:Q", title="N (samples)", scale=alt.Scale(type="log"), axis=alt.Axis(format="~e", tickCount=6)),
        y=alt.Y("nats:Q", title="bound of the gap (nats)", scale=alt.Scale(type="log"), axis=alt.Axis(tickCount=6)),
        color=alt.Color("bound:N", scale=alt.Scale(range=["#4B96F0", "#C38700"])),
        strokeDash=alt.StrokeDash("weights:N", legend=alt.Legend(labelLimit=260)),
    )
    rule = alt.Chart(alt.InlineData(values=[{"nats": most}])).mark_rule(strokeDash=[2, 2]).encode(y="nats:Q")
    return (lines + rule).properties(width=420, height=300, title="Bounds against N; below the dotted line not vacuous")


def _items(result: dict[str, Any]) -> Any:
    """Samples that each bound needs, against the number of items."""
    rows = [
        {"items": each["n_items"], "N": value, "bound": told, "path": path}
        for each in result["items"]
        for path, needed in each["certificate"]["needed"].items()
        for value, told in ((needed["by_norm"], "norms"), (needed["by_count"], "parameters"))
    ]
    base = alt.Chart(alt.InlineData(values=rows)).mark_line(point=True, strokeWidth=2)
    return base.encode(
        x=alt.X("items:Q", title="items (number)", scale=alt.Scale(type="log"), axis=alt.Axis(tickCount=5)),
        y=alt.Y(
            "N:Q",
            title="N from which it is not vacuous",
            scale=alt.Scale(type="log"),
            axis=alt.Axis(format="~e", tickCount=6),
        ),
        color=alt.Color("bound:N", scale=alt.Scale(range=["#4B96F0", "#C38700"])),
        strokeDash=alt.StrokeDash("path:N", legend=alt.Legend(symbolType="stroke")),
    ).properties(width=420, height=300, title="Samples needed, against the number of items")


def _trade(result: dict[str, Any]) -> Any:
    """What a smaller leading term costs in ranking and in error, data by data."""
    rows = [
        {
            "data": data,
            "penalty": ", ".join(word.removeprefix("train.").replace("_penalty=", " ") for word in each["settings"])
            or "none",
            "leading": next(
                b["leading term"]
                for b in each["certificate"]["bounds"]
                if b["path"] == "joint" and b["of"] == "interactions"
            ),
            "NDCG@20": each["metrics"]["ndcg@20"],
            "RMSE": each["metrics"]["rmse"],
        }
        for data, several in result["penalties"].items()
        for each in several
    ]
    charts = []
    for data in result["penalties"]:
        own = [row for row in rows if row["data"] == data]
        for name in ("NDCG@20", "RMSE"):
            x = alt.X("leading:Q", title="leading term of the bound (nats)", scale=alt.Scale(type="log"))
            y = alt.Y(f"{name}:Q", scale=alt.Scale(zero=False))
            base = alt.Chart(alt.InlineData(values=own)).encode(x=x, y=y)
            shade = alt.Color(
                "penalty:N", sort=None, scale=alt.Scale(scheme="tableau10"), legend=alt.Legend(labelLimit=300)
            )
            points = base.mark_point(filled=True, size=110, opacity=1).encode(color=shade)
            charts.append(points.properties(width=380, height=240, title=f"{data}: {name}"))
    return alt.concat(*charts, columns=2)


if __name__ == "__main__":
    main()
