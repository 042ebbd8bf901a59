"""The public names."""

import subprocess
import sys

import pytest

import conv4rec


@pytest.mark.parametrize("name", conv4rec.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name: str) -> None:
    value = getattr(conv4rec, name)
    assert isinstance(value, str) or value.__doc__


def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(AttributeError, match="module 'conv4rec' has no attribute 'Magic'"):
        _ = conv4rec.Magic


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, conv4rec; sys.exit(bool({'torch', 'polars', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
