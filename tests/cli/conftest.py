"""What commands are tried on."""

from pathlib import Path

import pytest

from conv4rec.data.ratings import Ratings


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory, checkerboard: Ratings) -> Path:
    """The checkerboard as a file; a module may have a `csv` of its own."""
    path = tmp_path_factory.mktemp("data") / "ratings.csv"
    checkerboard.frame.write_csv(path)
    return path
