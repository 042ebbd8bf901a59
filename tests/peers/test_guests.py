"""Guests are quiet, leave things as they were, and fail in one way."""

import sys
import warnings

import numpy as np
import pytest
import torch

from conv4rec.errors import DataError, MissingExtraError, PeerError
from conv4rec.peers.guests import guest


class Panic(BaseException):
    """What a panic of Rust is in Python."""


def test_guests_are_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    with guest("some-svd", "some"):
        print("progress")
        print("more progress", file=sys.stderr)
        warnings.warn("you are slow", stacklevel=1)
    assert capfd.readouterr() == ("", "")


def test_guests_leave_things_as_they_were() -> None:
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    with guest("some-svd", "some"):
        torch.set_num_threads(threads + 1)
        torch.manual_seed(1)
    assert torch.get_num_threads() == threads
    assert (torch.random.get_rng_state() == state).all()


def test_guests_have_one_blas_thread() -> None:
    threadpoolctl = pytest.importorskip("threadpoolctl")
    np.ones((2, 2)) @ np.ones((2, 2))

    def threads() -> list[int]:
        return [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]

    before = threads()
    with guest("some-svd", "some"):
        assert set(threads()) == {1}
    assert threads() == before


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (ValueError("k is 0\nand more"), "some-svd: some failed: ValueError: k is 0"),
        (KeyError("u1"), "some-svd: some failed: KeyError: 'u1'"),
        (MemoryError(), "some-svd: some failed: MemoryError: no reason given"),
        (Panic("index out of bounds"), "some-svd: some failed: Panic: index out of bounds"),
    ],
)
def test_failures_are_one_line(failure: BaseException, text: str) -> None:
    with pytest.raises(PeerError) as caught, guest("some-svd", "some"):
        raise failure
    assert str(caught.value) == text


def test_a_package_that_is_not_installed() -> None:
    text = (
        r"some-svd needs not-there, which cannot be imported \(No module named 'not_there'\): "
        r"pip install 'conv4rec\[peers\]'"
    )
    with pytest.raises(MissingExtraError, match=text), guest("some-svd", "not-there"):
        import not_there  # type: ignore[import-not-found]  # noqa: F401


@pytest.mark.parametrize("ours", [DataError("no ratings"), KeyboardInterrupt(), SystemExit(3)])
def test_our_errors_and_interrupts_pass(ours: BaseException) -> None:
    with pytest.raises(type(ours)) as caught, guest("some-svd", "some"):
        raise ours
    assert caught.value is ours


def test_threads_are_given_back_after_a_failure() -> None:
    threads = torch.get_num_threads()
    with pytest.raises(PeerError, match="expected number of threads"), guest("some-svd", "some"):
        _fail_with_threads(threads + 1)
    assert torch.get_num_threads() == threads


def _fail_with_threads(n_threads: int) -> None:
    torch.set_num_threads(n_threads)
    raise ValueError("expected number of threads")
