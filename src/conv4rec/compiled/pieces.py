"""The pieces that loops are made of: rows of numbers, powers and logarithms to the last digits of float32.

Source: ours, measured in docs/performance.md.
"""

from typing import Any

import numpy as np

from conv4rec.compiled.parallel import bits_of, inlined, of_bits

ONE, BITS = np.float32(1.0), np.float32(1.4426950408889634)
FEW = np.float32(-126.0)
"""Powers of 2 below this exponent are taken for it: float32 has none."""
NO_PARTS, OF_NO_PARTS = np.float32(1.5 * 2**23), 0x4B400000
"""Added to a number it leaves no room for parts of one, so that its bits, less these, are the nearest whole number."""
OF_ROOT_HALF = 0x3F3504F3
"""The bits of the root of a half."""


@inlined
def add(to: Any, at: Any, what: Any, start: Any, n: Any) -> None:
    """Add n numbers to others."""
    for d in range(n):
        to[at + d] += what[start + d]


@inlined
def add_times(to: Any, at: Any, factor: Any, what: Any, start: Any, n: Any) -> None:
    """Add n numbers times a factor to others."""
    for d in range(n):
        to[at + d] += factor * what[start + d]


@inlined
def put_times(to: Any, at: Any, factor: Any, what: Any, start: Any, n: Any) -> None:
    """Put n numbers times a factor in the place of others."""
    for d in range(n):
        to[at + d] = factor * what[start + d]


@inlined
def clear(what: Any, start: Any, n: Any) -> None:
    """Put n zeros."""
    for d in range(n):
        what[start + d] = np.float32(0.0)


@inlined
def dot(one: Any, start: Any, other: Any, at: Any, n: Any) -> Any:
    """The sum of products of n numbers."""
    found = np.float32(0.0)
    for d in range(n):
        found += one[start + d] * other[at + d]
    return found


@inlined
def power(exponent: Any) -> Any:
    """2 to an exponent up to 127, to the last digits of float32: a series in the part that is no whole number."""
    exponent = FEW if exponent < FEW else exponent
    whole = np.int32(bits_of(exponent + NO_PARTS) - OF_NO_PARTS)
    part = exponent - np.float32(whole)
    series = np.float32(1.5353362e-4)
    series = series * part + np.float32(1.3398874e-3)
    series = series * part + np.float32(9.6184373e-3)
    series = series * part + np.float32(5.5503286e-2)
    series = series * part + np.float32(2.4022648e-1)
    series = series * part + np.float32(6.9314720e-1)
    series = series * part + ONE
    return series * of_bits(np.int32(np.int32(whole + 127) << 23))


@inlined
def exponent(value: Any) -> Any:
    """The logarithm to the base 2 of a positive number, to the last digits of float32; of what is none, itself."""
    bits = bits_of(value)
    whole = np.int32(np.int32(bits - OF_ROOT_HALF) >> 23)
    part = of_bits(np.int32(bits - np.int32(whole << 23)))  # from the root of a half to the root of two
    ratio = (part - ONE) / (part + ONE)
    squared = ratio * ratio
    series = np.float32(0.32059889) * squared + np.float32(0.41219859)
    series = series * squared + np.float32(0.57707802)
    series = series * squared + np.float32(0.96179669)
    series = series * squared + np.float32(2.88539008)
    return series * ratio + np.float32(whole) if value == value else value


@inlined
def tangent(value: Any) -> Any:
    """The hyperbolic tangent, to the last digits of float32: a series near zero, and a power elsewhere."""
    away, squared = abs(value), value * value
    shrunk = power(np.float32(-2.0) * BITS * away)
    far = (ONE - shrunk) / (ONE + shrunk)
    near = np.float32(-5.3968254e-2) * squared + np.float32(1.3333333e-1)
    near = (near * squared - np.float32(3.3333333e-1)) * squared * value + value
    return near if away < np.float32(0.15) else (far if value > 0 else -far)


@inlined
def largest_of(values: Any, start: Any, n: Any) -> Any:
    """The largest of n numbers, or one that is none, found among whole numbers in the same order."""
    found = np.int32(-(1 << 31))
    for d in range(n):
        found = max(found, in_order(bits_of(values[start + d])))
    return of_bits(in_order(found))


@inlined
def in_order(bits: Any) -> Any:
    """Bits of numbers to whole numbers in the order of the numbers, and back."""
    return np.int32(bits ^ ((bits >> 31) & 0x7FFFFFFF))
