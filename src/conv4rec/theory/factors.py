"""Read a fitted network as the matrices, norms and input lengths that its bounds are made of."""

import math

import numpy as np
from torch import Tensor

from conv4rec.data.interactions import Interactions
from conv4rec.model.batch import Batch
from conv4rec.model.network import ConsumptionPath, Network, RatingPath
from conv4rec.theory.bounds import LOSS_LIPSCHITZ, Factors, Matrix, Offsets
from conv4rec.theory.norms import Array, largest_block, longest_row, spectral_norm, sum_of_columns

LIPSCHITZ = {"tanh": 1.0, "relu": 1.0, "identity": 1.0, "gelu": 1.13}
"""Of the activations; that of GELU is 1.129 at 1.41."""
BATCH = 256
"""Users whose features are held at once."""


def consumption_factors(network: Network, initial: Network, input_norm: float) -> Factors:
    """Convolution, encoder with its bias, decoder; the popularities and the scalar of repeats are offsets.

    The decoder is the last map and has one output an item: its errors count by the largest, so that it enters by its
    longest row and by the Frobenius norm of its distance. Popularities are measured from their middle: adding a number
    to all logits changes no law.
    """
    path, start = network.consumption, initial.consumption
    last, first = _array(path.decoder), _array(start.decoder)
    decoder = Matrix(
        "decoder",
        last.size,
        longest_row(last),
        float(np.linalg.norm(last - first)),
        float(np.linalg.norm(last - first)),
        last.size,
        n_outputs=len(last),
    )
    chain = (_convolution(path, start), _encoder(path, start, network.config.activation), decoder)
    popularity = _array(path.bias)
    offsets = (
        Offsets("popularity", len(popularity), float(np.ptp(popularity)) / 2),
        Offsets("repeat", 1, abs(float(path.repeat.detach()))),
    )
    return Factors("consumption", input_norm, chain, (), offsets, len(last))


def rating_factors(network: Network, initial: Network, lengths: tuple[float, float]) -> Factors:
    """Convolution of types and deviations, encoder, decoder, convolution back; the histogram's matrix stands aside.

    `lengths` are the largest of an input and of a user's shift of the histogram. The item means behind the deviations
    are counted as offsets: they are learned from the same data, though not by gradient.
    """
    path, start = network.rating, initial.rating
    assert path is not None  # noqa: S101 - asked of networks with a rating path only
    assert start is not None  # noqa: S101
    encoder = _encoder(path, start, network.config.activation)
    last, first = _array(path.decoder), _array(start.decoder)  # (I, C, D)
    by_channel = np.linalg.norm((last - first).transpose(1, 0, 2).reshape(last.shape[1], -1), axis=1)
    decoder = Matrix(
        "decoder",
        last.size,
        largest_block(last),
        float(by_channel.sum()),
        float(np.linalg.norm(by_channel)),
        last.size,
    )
    output = _matrix("output convolution", path.output, start.output, spectral=longest_row(_array(path.output).T))
    chain = (_convolution(path, start), encoder, decoder, output)
    histogram = _matrix("histogram", path.histogram, start.histogram)
    downstream = math.prod(m.lipschitz * m.spectral for m in chain[1:])
    deviations = math.sqrt(5) * spectral_norm(_array(path.deviation)) * downstream * LOSS_LIPSCHITZ
    bias = _array(path.bias)
    offsets = (
        Offsets("item histograms", bias.size, float(np.abs(bias - _middle(bias)).max())),
        Offsets("item means", len(bias), float(np.abs(_array(path.item_value)).max()), deviations),
    )
    return Factors("rating", lengths[0], chain, ((histogram, lengths[1]),), offsets, bias.shape[1])


def consumption_input_norm(history: Interactions) -> float:
    """Largest length of x / sqrt(count) over any part of any history: 1 where no triple is repeated."""
    cells = (history.users * history.n_items + history.items) * 256 + history.channels
    return math.sqrt(np.unique(cells, return_counts=True)[1].max(initial=1))


def rating_input_norms(path: RatingPath, history: Interactions) -> tuple[float, float]:
    """Largest length of a user's input (types and two deviations, over sqrt(count)), and of a user's shift."""
    longest = shift = 0.0
    for _, some in history.batches(BATCH):
        batch = Batch.of(some, path.decoder.device)
        lengths, shifts = _rating_inputs(path, batch)
        longest, shift = max(longest, float(lengths.max())), max(shift, float(shifts.max()))
    return longest, shift


def _rating_inputs(path: RatingPath, batch: Batch) -> tuple[Array, Array]:
    """(B,) lengths of inputs and of shifts; what one item contributes in several interactions is added up."""
    features = np.concatenate(
        [np.eye(len(path.value))[batch.channels.cpu().numpy()], _array(path.deviations(batch))], axis=1
    )
    rows, items = batch.rows.cpu().numpy(), batch.items.cpu().numpy()
    cells, places = np.unique(rows * len(path.item_value) + items, return_inverse=True)
    pooled = np.zeros((len(cells), features.shape[1]))
    np.add.at(pooled, places, features)
    squares = np.bincount(cells // len(path.item_value), (pooled**2).sum(1), batch.n_rows)
    shifts = np.linalg.norm(_array(path.encode(batch).shift), axis=1)
    return np.sqrt(squares / np.maximum(batch.counts.cpu().numpy(), 1)), shifts


def _convolution(path: ConsumptionPath | RatingPath, start: ConsumptionPath | RatingPath) -> Matrix:
    """The 1x1 convolution going in: one small matrix, however many items it is applied to."""
    now, then = (_array(each.convolution) for each in (path, start))
    if isinstance(path, RatingPath) and isinstance(start, RatingPath):
        now = np.vstack([now, _array(path.deviation)])
        then = np.vstack([then, _array(start.deviation)])
    return _between("input convolution", now, then, spectral_norm(now))


def _encoder(path: ConsumptionPath | RatingPath, start: ConsumptionPath | RatingPath, activation: str) -> Matrix:
    """The table with the bias as a row of its own; tanh gives out no more than the root of its width."""
    now, then = (_with_bias(each) for each in (path, start))
    found = _between("encoder", now, then, spectral_norm(now))
    cap = math.sqrt(now.shape[1]) if activation == "tanh" else math.inf
    return Matrix(
        found.name,
        found.n_parameters,
        found.spectral,
        found.distance,
        found.frobenius,
        found.dimensions,
        LIPSCHITZ[activation],
        cap,
        constant=True,
    )


def _with_bias(path: ConsumptionPath | RatingPath) -> Array:
    """(I C + 1, D) all rows of the table, and the bias as one more."""
    return np.vstack([_array(path.encoder.table.flatten(0, -2)), _array(path.encoder.bias)[None]])


def _matrix(name: str, now: Tensor, then: Tensor, *, spectral: float | None = None) -> Matrix:
    last, first = _array(now), _array(then)
    return _between(name, last, first, spectral_norm(last) if spectral is None else spectral)


def _between(name: str, now: Array, then: Array, spectral: float) -> Matrix:
    """A matrix (inputs, outputs) and its distance from where it started."""
    moved = now - then
    return Matrix(name, now.size, spectral, sum_of_columns(moved), float(np.linalg.norm(moved)), now.size)


def _middle(values: Array) -> Array:
    """(n, 1) the middle between the least and the largest of every row."""
    return np.asarray((values.max(axis=1, keepdims=True) + values.min(axis=1, keepdims=True)) / 2)


def _array(tensor: Tensor) -> Array:
    return np.asarray(tensor.detach().double().cpu().numpy())
