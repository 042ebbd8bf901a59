"""Models are found by name, or by where they are."""

import pytest

from conv4rec.errors import QueryError
from conv4rec.peers.models import all_models, find_model
from tests.compare import fakes


def test_ours_comes_first() -> None:
    assert next(iter(all_models())) == "conv4rec"
    assert {"popular", "ease"} <= all_models().keys()
    assert find_model("ease").name == "ease"


def test_a_model_of_ones_own() -> None:
    assert find_model("tests.compare.fakes:POPULAR") is fakes.POPULAR


REFUSED = [
    ("eese", "model 'eese' does not exist; did you mean 'ease'?"),
    ("zzz", "model 'zzz' does not exist; expected one of conv4rec, popular, "),
    ("no.such.module:NAME", "model 'no.such.module:NAME': no.such.module cannot be imported: No module named 'no'"),
    (
        "tests.compare.fakes:NOT_A_PEER",
        "model 'tests.compare.fakes:NOT_A_PEER': expected tests.compare.fakes to have a Peer of the name "
        "NOT_A_PEER; got str",
    ),
    ("tests.compare.fakes:NOTHING", "to have a Peer of the name NOTHING; got nothing"),
]


@pytest.mark.parametrize(("name", "message"), REFUSED)
def test_names_that_are_none(name: str, message: str) -> None:
    with pytest.raises(QueryError) as met:
        find_model(name)
    assert message in str(met.value)
