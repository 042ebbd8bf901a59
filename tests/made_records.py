"""Records without a run: several models with all their curves, the same ones every time."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conv4rec.evaluation import Report
from conv4rec.model_file import ReliabilityBin
from conv4rec.records import (
    Budget,
    CompressionPoint,
    Cost,
    Curves,
    Epoch,
    PrecisionRecall,
    RatingShare,
    RecallBeta,
    Record,
    Slice,
    write_record,
)

KS = (5, 10, 20)
RATINGS = (1.0, 2.0, 3.0, 4.0, 5.0)
OBSERVED = (0.056, 0.107, 0.261, 0.349, 0.227)
RANKERS = {"conv4rec": 0.325, "ease": 0.322, "ials": 0.292, "item-knn": 0.271, "popularity": 0.134}
"""NDCG@20 of the models that say what is consumed."""
RATERS = {"conv4rec": 0.8435, "biased-mf": 0.843, "svd": 0.866, "user-item-bias": 0.908}
"""RMSE of the models that say how it is rated."""
MODELS = tuple(sorted({*RANKERS, *RATERS}))
REPLICATES = 200


def make_run(
    run: Path, *, models: Sequence[str] = MODELS, seeds: Sequence[int] = (0,), extra: Sequence[Record] = ()
) -> Path:
    """Write a whole comparison, where there are models with one more that failed."""
    for seed in seeds:
        for model in models:
            record = make_record(model, seed=seed)
            write_record(run, record, Report(record.metrics, record.counts, replicates=_replicates(record)))
        if models:
            write_record(run, failed_record(seed=seed))
    for record in extra:
        write_record(run, record)
    return run


def make_record(model: str, *, seed: int = 0, **fields: Any) -> Record:
    """A complete record; what a model does not claim is absent."""
    rng = np.random.default_rng([seed, *model.encode()])
    ndcg, rmse = RANKERS.get(model), RATERS.get(model)
    metrics = _metrics(ndcg, rmse, rng)
    trained = model == "conv4rec"
    made: dict[str, Any] = {
        "model": model,
        "data": "ml-1m",
        "recipe": "random",
        "seed": seed,
        "params": {"regularisation": 800.0} if model == "ease" else {},
        "budget": Budget(trials=20, seconds=81.5, limit_trials=20, monitor="ndcg@20", value=0.31, default=0.29)
        if model == "ease"
        else None,
        "split": f"random: 80 % train, 10 % validation, 10 % test of 1,000,209 interactions, seed {seed}",
        "test_fingerprint": f"test-{seed}",
        "notes": _notes(ndcg, rmse),
        "warnings": ("leak: 799,982 of 800,167 train interactions (100.0%) are later than the first test interaction",),
        "counts": {"users": 6_034, "interactions": 100_021},
        "metrics": metrics,
        "intervals": {name: (value * 0.985, value * 1.015) for name, value in metrics.items()},
        "cost": _cost(model, rng),
        "epochs": tuple(_epoch(n, rng) for n in range(1, 31)) if trained else (),
        "best_epoch": 24 if trained else None,
        "curves": _curves(ndcg, rmse, rng),
        "slices": tuple(_slices(metrics)),
    }
    return Record(**(made | fields))


def failed_record(model: str = "bpr", *, seed: int = 0) -> Record:
    """A model that has no figures, and says why."""
    why = "MissingExtraError: bpr needs implicit: pip install 'conv4rec[peers]'"
    return Record(model=model, data="ml-1m", recipe="random", seed=seed, error=why)


def _replicates(record: Record) -> dict[str, NDArray[np.float64]]:
    """All models move together with the users drawn, and a little for themselves."""
    common = np.random.default_rng(record.seed).normal(size=REPLICATES)
    own = np.random.default_rng([*record.model.encode()]).normal(size=REPLICATES)
    return {name: value * (1 + 0.007 * common + 0.002 * own) for name, value in record.metrics.items()}


def _notes(ndcg: float | None, rmse: float | None) -> tuple[str, ...]:
    notes = ["recipe random: 80 % train, 10 % validation, 10 % test, each interaction for itself"]
    if ndcg is not None:
        notes.append(
            "ranking metrics: mean over 6034 users, whole catalogue; relevant: every held-out item not in the "
            "history; recall@k and map@k divide by min(k, relevant items), precision@k by k"
        )
    if rmse is not None:
        notes.append("rmse, mae, rps, accuracy, brier_like, ece_like: mean over 100021 rated interactions")
    return tuple(notes)


def _metrics(ndcg: float | None, rmse: float | None, rng: np.random.Generator) -> dict[str, float]:
    found: dict[str, float] = {}
    if ndcg is not None:
        for k in KS:
            found |= {f"ndcg@{k}": ndcg * (1 + (20 - k) / 100), f"recall@{k}": ndcg * (1.1 - (20 - k) / 100)}
            found |= {f"coverage@{k}": 0.2 + ndcg * k / 20, f"gini@{k}": 0.95 - ndcg, f"novelty@{k}": 2 + 5 * ndcg}
        found |= {"nll_consume": 7.2 - 2 * ndcg, "ece_consume": 0.02 + float(rng.random()) / 10}
    if rmse is not None:
        found |= {"rmse": rmse, "mae": rmse * 0.78, "nll_rating": 0.45 + rmse, "accuracy": 0.85 - rmse / 2}
        found |= {"ece_like": 0.005 + float(rng.random()) / 20, "auc_like": 1.6 - rmse}
    if ndcg is not None and rmse is not None:
        found["nll"] = found["nll_consume"] + found["nll_rating"]
    return found


def _cost(model: str, rng: np.random.Generator) -> Cost:
    return Cost(
        fit_seconds={"conv4rec": 240.0, "popularity": 0.004}.get(model, float(rng.uniform(1, 30))),
        users_per_second=float(rng.uniform(500, 9_000)),
        peak_memory_bytes=int(rng.uniform(4e8, 3e9)),
        model_bytes=int(10 ** rng.uniform(4.5, 8)),
    )


def _epoch(number: int, rng: np.random.Generator) -> Epoch:
    fall = math.exp(-number / 8)
    noise = float(rng.normal()) * 0.002
    rise = 0.325 - 0.1 * fall - 0.0004 * max(0, number - 24) + noise
    validation = {"ndcg@20": rise, "recall@20": rise * 1.1, "rmse": 0.845 + 0.1 * fall + noise, "nll": 7.6 + fall}
    return Epoch(
        number=number, loss_consume=6.3 + fall, loss_rating=1.2 + 0.3 * fall, validation=validation, seconds=8.0
    )


def _curves(ndcg: float | None, rmse: float | None, rng: np.random.Generator) -> Curves:
    consume = {} if ndcg is None else _consume_curves(ndcg, rng)
    compression = {} if ndcg is None or rmse is None else {"compression": _compression(ndcg)}
    return Curves(**(consume | ({} if rmse is None else _rating_curves(rmse, rng)) | compression))


def _compression(ndcg: float) -> list[CompressionPoint]:
    """Without compression, then at 6, 12, 24 and 48 times fewer bytes."""
    sizes = (1028.0, 168.0, 84.0, 40.0, 20.0)
    losses = (0.0, 0.2, 0.25, 0.35, 0.5)
    return [
        CompressionPoint(
            bytes_per_item=size,
            recall_reconstructed=1 - loss,
            recall_sparse=1 - 1.3 * loss,
            ndcg=ndcg * (1 - loss**6),
            ndcg_decoded=ndcg * (1 - loss / 5),
        )
        for size, loss in zip(sizes, losses, strict=True)
    ]


def _consume_curves(ndcg: float, rng: np.random.Generator) -> dict[str, Any]:
    curve = [PrecisionRecall(k=k, precision=ndcg * k**-0.35, recall=ndcg * k**0.65 / 20) for k in range(1, 21)]
    probabilities = 2.0 ** np.arange(-8, 10) / 3_706
    tilt = float(rng.uniform(0.85, 1.15))
    observed = [0.0, *(probabilities[1:] ** tilt * 3_706 ** (tilt - 1)).tolist()]
    mass = rng.dirichlet(np.linspace(0.5, 4, len(observed))).tolist()
    grid = [(k, step / 10, aware) for k in (10, 20) for aware in (True, False) for step in range(11)]
    return {
        "precision_recall": tuple(curve),
        "reliability_consume": tuple(
            ReliabilityBin(predicted=p, observed=o, weight=w)
            for p, o, w in zip(probabilities.tolist(), observed, mass, strict=True)
        ),
        "recall_beta": tuple(
            RecallBeta(
                k=k, beta=b, time_aware=t, value=k / 40 * ndcg * math.exp(-b * (1 - ndcg) * 3) * (0.8 if t else 1)
            )
            for k, b, t in grid
        ),
    }


def _rating_curves(rmse: float, rng: np.random.Generator) -> dict[str, Any]:
    centres = (np.arange(20) + 0.5) / 20
    seen = np.clip(centres + (rmse - 0.8) * np.sin(2 * np.pi * centres) + rng.normal(size=20) * 0.01, 0, 1)
    weight = rng.dirichlet(np.full(20, 8.0))
    hedged = np.array(OBSERVED) ** (1.6 - rmse)
    return {
        "reliability_like": tuple(
            ReliabilityBin(predicted=p, observed=o, weight=w)
            for p, o, w in zip(centres.tolist(), seen.tolist(), weight.tolist(), strict=True)
        ),
        "ratings": tuple(
            RatingShare(rating=r, predicted=p, observed=o)
            for r, p, o in zip(RATINGS, (hedged / hedged.sum()).tolist(), OBSERVED, strict=True)
        ),
    }


def _slices(metrics: dict[str, float]) -> list[Slice]:
    thirds = {
        "popularity": ("least popular third (0 to 47 interactions)", "middle third", "most popular third"),
        "history": ("shortest histories (16 to 44 interactions)", "middle third", "longest histories"),
    }
    return [
        Slice(
            by=by,  # type: ignore[arg-type]  # the two keys above
            label=label,
            metrics={
                name: value * (0.85 + 0.15 * n) if name.startswith("ndcg") else value * (1.1 - 0.06 * n)
                for name, value in metrics.items()
                if name in ("rmse", "nll_rating", "ndcg@20")
            },
            counts={"users": 2_000, "interactions": 30_000 + n},
        )
        for by, labels in thirds.items()
        for n, label in enumerate(labels)
    ]
