"""Parts of a loop are done once each, by however many threads there are, and what a loop cannot read is refused."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import pytest
import torch

from conv4rec.compiled import parallel
from conv4rec.compiled.parallel import Parallel, floats, ints, number, parts_left


@Parallel
def count_parts(words: Any) -> None:
    """Adds to the number of each part what was given, and puts down what it has read."""
    added, times, read = number(words, 0), ints(words, 1), floats(words, 2)
    for part in parts_left(words):
        times[part] += numba.int64(added)
        read[part] = read[part] * 2


@pytest.fixture(params=["OpenMP", "Python"])
def _threads_of(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "Python":
        monkeypatch.setattr(parallel, "_fork", lambda: None)
    elif parallel._fork() is None:
        pytest.skip("needs an OpenMP library of torch that has GOMP_parallel: none found")


@pytest.mark.usefixtures("_threads_of")
@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("parts", [0, 1, 3, 64])
def test_every_part_is_done_once(threads: int, parts: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        times, read = torch.zeros(parts + 1, dtype=torch.int64), torch.arange(parts + 1.0)
        count_parts(parts, 7, times, read)
    finally:
        torch.set_num_threads(before)
    assert times.tolist() == [7] * parts + [0]
    assert read.tolist() == [2.0 * n for n in range(parts)] + [float(parts)]


def test_the_threads_of_torch_are_found_where_the_system_is_linux() -> None:
    assert (parallel._fork() is not None) == sys.platform.startswith("linux")


@pytest.mark.parametrize("given", [torch.zeros(4, 2).T, torch.zeros(3, dtype=torch.float64), torch.zeros(3).bool()])
def test_what_a_loop_cannot_read_is_refused(given: torch.Tensor) -> None:
    with pytest.raises(TypeError, match=r"a loop met torch\..* of strides .*; expected float32, int32 or int64"):
        count_parts(1, 7, torch.zeros(1, dtype=torch.int64), given)


def test_other_failures_of_the_compiler_are_not_taken_for_a_missing_folder() -> None:
    def unknown(words: Any) -> None:
        words.no_such_thing()

    with pytest.raises(Exception, match="no_such_thing"):
        Parallel(unknown)(1)


def test_what_is_kept_on_disk_is_of_these_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba looks at the file of a loop alone, and would go on with old pieces of other files."""
    made: Any = parallel.compiled(lambda: 1)
    assert made() == 1
    assert made.py_func.__qualname__.endswith(parallel._said_here())
    assert parallel._said_here() in made._cache._impl.filename_base
    parallel._said_here.cache_clear()
    monkeypatch.setattr(parallel, "__file__", __file__)
    try:
        assert parallel._said_here() not in made._cache._impl.filename_base
    finally:
        parallel._said_here.cache_clear()


def test_it_works_where_nothing_can_be_kept_on_disk() -> None:
    asked = []

    def one() -> int:
        return 1

    def compiler(*, cache: bool = False) -> Any:
        asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function 'f': no locator available for file 'f.py'")
        return lambda function: function

    assert parallel._cached(compiler, one) is one
    assert asked == [True, False]


def test_nothing_is_compiled_before_a_network_is_trained() -> None:
    code = (
        "import sys, conv4rec.recommender, conv4rec.training; from conv4rec.compiled import is_loaded;"
        "told = is_loaded() or 'numba' in sys.modules; import conv4rec.compiled.parallel;"
        "sys.exit(told or not is_loaded())"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parent).returncode == 0
