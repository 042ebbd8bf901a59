"""Instructions for lists and laws that Python has no names for.

`look_up` is for what a user has or not: what three neighbours say together has eight values, one for each way to have
some of them. Who has an item is a row of words of 32 bits, eight words for each block of 64 users: bit 4 s of word l is
1 where user 8 s + l of the block has it. The rows of three items, each moved by a bit more than the one before, joined,
are places in a table of eight numbers. One instruction looks eight users up where the processor has such a one (AVX2),
and the next eight are four bits away. With AVX-512 it is sixteen users, words and numbers, and four neighbours.
Source: ours; tables of the sums of all subsets are those of Arlazarov, Dinic, Kronrod and Faradzev 1970. Measured in
docs/performance.md.
"""

from typing import Any

import numba
import torch
from llvmlite import ir
from numba.core import cgutils

from conv4rec.compiled.parallel import instructions

LANES = 16 if torch.backends.cpu.get_cpu_capability() == "AVX512" else 8
"""Users looked up at once, words of a block of users, and values of what a group says together."""
STRIPES = 8
"""Users of a word."""
IN_BLOCK = LANES * STRIPES
GROUP = LANES.bit_length() - 1
"""Neighbours that are looked up at once."""
TOLD = 64
"""Comparisons told at once."""

_BIT, _INT, _LONG, _FLOAT = ir.IntType(1), ir.IntType(32), ir.IntType(64), ir.FloatType()
_FLOATS, _INTS = ir.VectorType(_FLOAT, LANES), ir.VectorType(_INT, LANES)
_TWO = ir.VectorType(_FLOAT, 2)
_ZEROS, _NOTHING = ir.Constant(_FLOATS, [0.0] * LANES), ir.Constant(_TWO, [0.0] * 2)


@instructions
def subset_sums(_: Any, weights: Any, at: Any, n_groups: Any, tables: Any, to: Any) -> Any:
    """Sums of all subsets of each group of weights from a place on, to the tables from another on: of floats."""

    def made(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        weight, table = _start(context, builder, signature, given, 0), _start(context, builder, signature, given, 3)
        with cgutils.for_range(builder, given[2]) as loop:
            total = _ZEROS
            for member in range(GROUP):
                value = builder.load(_further(builder, weight, loop.index, GROUP, member))
                everywhere = builder.insert_element(ir.Constant(_FLOATS, ir.Undefined), value, _number(0))
                everywhere = builder.shuffle_vector(everywhere, everywhere, ir.Constant(_INTS, [0] * LANES))
                has = ir.Constant(ir.VectorType(_BIT, LANES), [subset >> member & 1 for subset in range(LANES)])
                total = builder.fadd(total, builder.select(has, everywhere, _ZEROS))
            _write(builder, total, _further(builder, table, loop.index, LANES, 0))
        return context.get_dummy_value()

    return numba.void(weights, numba.uintp, numba.uintp, tables, numba.uintp), made


@instructions
def look_up(
    _: Any,
    words: Any,
    at: Any,
    width: Any,
    items: Any,
    of: Any,
    n_groups: Any,
    tables: Any,
    to: Any,
    sums: Any,
    put: Any,
) -> Any:
    """Sums for one block of users of what the groups of items say, to the sums from a place on.

    That is IN_BLOCK floats from `sums[put]` on, from `tables[to]` on for the groups of `items[of]` on (int32), of which
    the words of this block of users are at `words[at + item * width]` (int32).
    """

    def made(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        word, item, table, total = (_start(context, builder, signature, given, each) for each in (0, 3, 6, 8))
        sums_so_far = [cgutils.alloca_once_value(builder, _ZEROS) for _ in range(STRIPES)]
        with cgutils.for_range(builder, given[5]) as loop:
            says = _read(builder, _further(builder, table, loop.index, LANES, 0), _FLOATS)
            which = ir.Constant(_INTS, [0] * LANES)
            for member in range(GROUP):
                neighbour = builder.load(_further(builder, item, loop.index, GROUP, member))
                row = builder.gep(word, [builder.mul(builder.zext(neighbour, _LONG), given[2])])
                which = builder.or_(which, builder.shl(_read(builder, row, _INTS), _everywhere(member)))
            for stripe, so_far in enumerate(sums_so_far):
                place = builder.and_(builder.lshr(which, _everywhere(4 * stripe)), _everywhere(LANES - 1))
                builder.store(builder.fadd(builder.load(so_far), _chosen(builder, says, place)), so_far)
        for stripe, so_far in enumerate(sums_so_far):
            _write(builder, builder.load(so_far), builder.gep(total, [ir.Constant(_LONG, stripe * LANES)]))
        return context.get_dummy_value()

    where = numba.uintp
    return numba.void(words, where, where, items, where, where, tables, where, sums, where), made


@instructions
def reaching(_: Any, values: Any, at: Any, least: Any, of: Any) -> Any:
    """Which of TOLD values from a place on reach those from a place in `least` on: bits, of the first the lowest."""

    def made(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        many = ir.VectorType(_FLOAT, TOLD)
        value, bound = (_read(builder, _start(context, builder, signature, given, each), many) for each in (0, 2))
        return builder.bitcast(builder.fcmp_ordered(">=", value, bound), ir.IntType(TOLD))

    return numba.uint64(values, numba.uintp, least, numba.uintp), made


@instructions
def lowest(_: Any, bits: Any) -> Any:
    """The place of the lowest bit that is 1; there has to be one."""

    def made(__: Any, builder: Any, ___: Any, given: Any) -> Any:
        return builder.cttz(given[0], ir.Constant(_BIT, 1))

    return numba.uintp(numba.uint64), made


@instructions
def told_by_neighbours(_: Any, items: Any, weights: Any, at: Any, n: Any, views: Any, view: Any) -> Any:
    """The sum of what n neighbours say in two views: of each two numbers in `weights`, and from `view` on in `views`.

    Four pairs of sums are kept, so that none waits for the one before. LLVM would look eight numbers up at once, which
    takes longer than eight times one.
    """

    def made(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        places = {0: given[2], 1: builder.mul(given[2], ir.Constant(_LONG, 2)), 4: given[5]}
        item, weight, seen = (_from(context, builder, signature, given, *each) for each in places.items())
        sums = [cgutils.alloca_once_value(builder, _NOTHING) for _ in range(4)]

        def add(member: Any, total: Any) -> None:
            neighbour = builder.zext(builder.load(builder.gep(item, [member])), _LONG)
            said = _read(builder, _further(builder, weight, member, 2, 0), _TWO)
            had = _read(builder, _further(builder, seen, neighbour, 2, 0), _TWO)
            builder.store(builder.fadd(builder.load(total), builder.fmul(said, had)), total)

        whole = builder.and_(given[3], ir.Constant(_LONG, -4))
        with cgutils.for_range(builder, builder.udiv(whole, ir.Constant(_LONG, 4))) as loop:
            for place_of, total in enumerate(sums):
                first = builder.mul(loop.index, ir.Constant(_LONG, 4))
                add(builder.add(first, ir.Constant(_LONG, place_of)), total)
        with cgutils.for_range(builder, builder.sub(given[3], whole)) as loop:
            add(builder.add(whole, loop.index), sums[0])
        one, two, three, four = map(builder.load, sums)
        both = builder.fadd(builder.fadd(one, two), builder.fadd(three, four))
        return builder.fadd(*(builder.extract_element(both, _number(view)) for view in range(2)))

    where = numba.uintp
    return numba.float32(items, weights, where, where, views, where), made


def _chosen(builder: Any, values: Any, places: Any) -> Any:
    """The values at places, which LLVM knows for one instruction where there is one."""
    found = ir.Constant(_FLOATS, ir.Undefined)
    for lane in range(LANES):
        value = builder.extract_element(values, builder.extract_element(places, _number(lane)))
        found = builder.insert_element(found, value, _number(lane))
    return found


def _start(context: Any, builder: Any, signature: Any, given: Any, argument: int) -> Any:
    """Where the array of an argument begins, from the number on that is the argument after it."""
    return _from(context, builder, signature, given, argument, given[argument + 1])


def _from(context: Any, builder: Any, signature: Any, given: Any, argument: int, start: Any) -> Any:
    array = context.make_array(signature.args[argument])(context, builder, given[argument])
    return builder.gep(array.data, [start])


def _further(builder: Any, start: Any, number: Any, each: int, more: int) -> Any:
    return builder.gep(start, [builder.add(builder.mul(number, ir.Constant(_LONG, each)), ir.Constant(_LONG, more))])


def _read(builder: Any, start: Any, kind: Any) -> Any:
    return builder.load(builder.bitcast(start, kind.as_pointer()), align=4)


def _write(builder: Any, values: Any, start: Any) -> None:
    builder.store(values, builder.bitcast(start, _FLOATS.as_pointer()), align=4)


def _number(value: int) -> Any:
    return ir.Constant(_INT, value)


def _everywhere(value: int) -> Any:
    return ir.Constant(_INTS, [value] * LANES)
