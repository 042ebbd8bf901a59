"""Spaces of hyper-parameters, as optuna knows them and as models take them."""

import optuna
import pytest

from conv4rec.compare.space import holds, in_words, meant, shown, size, suggest
from conv4rec.peers.peer import Setting

SPACE = {
    "rate": Setting(low=1e-4, high=1e-1, log=True),
    "epochs": Setting(low=5, high=7, integer=True),
    "layers": Setting(choices=((600, 200), None, "none")),
}


def test_suggested_values_lie_within_and_have_their_kind() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        found = suggest(study.ask(), SPACE)
        assert list(found) == ["rate", "epochs", "layers"]
        assert isinstance(found["epochs"], int)
        assert found["layers"] in SPACE["layers"].choices
        assert all(holds(SPACE[name], value) for name, value in found.items())


def test_values_come_back_from_what_is_kept() -> None:
    values = {"rate": 0.01, "epochs": 6, "layers": (600, 200)}
    kept = shown(SPACE, values)
    assert kept == {"rate": 0.01, "epochs": 6, "layers": "[600, 200]"}
    assert meant(SPACE, kept) == values


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("rate", 0.1, True),
        ("rate", 0.2, False),
        ("rate", None, False),
        ("epochs", 5, True),
        ("epochs", 5.5, False),
        ("epochs", True, False),
        ("layers", None, True),
        ("layers", 5, False),
    ],
)
def test_what_lies_within(name: str, value: object, expected: bool) -> None:
    assert holds(SPACE[name], value) is expected


def test_how_many_values_there_are() -> None:
    assert size({"epochs": SPACE["epochs"], "layers": SPACE["layers"]}) == 9
    assert size(SPACE) == float("inf")
    assert size({}) == 1


def test_settings_in_words() -> None:
    assert [in_words(s) for s in SPACE.values()] == ["0.0001 to 0.1", "5 to 7", '[600, 200], null, "none"']
