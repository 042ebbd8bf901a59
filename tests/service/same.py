"""Answers of two ways to one model."""

from typing import Any

import pytest


def assert_same(told: Any, wanted: Any) -> None:
    """Equal but for rounding: another number of threads adds up in another order."""
    if isinstance(wanted, dict):
        assert told.keys() == wanted.keys()
        for name in wanted:
            assert_same(told[name], wanted[name])
    elif isinstance(wanted, list):
        assert len(told) == len(wanted)
        for one, other in zip(told, wanted, strict=True):
            assert_same(one, other)
    elif isinstance(wanted, float):
        assert told == pytest.approx(wanted, rel=1e-4, abs=1e-5)
    else:
        assert told == wanted
