"""Compressor: vectors in, sparse codes out, and back."""

import math
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from conv4rec.compression.autoencoder import Autoencoder, Pass, Schedule, Trainer, first_atoms, unit
from conv4rec.compression.codes import Codes, check_codes
from conv4rec.config import CompressConfig, make_section
from conv4rec.errors import DataError, ModelFileError, NotFittedError, TrainingError
from conv4rec.tensor_file import Tensors, all_tensors, hashes_of, opened, read_manifest, verify, write_tensors
from conv4rec.training import choose_device

HEADER = "conv4rec_compressor"
WHAT = "a conv4rec compressor"
BYTES_AN_ENTRY, BYTES_A_CODE = 3, 8
"""Of an index: two bytes for the number of the code and one for the value; norms for both modes."""
PER_BATCH = 8192
"""Vectors encoded at a time."""
PER_ATOM = 2
"""Vectors there are for every atom, at least, where the width is not given: atoms take memory too."""
MOST_ATOMS = 4096
"""Atoms, where the width is not given."""
PASSES, BATCHES = 8, 300
"""Passes over few vectors, and batches over many, where the number of passes is not given."""
SHORTEST, LONGEST = 4e-4, 1e-3
"""Step sizes where they are not given: for PER_ATOM vectors an atom, and for many."""


class PassListener(Protocol):
    """Hears of every pass over the vectors."""

    def on_pass(self, number: int, of: int, figures: str) -> None:
        """After pass `number` of so many; `figures` in words."""
        ...


class Compressor:
    """CompresSAE: a vector as the k atoms that make it up best, with their weights. Only its direction is kept.

    Example:
        compressor = Compressor(width=4096, k=32).fit(vectors)
        codes = compressor.encode(vectors)
    """

    def __init__(self, width: int | None = None, k: int | None = None, **settings: Any) -> None:
        """Take the fields of `CompressConfig`; one that it does not have, or cannot be, raises ConfigError."""
        self.config = make_section(CompressConfig, {"width": width, "k": k} | settings, "compress")
        self.passes: tuple[Pass, ...] = ()
        self._network: Autoencoder | None = None

    def fit(self, vectors: Any, *, listener: PassListener | None = None) -> "Compressor":
        """Learn atoms from (N, d) vectors.

        Raises:
            DataError: not a matrix of finite numbers, or one in which every vector is zero.
            TrainingError: the loss is not a number: the steps are too long.
        """
        x = unit(torch.from_numpy(_checked(vectors)).to(choose_device(self.config.device)))
        x = x[x.any(dim=1)]  # a zero vector says nothing about directions
        if not len(x):
            raise DataError("vectors: all of them are zero, expected directions to learn from")
        config, schedule = self._settled(*x.shape)
        start = torch.Generator().manual_seed(config.seed)
        network = Autoencoder(first_atoms(x, _given(config.width), start))
        trainer, passes = Trainer(network, config, _given(config.k), schedule), []
        for number in range(1, schedule.epochs + 1):
            passes.append(trainer.run(x, number))
            _tell(passes[-1], schedule.epochs, listener)
        self.config, self.passes, self._network = config, tuple(passes), network.eval()
        return self

    def encode(self, vectors: Any) -> Codes:
        """(N, d) vectors to codes, (N, S) with k entries each; a zero vector has no direction and an empty code."""
        network, k = self._fitted, _given(self.config.k)
        checked = _checked(vectors)
        if checked.shape[1] != self.dim:
            raise DataError(f"vectors: {checked.shape[1]} wide, this compressor learned from {self.dim}")
        x = unit(torch.from_numpy(checked))
        parts = [_encode(network, part, k) for part in torch.split(x, PER_BATCH)]
        atoms, values = (np.concatenate(each) for each in zip(*parts, strict=True))
        pointers = np.arange(len(x) + 1) * k
        codes = sp.csr_array((values.ravel(), atoms.ravel(), pointers), shape=(len(x), self.width))
        codes.eliminate_zeros()
        codes.sort_indices()
        return codes

    def decode(self, codes: Any) -> NDArray[np.float32]:
        """(N, S) codes to the vectors that they stand for, (N, d); they tell the direction, not the length."""
        return np.asarray(check_codes(codes, self.width, "codes") @ self.atoms.astype(np.float64), dtype=np.float32)

    @property
    def atoms(self) -> NDArray[np.float32]:
        """(S, d) W_dec, of length one."""
        values: NDArray[np.float32] = self._fitted.atoms.detach().cpu().numpy()
        return values

    @property
    def width(self) -> int:
        """S."""
        return int(self._fitted.atoms.shape[0])

    @property
    def dim(self) -> int:
        """d, the width of the vectors."""
        return int(self._fitted.atoms.shape[1])

    @property
    def n_dead(self) -> int:
        """Atoms that were in no code of the last pass."""
        _ = self._fitted
        return self.passes[-1].dead

    def save(self, path: str | Path) -> Path:
        """Write to one file, whole or not at all."""
        tensors = {name: value.detach().cpu().numpy() for name, value in self._fitted.state_dict().items()}
        passes = tuple((p.number, p.loss, p.dead) for p in self.passes)
        manifest = _Manifest(schema_version=1, config=self.config, passes=passes, sha256=hashes_of(tensors))
        write_tensors(Path(path), tensors, HEADER, manifest.model_dump_json())
        return Path(path)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> "Compressor":
        """Read what `save` wrote. Raises ModelFileError for anything else."""
        manifest, tensors = _read(Path(path))
        loaded = cls(**manifest.config.model_dump())
        network = Autoencoder(torch.zeros(tensors["atoms"].shape))
        network.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
        loaded.passes = tuple(Pass(*told) for told in manifest.passes)
        loaded._network = network.to(choose_device(device)).eval()
        return loaded

    @property
    def _fitted(self) -> Autoencoder:
        if self._network is None:
            raise NotFittedError("this compressor is not fitted: call fit(vectors), or Compressor.load(path)")
        return self._network

    def _settled(self, n_vectors: int, dim: int) -> tuple[CompressConfig, Schedule]:
        """The settings with those that were left to the data."""
        width, k = self.config.width, self.config.k
        if width is None:
            width = max(2, min(MOST_ATOMS, n_vectors // PER_ATOM))
        if k is None:
            k = entries_for(self.config.ratio, dim)
        schedule = _schedule(self.config, n_vectors, width)
        return self.config.model_copy(update={"width": width, "k": min(k, width)} | schedule._asdict()), schedule


def _schedule(config: CompressConfig, n_vectors: int, width: int) -> Schedule:
    """What is given, and else by the rules that `CompressConfig` tells. Source: ours."""
    batch_size, epochs, rate = config.batch_size, config.epochs, config.learning_rate
    if batch_size is None:
        batch_size = min(512, max(64, n_vectors // 12))
    if epochs is None:
        epochs = min(PASSES, max(1, round(BATCHES / math.ceil(n_vectors / batch_size))))
    if rate is None:
        rate = min(LONGEST, SHORTEST * math.sqrt(max(1.0, n_vectors / (PER_ATOM * width))))
    return Schedule(epochs, batch_size, rate)


def entries_for(ratio: float, dim: int) -> int:
    """k with which an index takes `ratio` times fewer bytes for a vector than its (d,) floats; 1 at least."""
    return max(1, int((4 * dim / ratio - BYTES_A_CODE) / BYTES_AN_ENTRY))


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1]
    config: CompressConfig
    passes: tuple[tuple[int, float, int], ...]
    sha256: dict[str, str]


def _read(path: Path) -> tuple[_Manifest, Tensors]:
    with opened(path, HEADER, WHAT) as (_, text):
        manifest, tensors = read_manifest(path, text, _Manifest, (1,), "fit again"), all_tensors(path)
    verify(path, manifest.sha256, tensors)
    config, shapes = manifest.config, {name: value.shape for name, value in tensors.items()}
    width, dim = shapes.get("atoms", (0, 0))
    expected = {"atoms": (width, dim), "encoder": (width, dim), "bias": (width,)}
    floats = all(value.dtype == np.float32 and np.isfinite(value).all() for value in tensors.values())
    if shapes != expected or not floats or not 0 < _given(config.k) <= width == config.width:
        raise ModelFileError(f"{path}: the parts of the compressor do not fit together")
    return manifest, tensors


@torch.inference_mode()
def _encode(network: Autoencoder, x: Tensor, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    atoms, values = network.largest(x.to(network.bias.device), k)
    values = values * x.any(dim=1, keepdim=True).to(values.device)
    return atoms.cpu().numpy(), values.cpu().numpy()


def _tell(shown: Pass, n_passes: int, listener: PassListener | None) -> None:
    if not np.isfinite(shown.loss):
        raise TrainingError(f"compression, pass {shown.number}: the loss is {shown.loss}; try shorter steps")
    if listener is not None:
        listener.on_pass(shown.number, n_passes, f"loss {shown.loss:.3f}; dead atoms {shown.dead:,}")


def _checked(vectors: Any) -> NDArray[np.float32]:
    checked = np.asarray(vectors, dtype=np.float32)
    if checked.ndim != 2 or not checked.size:
        raise DataError(f"vectors: of shape {checked.shape}, expected a matrix with a vector in every row")
    if not np.isfinite(checked).all():
        row = int((~np.isfinite(checked)).any(axis=1).argmax())
        raise DataError(f"vectors: row {row} has an entry that is not a finite number")
    return checked


def _given(value: int | None) -> int:
    assert value is not None  # noqa: S101 - `_settled` sees to it
    return value
