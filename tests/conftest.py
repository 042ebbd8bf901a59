"""What every test may ask for."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data sets; a test that needs it says so where it is absent."""
    named = os.environ.get("CONV4REC_DATA")
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(named) if named is not None else beside
    if not folder.is_dir():
        pytest.skip(f"needs real data: no folder {folder}; set CONV4REC_DATA")
    return folder
