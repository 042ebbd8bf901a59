"""Vectors become codes of k entries that stand for nearly the same directions."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from conv4rec.compression.autoencoder import Autoencoder, Schedule, Trainer, cosine_loss, first_atoms, unit
from conv4rec.compression.compressor import HEADER, Compressor, entries_for
from conv4rec.compression.index import SparseIndex
from conv4rec.config import CompressConfig
from conv4rec.errors import ConfigError, DataError, ModelFileError, NotFittedError, QueryError, TrainingError

Vectors = NDArray[np.float32]


def cosines(one: Any, other: Any) -> NDArray[np.float64]:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((one * other).sum(axis=1) / lengths)


def test_codes_stand_for_the_vectors(compressor: Compressor, vectors: Vectors) -> None:
    codes = compressor.encode(vectors)
    assert (codes.shape, codes.dtype.name) == ((600, 80), "float32")
    assert np.diff(codes.indptr).tolist() == [6] * 600
    fresh = Compressor(width=80, k=6, epochs=1, batch_size=600, learning_rate=1e-9).fit(vectors)
    at_first = cosines(fresh.decode(fresh.encode(vectors)), vectors).mean()
    assert cosines(compressor.decode(codes), vectors).mean() > 0.93 > at_first + 0.05


def test_the_code_is_that_of_the_equation(compressor: Compressor, vectors: Vectors) -> None:
    network = compressor._fitted
    entries = vectors / np.linalg.norm(vectors, axis=1, keepdims=True) @ network.encoder.detach().numpy().T
    entries += network.bias.detach().numpy()
    codes = compressor.encode(vectors).toarray()
    for row in (0, 7, 599):
        largest = np.argsort(-np.abs(entries[row]))[:6]
        assert sorted(largest) == np.flatnonzero(codes[row]).tolist()
        assert codes[row, largest] == pytest.approx(entries[row, largest], abs=1e-5)
    assert (codes < 0).any()


def test_only_the_direction_counts(compressor: Compressor, vectors: Vectors) -> None:
    longer, codes = compressor.encode(vectors * 8), compressor.encode(vectors)
    assert longer.toarray() == pytest.approx(codes.toarray(), abs=1e-5)
    assert np.linalg.norm(compressor.atoms, axis=1) == pytest.approx(np.ones(80), abs=1e-5)


def test_a_zero_vector_has_an_empty_code(compressor: Compressor, vectors: Vectors) -> None:
    some = vectors[:3].copy()
    some[1] = 0
    codes = compressor.encode(some)
    assert np.diff(codes.indptr).tolist() == [6, 0, 6]
    index = SparseIndex(compressor.atoms)
    index.add(codes)
    assert index.search(codes[1:2], 3, by="sparse").scores.tolist() == [[0.0, 0.0, 0.0]]
    with_zeros = np.concatenate([vectors, np.zeros_like(vectors[:50])])
    again = Compressor(width=80, k=6, epochs=2, batch_size=64).fit(with_zeros)
    assert all(np.isfinite(each.loss) for each in again.passes)


def test_a_zero_vector_costs_one_and_pulls_nowhere() -> None:
    x = torch.zeros(1, 3, requires_grad=True)
    loss = cosine_loss(x, torch.zeros(1, 3))
    torch.autograd.backward(loss.sum())
    assert loss.tolist() == [1.0]
    assert x.grad is not None
    assert x.grad.tolist() == [[0.0, 0.0, 0.0]]
    assert unit(torch.zeros(1, 3)).tolist() == [[0.0, 0.0, 0.0]]


def test_both_terms_of_the_loss_by_hand() -> None:
    network = Autoencoder(torch.eye(8))
    x = unit(torch.tensor([[4.0, -3.0, 2.0, 1.0, 0.5, 0.0, 0.0, 0.0]]))
    values = x[0].numpy()
    loss, atoms = network.loss(x, 1, 0.125)
    first = 1 - abs(values[0])  # cosine of x with its largest entry alone
    second = 1 - np.linalg.norm(values[:4])
    assert float(loss.detach()) == pytest.approx(first + 0.125 * second, abs=1e-6)
    assert atoms.tolist() == [[0]]


def test_the_wider_code_has_no_more_entries_than_atoms() -> None:
    loss = Autoencoder(torch.eye(3)).loss(unit(torch.ones(2, 3)), 2, 1.0)[0].detach()
    assert float(loss.detach()) == pytest.approx(2 * (1 - np.sqrt(2 / 3)), abs=1e-5)


def test_atoms_keep_their_length_in_training(vectors: Vectors) -> None:
    x = unit(torch.from_numpy(vectors))
    network = Autoencoder(first_atoms(x, 50, torch.Generator().manual_seed(0)))
    shown = Trainer(network, CompressConfig(), 4, Schedule(3, 100, 0.1)).run(x, 1)
    assert network.atoms.norm(dim=1).tolist() == pytest.approx([1.0] * 50, abs=1e-5)
    assert 0 <= shown.dead < 50


def test_dead_atoms_are_counted_and_told(vectors: Vectors) -> None:
    heard: list[tuple[int, int, str]] = []

    class Listener:
        def on_pass(self, number: int, of: int, figures: str) -> None:
            heard.append((number, of, figures))

    one = np.repeat(vectors[:1], 20, axis=0)  # a single direction needs two atoms
    compressor = Compressor(width=30, k=2, epochs=2, learning_rate=1e-6).fit(one, listener=Listener())
    assert compressor.n_dead == 28
    assert [(number, of) for number, of, _ in heard] == [(1, 2), (2, 2)]
    assert heard[1][2] == f"loss {compressor.passes[1].loss:.3f}; dead atoms 28"


def test_the_same_seed_gives_the_same_codes(vectors: Vectors) -> None:
    settings: dict[str, Any] = {"width": 40, "k": 4, "epochs": 2, "device": "cpu"}
    one, same, other = (Compressor(**settings, seed=seed).fit(vectors).encode(vectors) for seed in (1, 1, 2))
    assert_array_equal(one.toarray(), same.toarray())
    assert (one.toarray() != other.toarray()).any()


def test_width_and_k_follow_from_the_data(vectors: Vectors) -> None:
    compressor = Compressor(ratio=2, epochs=1).fit(vectors)
    assert (compressor.width, compressor.config.k, compressor.config.batch_size) == (300, 13, 64)
    index = SparseIndex(compressor.atoms)
    index.add(compressor.encode(vectors))
    per_code = index.n_bytes - 4 * (compressor.width + 1) - len(vectors)
    assert per_code <= len(vectors) * (3 * 13 + 8) <= vectors.nbytes / 2  # an entry that rounds to nothing takes none
    assert [entries_for(12, 768), entries_for(12, 256), entries_for(1000, 4)] == [82, 25, 1]


def test_it_comes_back_from_its_file(compressor: Compressor, vectors: Vectors, tmp_path: Path) -> None:
    loaded = Compressor.load(compressor.save(tmp_path / "c"), device="cpu")
    assert (loaded.config, loaded.passes, loaded.n_dead) == (compressor.config, compressor.passes, compressor.n_dead)
    assert_array_equal(loaded.encode(vectors).toarray(), compressor.encode(vectors).toarray())


@pytest.mark.parametrize(
    ("n_vectors", "settings", "expected"),
    [
        (600, {}, (8, 64, 4e-4)),
        (3706, {}, (8, 308, 4e-4)),
        (50_000, {}, (3, 512, 9.88e-4)),
        (1_000_000, {}, (1, 512, 1e-3)),
        (600, {"width": 4096}, (8, 64, 4e-4)),
        (50_000, {"epochs": 9, "batch_size": 100, "learning_rate": 0.1}, (9, 100, 0.1)),
    ],
)
def test_the_schedule_follows_from_the_number_of_vectors(n_vectors: int, settings: Any, expected: Any) -> None:
    config, schedule = Compressor(**settings)._settled(n_vectors, 256)
    assert schedule == pytest.approx(expected, rel=1e-3)
    assert (config.epochs, config.batch_size, config.learning_rate) == schedule


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_gives_about_the_same(vectors: Vectors) -> None:
    settings: dict[str, Any] = {"width": 80, "k": 6, "epochs": 10, "batch_size": 64, "learning_rate": 0.01}
    losses = [Compressor(**settings, device=device).fit(vectors).passes[-1].loss for device in ("cpu", "cuda")]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


def rewrite(path: Path, *, header: dict[str, Any] | None = None, tensors: dict[str, Any] | None = None) -> None:
    """Write the file again with parts of it changed."""
    with safe_open(path, framework="numpy") as file:
        manifest = json.loads(file.metadata()[HEADER])
        values = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(values | (tensors or {}), path, metadata={HEADER: json.dumps(manifest | (header or {}))})


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"schema_version": 2}, "schema version 2, this conv4rec reads version 1; install a newer conv4rec or fit"),
        ({"schema_version": 0}, "schema version 0, this conv4rec reads version 1; fit again"),
        ({"passes": [["x"]]}, r"the manifest is damaged: passes\.0\.0"),
        ({"sha256": {}}, "the manifest and the tensors do not agree on atoms, bias, encoder"),
        ({"config": {"k": 99, "width": 80}}, "the parts of the compressor do not fit together"),
    ],
)
def test_a_file_that_does_not_fit(compressor: Compressor, tmp_path: Path, header: dict[str, Any], message: str) -> None:
    path = compressor.save(tmp_path / "c")
    rewrite(path, header=header)
    with pytest.raises(ModelFileError, match=message):
        Compressor.load(path)


def test_damaged_and_foreign_files(compressor: Compressor, tmp_path: Path) -> None:
    path = compressor.save(tmp_path / "c")
    rewrite(path, tensors={"bias": np.ones(80, np.float32)})
    with pytest.raises(ModelFileError, match="damaged: tensor bias does not have the hash of the manifest"):
        Compressor.load(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ModelFileError, match="not a conv4rec compressor, or cut short"):
        Compressor.load(path)
    with pytest.raises(ModelFileError, match="cannot be read: No such file"):
        Compressor.load(tmp_path / "none")


def test_refusals(compressor: Compressor, vectors: Vectors) -> None:
    with pytest.raises(NotFittedError, match=r"not fitted: call fit\(vectors\)"):
        Compressor().encode(vectors)
    with pytest.raises(ConfigError, match=r"setting compress\.k: .*greater than or equal to 1; got 0"):
        Compressor(k=0)
    with pytest.raises(DataError, match=r"of shape \(24,\), expected a matrix"):
        Compressor().fit(vectors[0])
    with pytest.raises(DataError, match="row 1 has an entry that is not a finite number"):
        Compressor().fit([[1.0, 2.0], [np.nan, 0.0]])
    with pytest.raises(DataError, match="all of them are zero"):
        Compressor().fit(np.zeros((3, 2)))
    with pytest.raises(DataError, match="vectors: 3 wide, this compressor learned from 24"):
        compressor.encode(np.ones((1, 3)))
    with pytest.raises(QueryError, match=r"codes: of shape \(1, 3\), expected a scipy sparse matrix with 80 columns"):
        compressor.decode(sp.csr_array((1, 3)))
    with pytest.raises(TrainingError, match="compression, pass 1: the loss is nan; try shorter steps"):
        Compressor(width=80, k=6, epochs=1, batch_size=8, learning_rate=1e30).fit(vectors)
