"""`conv4rec compress`: a model that finds items by sparse codes, or the codes and index of any matrix."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from conv4rec.cli import options
from conv4rec.cli.output import download_bar, print_json
from conv4rec.errors import QueryError

if TYPE_CHECKING:
    from conv4rec.config import CompressConfig
    from conv4rec.recommender import Conv4Rec

MATRICES = (".npy", ".parquet", ".safetensors")
Pairs = dict[str, Any]


def compress(
    source: Annotated[Path, typer.Argument(help="A model, or vectors: a .npy, .parquet or .safetensors file.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to save the compressed model, or the index.")],
    ratio: Annotated[float | None, typer.Option(help="How many times fewer bytes a vector takes.")] = None,
    set_: options.Sets = None,
    data: Annotated[str | None, typer.Option("--data", help="Measure NDCG and recall over bytes on these.")] = None,
    run: Annotated[Path | None, typer.Option("--run", help="With --data: where to write the record.")] = None,
    tensor: Annotated[str | None, typer.Option(help="Of a file of several matrices: which one.")] = None,
    compressor: Annotated[Path | None, typer.Option(help="Of a matrix: where to save what encodes more.")] = None,
    as_json: options.Json = False,
) -> None:
    """Compress the item vectors of a model, or any matrix, to sparse codes with an exact index (CompresSAE).

    A compressed model is used like any other. It finds candidates in the index and ranks them by its exact law. With
    --data and --run it is measured at several sizes, on the test part of the data it was trained on, for the picture
    of `conv4rec report`.
    """
    is_matrix = source.suffix in MATRICES
    _check(is_matrix=is_matrix, data=data, run=run, of_matrix=(tensor, compressor))
    overrides = options.given(set_) + ([] if ratio is None else [f"compress.ratio={ratio}"])
    if is_matrix:
        told = _compress_matrix(source, tensor, out, compressor, overrides)
    else:
        told = _compress_model(source, out, overrides, data, run)
    told = {"source": str(source), "out": str(out)} | told
    if as_json:
        print_json(told)
    else:
        Console().print(_in_words(told), highlight=False, markup=False)


def _check(*, is_matrix: bool, data: str | None, run: Path | None, of_matrix: tuple[object, object]) -> None:
    if is_matrix and (data is not None or run is not None):
        raise QueryError("compress: --data and --run are for models; a matrix has no test part")
    if not is_matrix and of_matrix != (None, None):
        raise QueryError(f"compress: --tensor and --compressor are for matrices ({', '.join(MATRICES)})")
    if (data is None) != (run is None):
        raise QueryError("compress: expected both --data and --run, or neither")


def _compress_matrix(source: Path, tensor: str | None, out: Path, keep: Path | None, overrides: list[str]) -> Pairs:
    from conv4rec.compression.compressor import Compressor
    from conv4rec.compression.index import SparseIndex
    from conv4rec.compression.index_file import save_index
    from conv4rec.compression.matrix_file import load_matrix
    from conv4rec.config import Config, override
    from conv4rec.progress import ProgressBar

    settings = override(Config(), overrides).compress
    vectors = load_matrix(source, tensor)
    with ProgressBar() as bar:
        compressor = Compressor(**settings.model_dump()).fit(vectors, listener=bar)
    index = SparseIndex(compressor.atoms)
    index.add(compressor.encode(vectors))
    save_index(index, out)
    if keep is not None:
        compressor.save(keep)
    return _sizes(index, vectors.shape[1])


def _compress_model(source: Path, out: Path, overrides: list[str], data: str | None, run: Path | None) -> Pairs:
    from conv4rec.config import override
    from conv4rec.progress import ProgressBar
    from conv4rec.recommender import Conv4Rec

    model = Conv4Rec.load(source)
    settings = override(model.config, overrides).compress
    with ProgressBar() as bar:
        compressed = model.compress(settings, listener=bar)
    compressed.save(out)
    indexes = compressed.compressed
    assert indexes is not None  # noqa: S101 - just made
    width = model.config.model.embedding_dim
    told: Pairs = _sizes(indexes.decoder, width + 1) | {"embeddings": _sizes(indexes.embeddings, 2 * width)}
    if data is not None and run is not None:
        told["points"] = _measure(compressed, settings, data, run, name=out.stem)
    return told


def _measure(model: "Conv4Rec", settings: "CompressConfig", data: str, run: Path, *, name: str) -> list[Pairs]:
    from conv4rec.cli.evaluate import check_same_data
    from conv4rec.compare.saved import measure_saved
    from conv4rec.compare.tradeoff import RATIOS, trade_off
    from conv4rec.data.parts import load_all_parts
    from conv4rec.errors import DataError
    from conv4rec.evaluation import Validation
    from conv4rec.progress import ProgressBar
    from conv4rec.records import write_record

    with download_bar() as progress:
        parts = load_all_parts(data, model.config, progress=progress)[-1]
    check_same_data(model, parts.known)
    if parts.split.test is None:
        raise DataError("the model was trained without a test part (split.test = 0): there is nothing to measure on")
    asked = Validation.of(parts.split.test, model.vocabulary)
    with ProgressBar() as bar:
        points = trade_off(model, asked, sorted({*RATIOS, settings.ratio}), listener=bar)
    record, report = measure_saved(model, parts, name=name)
    curves = record.curves.model_copy(update={"compression": points})
    write_record(run, record.model_copy(update={"curves": curves}), report)
    return [point.model_dump() for point in points]


def _sizes(index: Any, width: int) -> Pairs:
    per_code = index.n_bytes / len(index)
    return {
        "codes": len(index),
        "atoms": len(index.atoms),
        "dead_atoms": index.n_dead,
        "bytes_per_code": round(per_code, 2),
        "bytes_of_atoms": index.atoms.nbytes,
        "ratio": round(4 * width / per_code, 2),
    }


def _in_words(told: Pairs) -> str:
    first = (
        f"{told['codes']:,} codes of {told['atoms']:,} atoms, {told['bytes_per_code']:.0f} bytes each "
        f"({told['ratio']:.1f} times fewer; atoms take {told['bytes_of_atoms'] / 2**20:.1f} MiB); "
        f"dead atoms: {told['dead_atoms']:,}"
    )
    points = [
        f"{point['bytes_per_item']:7.1f} bytes: recall@100 {point['recall_reconstructed']:.3f} decoded, "
        f"{point['recall_sparse']:.3f} sparse; ndcg@20 {point['ndcg']:.4f}, {point['ndcg_decoded']:.4f} decoded"
        for point in told.get("points", ())
    ]
    return "\n".join([f"{first}; saved to {told['out']}", *points])
