"""Loops compiled by Numba, kept on disk, and run by the threads that torch has already.

A loop is cut into parts, and each thread takes the next part until none is left, so that one alone can do all the work.
torch's threads are those of an OpenMP library, which wait for work awake; a thread of Python's has to be woken, which
takes longer than most loops here, and would meet the threads of torch on the same cores.
"""

import ctypes
import os
import sys
from array import array
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property, partial
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import numba
import torch
from llvmlite import ir
from numba.extending import intrinsic
from torch import Tensor

OPTIONS: dict[str, Any] = {"fastmath": {"reassoc", "contract", "nsz", "arcp"}, "error_model": "numpy"}
"""Sums may be reordered, and a division by zero is no error of Python's. What is no number stays none."""
TYPES = torch.float32, torch.int32, torch.int64
Loop = Callable[[Any], None]
F = TypeVar("F", bound=Callable[..., Any])


class Parallel:
    """A loop over parts of its work, as a function of words of 64 bits: see `number` and what follows it.

    Tensors passed on are float32, int32 or int64, without gaps, and on the CPU; the loop sees them flat.
    """

    def __init__(self, loop: Loop) -> None:
        self.loop = loop

    def __call__(self, parts: int, *given: Tensor | int) -> None:
        """Do all parts of the work."""
        words = array("q", (0, parts))
        for each in given:
            words.extend((each, 0) if isinstance(each, int) else _place(each))
        _share_out(self._address, words.buffer_info()[0], min(parts, torch.get_num_threads()))

    @cached_property
    def _address(self) -> int:
        return int(self._made.address)

    @cached_property
    def _made(self) -> Any:
        return _cached(partial(numba.cfunc, "void(CPointer(int64))", **OPTIONS), self.loop)


def inlined(function: F) -> F:
    """A piece of a loop."""
    made: F = numba.njit(forceinline=True, **OPTIONS)(function)
    return made


def compiled(function: F) -> F:
    """A function of arrays of NumPy that lets go of Python's lock; compiled for the types that it is called with."""
    made: F = _cached(partial(numba.njit, nogil=True, **OPTIONS), function)
    return made


def instructions(function: Callable[..., Any]) -> Any:
    """What has no name in Python: a function that gives the types, and what writes the instructions."""
    return intrinsic(function)


def _cached(compiler: Callable[..., Any], function: Callable[..., Any]) -> Any:
    """Compiled, and kept on disk where there is a folder to write to.

    Numba keeps it for as long as the file of the function is the same, but pieces may come from other files, and some
    numbers from what torch makes of the processor. So the name by which it is kept tells what all of them say.
    """
    function.__qualname__ = f"{function.__qualname__}-{_said_here()}"
    try:
        return compiler(cache=True)(function)
    except RuntimeError as error:
        if "no locator" not in str(error):
            raise
        return compiler()(function)


@cache
def _said_here() -> str:
    """A digest of the files of this folder and of the kind of processor."""
    said = [file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py"))]
    return sha256(b"".join([*said, torch.backends.cpu.get_cpu_capability().encode()])).hexdigest()[:16]


def _place(tensor: Tensor) -> tuple[int, int]:
    if not tensor.is_contiguous() or tensor.dtype not in TYPES:
        raise TypeError(f"a loop met {tensor.dtype} of strides {tensor.stride()}; expected float32, int32 or int64")
    return tensor.data_ptr(), tensor.numel()


def _share_out(loop: int, words: int, threads: int) -> None:
    fork = _fork() if threads > 1 else None
    if fork is not None:
        fork(loop, words, threads, 0)
        return
    call = _LOOP(loop)
    helpers = [_helpers().submit(call, words) for _ in range(threads - 1)]
    call(words)
    for helper in helpers:
        helper.result()


_LOOP = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


@cache
def _helpers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), "conv4rec-compiled")


@cache
def _fork() -> Callable[[int, int, int, int], None] | None:
    """How the OpenMP library that torch has loaded calls a function of one pointer in several threads.

    GNU's name for it, which those of LLVM and Intel have too where the system is Linux. None where it is not found.
    """
    if not sys.platform.startswith("linux"):
        return None
    folder = Path(torch.__file__).parent
    names = [*folder.glob("lib/lib*omp*.so*"), *folder.parent.glob("torch.libs/lib*omp*.so*"), Path("libgomp.so.1")]
    for name in names:
        try:
            fork = ctypes.CDLL(str(name), mode=os.RTLD_NOLOAD | os.RTLD_LAZY).GOMP_parallel
        except (OSError, AttributeError):  # not loaded, or another library
            continue
        fork.argtypes, fork.restype = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint), None
        return lambda loop, words, threads, flags: fork(loop, words, threads, flags)
    return None


@instructions
def _add_one(_: Any, address: Any) -> Any:
    """What stands at an address, to which one is added, by one thread at a time."""

    def made(__: Any, builder: Any, ___: Any, given: Any) -> Any:
        return builder.atomic_rmw("add", given[0], ir.Constant(ir.IntType(64), 1), "monotonic")

    return numba.int64(address), made


@instructions
def _pointer(_: Any, address: Any, like: Any) -> Any:
    def made(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.inttoptr(given[0], context.get_value_type(signature.return_type))

    return numba.types.CPointer(like.dtype)(address, like), made


@instructions
def bits_of(_: Any, value: Any) -> Any:
    """The 32 bits of a float32, as a whole number."""

    def made(__: Any, builder: Any, ___: Any, given: Any) -> Any:
        return builder.bitcast(given[0], ir.IntType(32))

    return numba.int32(numba.float32), made


@instructions
def of_bits(_: Any, value: Any) -> Any:
    """The float32 that 32 bits are."""

    def made(__: Any, builder: Any, ___: Any, given: Any) -> Any:
        return builder.bitcast(given[0], ir.FloatType())

    return numba.float32(numba.int32), made


@inlined
def parts_left(words: Any) -> Any:
    """The numbers of parts that nobody has taken, each of them taken as it is given."""
    while True:
        part = _add_one(words)
        if part >= words[1]:
            break
        yield numba.uintp(part)


@inlined
def number(words: Any, slot: Any) -> Any:
    """The number that was given in a slot, 0 or more, as an unsigned one: an index that is none has no sign to test."""
    return numba.uintp(words[2 + 2 * slot])


@inlined
def floats(words: Any, slot: Any) -> Any:
    """The float32 numbers that were given in a slot."""
    return numba.carray(_pointer(words[2 + 2 * slot], numba.float32), words[3 + 2 * slot])


@inlined
def ints(words: Any, slot: Any) -> Any:
    """The int64 numbers that were given in a slot."""
    return numba.carray(_pointer(words[2 + 2 * slot], numba.int64), words[3 + 2 * slot])


@inlined
def small_ints(words: Any, slot: Any) -> Any:
    """The int32 numbers that were given in a slot."""
    return numba.carray(_pointer(words[2 + 2 * slot], numba.int32), words[3 + 2 * slot])
