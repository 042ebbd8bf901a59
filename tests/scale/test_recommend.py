"""Several workers write the lists of one process."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from conv4rec import Conv4Rec
from conv4rec.errors import DataError, SaveError
from conv4rec.scale.recommend import RayScoring, read_users

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


def test_users_in_parquet(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected Parquet with a column user_id"):
        read_users(tmp_path / "none.parquet")
    pl.DataFrame({"user": [1]}).write_parquet(tmp_path / "u.parquet")
    with pytest.raises(DataError, match=r"no column user_id; found user"):
        read_users(tmp_path / "u.parquet")
