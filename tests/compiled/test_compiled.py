"""Loops are loaded where that pays."""

import pytest

from conv4rec import compiled
from conv4rec.compiled import pays


def test_it_pays_when_enough_has_been_asked_or_they_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled._Work, "n_pairs", 0)
    monkeypatch.setattr(compiled, "is_loaded", lambda: False)
    assert not pays(compiled.ENOUGH - 1)
    assert pays(1)
    assert pays(0)
    monkeypatch.setattr(compiled._Work, "n_pairs", 0)
    assert not pays(1)
    monkeypatch.setattr(compiled, "is_loaded", lambda: True)
    assert pays(1)
