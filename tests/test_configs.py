"""The tuned settings of the named data sets: they load, and hold differences from the defaults alone."""

import tomllib
from pathlib import Path

import pytest

from conv4rec.config import Config, get_setting, load_config
from conv4rec.data.named import NAMED_SETS

FILES = sorted((Path(__file__).parents[1] / "configs").glob("*.toml"))


def test_there_are_some() -> None:
    assert FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_for_a_named_set_and_says_only_what_differs(path: Path) -> None:
    assert path.stem in NAMED_SETS
    config = load_config(path)
    given = tomllib.loads(path.read_text())
    names = [f"{section}.{field}" for section, fields in given.items() for field in fields]
    assert names
    assert all(get_setting(config, name) != get_setting(Config(), name) for name in names)
