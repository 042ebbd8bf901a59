"""What a model loses by compression, at several sizes: the points of the trade-off picture."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from conv4rec.compression.candidates import CompressedPredictor
from conv4rec.compression.compressed import Compressed
from conv4rec.compression.compressor import PassListener
from conv4rec.compression.index import Mode
from conv4rec.config import EvaluateConfig
from conv4rec.embeddings import Embeddings
from conv4rec.evaluation import Validation, evaluate
from conv4rec.metrics.ranking import top_k
from conv4rec.model.predictor import NetworkPredictor
from conv4rec.predictions import Floats, Predictor
from conv4rec.recommender import Conv4Rec
from conv4rec.records import CompressionPoint

NEAREST = 100
"""Items whose neighbourhood is compared."""
RATIOS = (4.0, 6.0, 12.0, 24.0, 48.0)


def trade_off(
    model: Conv4Rec, asked: Validation, ratios: Sequence[float] = RATIOS, *, listener: PassListener | None = None
) -> tuple[CompressionPoint, ...]:
    """A point without compression, then one for each ratio, largest index first.

    Args:
        model: fitted; compressed or not.
        asked: what NDCG is measured on; it decides nothing.
        ratios: see `CompressConfig`.
        listener: hears of the passes over the vectors.
    """
    network, config = model.predictor.network, model.config.compress
    exact = NetworkPredictor(network, model.vocabulary.types)
    decoder, near = network.consumption.decoder, _neighbours(Embeddings(network).items)
    value = _ndcg(exact, asked)
    whole = CompressionPoint(
        bytes_per_item=4.0 * (decoder.shape[1] + 1),
        recall_reconstructed=1.0,
        recall_sparse=1.0,
        ndcg=value,
        ndcg_decoded=value,
    )
    points = [whole]
    for ratio in sorted(ratios):
        compressed = Compressed.of(network, config.model_copy(update={"ratio": ratio, "k": None}), listener)
        points.append(_point(compressed, exact, near, asked, config.candidates))
    return tuple(points)


def _point(
    compressed: Compressed, exact: NetworkPredictor, near: NDArray[np.int32], asked: Validation, n_candidates: int
) -> CompressionPoint:
    index = compressed.decoder
    ranked, decoded = (_ndcg(CompressedPredictor(exact, index, n), asked) for n in (n_candidates, 0))
    return CompressionPoint(
        bytes_per_item=index.n_bytes / len(index),
        recall_reconstructed=_recall(compressed, "reconstructed", near),
        recall_sparse=_recall(compressed, "sparse", near),
        ndcg=ranked,
        ndcg_decoded=decoded,
    )


def _ndcg(predictor: Predictor, asked: Validation) -> float:
    settings = EvaluateConfig(k=(20,), bootstrap=0)
    return evaluate(predictor, asked.history, asked.targets, settings, exclude=asked.excluded).metrics["ndcg@20"]


def _recall(compressed: Compressed, by: Mode, near: NDArray[np.int32]) -> float:
    index = compressed.embeddings
    scores = index.scores(index.codes(), by=by)
    np.fill_diagonal(scores, -np.inf)
    found = top_k(scores, near.shape[1])
    return float(np.mean([len(np.intersect1d(*pair)) for pair in zip(found, near, strict=True)]) / near.shape[1])


def _neighbours(vectors: Floats) -> NDArray[np.int32]:
    """(I, K) the nearest other items of every item, by the vectors themselves."""
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -np.inf)
    return top_k(likeness, min(NEAREST, len(vectors) - 1))
