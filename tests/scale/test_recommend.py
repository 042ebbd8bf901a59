"""Several workers write the lists of one process."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from conv4rec import Conv4Rec
from conv4rec.config import Config, override
from conv4rec.data.sharding import shards_of
from conv4rec.errors import DataError, QueryError, SaveError
from conv4rec.scale.recommend import RayScoring, read_users
from tests.conftest import make_checkerboard

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")  # Ray deprecates what Ray sets


@pytest.mark.usefixtures("ray")
def test_two_workers_write_the_lists_of_one_process(fitted: Conv4Rec, tmp_path: Path) -> None:
    model, users = fitted.save(tmp_path / "m"), fitted.vocabulary.users.values
    for number, part in enumerate((users[:37], users[37:])):
        (tmp_path / "users").mkdir(exist_ok=True)
        part.to_frame("user_id").write_parquet(tmp_path / "users" / f"{number}.parquet")
    out, choices = tmp_path / "lists.parquet", {"rank_by": "enjoy", "exclude_seen": True}
    rows = RayScoring(2, batch=16)(model, tmp_path / "users", out, 5, choices)
    expected = fitted.recommend(users, 5, rank_by="enjoy", exclude_seen=True)
    assert rows == expected.height
    assert_frame_equal(pl.read_parquet(out / "*.parquet"), expected, check_row_order=True)
    with pytest.raises(SaveError, match="is there already; several workers write a new folder"):
        RayScoring(2)(model, users, out, 5, {})


@pytest.mark.usefixtures("ray")
def test_two_workers_score_the_users_of_shards(small_config: Config, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    make_checkerboard().frame.write_parquet(tmp_path / "data" / "r.parquet")
    shards = shards_of(tmp_path / "data", tmp_path / "s", small_config.data, small_config.split, shard=200)
    quick = override(small_config, ["train.epochs=1", "experts.neighbours=0", "experts.factors=[]"])
    fitted = Conv4Rec(quick).fit_shards(shards)
    model, out = fitted.save(tmp_path / "m"), tmp_path / "lists.parquet"
    expected = pl.concat([fitted.recommend_shard(shards, number, 5) for number in range(len(shards))])
    assert RayScoring(2)(model, shards, out, 5, {}) == expected.height == 5 * 60
    assert_frame_equal(pl.read_parquet(out / "*.parquet"), expected)
    with pytest.raises(QueryError, match="these are not the shards that the model was trained on"):
        fitted.recommend_shard(replace(shards, fingerprint="other"), 0)


def test_users_in_parquet(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected Parquet with a column user_id"):
        read_users(tmp_path / "none.parquet")
    pl.DataFrame({"user": [1]}).write_parquet(tmp_path / "u.parquet")
    with pytest.raises(DataError, match=r"no column user_id; found user"):
        read_users(tmp_path / "u.parquet")
