"""Inverse learning: training that does not take every sampled item for a negative."""

from conv4rec.denoising.backbones import GMF, MLP, NeuMF
from conv4rec.denoising.consumption import ConsumptionLogit
from conv4rec.denoising.inverse import inverse_dual_loss, inverse_gradient, inverse_weights
from conv4rec.denoising.measures import measure_pairs
from conv4rec.denoising.pairs import Pairs, Unlabelled
from conv4rec.denoising.settings import PairConfig
from conv4rec.denoising.trainer import PairEpoch, PairTraining, fit_pairs, score_pairs
from conv4rec.denoising.watch import CollapseWarning

__all__ = [
    "GMF",
    "MLP",
    "CollapseWarning",
    "ConsumptionLogit",
    "NeuMF",
    "PairConfig",
    "PairEpoch",
    "PairTraining",
    "Pairs",
    "Unlabelled",
    "fit_pairs",
    "inverse_dual_loss",
    "inverse_gradient",
    "inverse_weights",
    "measure_pairs",
    "score_pairs",
]
