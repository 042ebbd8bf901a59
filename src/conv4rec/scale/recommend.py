"""Lists for many users on several workers: Parquet in, Parquet out, by Ray Data."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import torch

from conv4rec.data.shards import Shards
from conv4rec.errors import DataError, SaveError
from conv4rec.recommender import Conv4Rec
from conv4rec.scale.cluster import cluster, cores_each


@dataclass(frozen=True)
class RayScoring:
    """Scores users in `workers` processes, each of which loads the model once.

    Attributes:
        workers: how many processes.
        address: of a running cluster, whose machines must see all paths; None starts Ray on this machine.
        batch: users that a worker is given at a time; how many it scores at once follows from `evaluate.memory_mb`.
    """

    workers: int
    address: str | None = None
    batch: int = 1024

    def __call__(
        self, model: Path, users: Path | pl.Series | Shards, out: Path, k: int, choices: Mapping[str, Any]
    ) -> int:
        """Write the rows of `Conv4Rec.recommend(users, k, **choices)` to Parquet files in a new folder; their number.

        Args:
            model: a model file with histories.
            users: a Parquet file, or a folder of them, with `user_id`; or the ids themselves; or, for a model of
                shards, these, and then all their users.
            out: the folder; the users are in the order given, in files named in that order.
            k: length of a list.
            choices: as for `Conv4Rec.recommend`.

        Raises:
            SaveError: `out` is there already.
            DataError: `users` is no Parquet with a column user_id.
            MissingExtraError: Ray is not installed.
        """
        if out.exists():
            raise SaveError(f"{out}: is there already; several workers write a new folder")
        with cluster(max(2, self.workers), self.address) as ray:
            from ray.data import ActorPoolStrategy, DataContext

            DataContext.get_current().execution_options.preserve_order = True
            DataContext.get_current().enable_progress_bars = False
            asked, cores = self._asked(users), cores_each(ray, self.workers)
            shards = users.folder.absolute() if isinstance(users, Shards) else None
            rows = asked.map_batches(
                _Scorer,
                fn_constructor_args=(model.absolute(), shards, k, dict(choices), cores),
                batch_format="pyarrow",
                batch_size=1 if isinstance(users, Shards) else self.batch,
                compute=ActorPoolStrategy(min_size=1, max_size=self.workers),
                num_cpus=cores / 2,  # Ray Data waits for ever if nothing is left to read and write with
            )
            try:
                rows.write_parquet(str(out.absolute()))
            except BaseException:
                shutil.rmtree(out, ignore_errors=True)
                raise
        return int(pl.scan_parquet(out / "*.parquet").select(pl.len()).collect().item())

    def _asked(self, users: Path | pl.Series | Shards) -> Any:
        from ray import data

        if isinstance(users, Shards):
            return data.range(len(users))
        if isinstance(users, pl.Series):
            table = users.rename("user_id").to_frame().to_arrow(compat_level=pl.CompatLevel.oldest())
            return data.from_arrow(table).repartition(target_num_rows_per_block=self.batch)
        _scan(users)
        found = data.read_parquet(str(users.absolute())).select_columns(["user_id"])
        return found.repartition(target_num_rows_per_block=self.batch)


def read_users(path: Path) -> pl.Series:
    """The column user_id of a Parquet file, or of all files of a folder; DataError for anything else."""
    return _scan(path).select("user_id").collect()["user_id"]


def _scan(path: Path) -> pl.LazyFrame:
    try:
        frame = pl.scan_parquet(path)
        names = frame.collect_schema().names()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path}: expected Parquet with a column user_id: {str(error).splitlines()[0]}") from None
    if "user_id" not in names:
        raise DataError(f"{path}: no column user_id; found {', '.join(names)}")
    return frame


class _Scorer:
    """A worker: the model, and what it is asked."""

    def __init__(self, model: Path, shards: Path | None, k: int, choices: dict[str, Any], threads: int) -> None:
        torch.set_num_threads(threads)
        self.model, self.k, self.choices = Conv4Rec.load(model), k, choices
        self.shards = None if shards is None else Shards.open(shards)

    def __call__(self, batch: Any) -> Any:
        if self.shards is None:
            found = self.model.recommend(pl.Series(batch.column("user_id")), self.k, **self.choices)
        else:
            found = self.model.recommend_shard(self.shards, batch.column("id")[0].as_py(), self.k, **self.choices)
        return found.to_arrow(compat_level=pl.CompatLevel.oldest())
