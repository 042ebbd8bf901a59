"""The loops of a step of training (sums over histories, softmax, ratings of pairs, their gradients) and of lists.

Those over items go from item to item, so that a row of a table is read once, and in its order in memory; what they add
to, a row of D numbers for each of the B users of a batch, stays in the cache. Those over users go from row to row, each
of which stays in the cache. Sums over parts are kept apart, and are added up by the caller in their order.
Source: ours, measured in docs/performance.md.

All of it is one file, since Numba keeps what it has compiled for as long as the file of a loop is the same.
"""

from typing import Any

import numba
import numpy as np

from conv4rec.compiled.look_up import (
    GROUP,
    IN_BLOCK,
    LANES,
    STRIPES,
    look_up,
    subset_sums,
    told_by_neighbours,
)
from conv4rec.compiled.parallel import (
    Parallel,
    bits_of,
    compiled,
    floats,
    inlined,
    ints,
    next_part,
    number,
    of_bits,
    small_ints,
)

ONE, BITS = np.float32(1.0), np.float32(1.4426950408889634)
FEW = np.float32(-126.0)
"""Powers of 2 below this exponent are taken for it: float32 has none."""
NO_PARTS, OF_NO_PARTS = np.float32(1.5 * 2**23), 0x4B400000
"""Added to a number it leaves no room for parts of one, so that its bits, less these, are the nearest whole number."""
OF_ROOT_HALF = 0x3F3504F3
"""The bits of the root of a half."""
TOGETHER = 128
"""Pairs whose law is made at once."""


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


@compiled
def grouped(rows: Any, keys: Any, kinds: Any, starts: Any, order: Any, of_rows: Any, of_kinds: Any) -> Any:
    """The stable order (N,) that brings equal keys together, two columns in it, and where those of each key begin.

    That is (n + 1,) `starts`, given as zeros. Returns the largest kind; -1 of none, and -2 where a key is not below n.
    """
    n, most = len(starts) - 1, -1
    for at in range(len(keys)):
        if not 0 <= keys[at] < n or kinds[at] < 0:
            return -2
        starts[keys[at] + 1] += 1
        most = max(most, kinds[at])
    for key in range(n):
        starts[key + 1] += starts[key]
    for at in range(len(keys)):
        to = starts[keys[at]]
        starts[keys[at]] = to + 1
        order[to], of_rows[to], of_kinds[to] = at, rows[at], kinds[at]
    for key in range(n, 0, -1):
        starts[key] = starts[key - 1]
    starts[0] = 0
    return most


@compiled
def cut(starts: Any, each: Any, cuts: Any) -> None:
    """(parts + 1,) keys at which parts of about the same work begin: the number of a key, and `each` for itself."""
    n, parts, part = len(starts) - 1, len(cuts) - 1, 0
    whole = starts[n] + each * n
    for key in range(n):
        while part < parts and (starts[key] + each * key) * parts >= part * whole:
            cuts[part] = key
            part += 1
    for left in range(part, parts + 1):
        cuts[left] = n


@compiled
def parted(mask: Any, columns: Any, n_rows: Any, kept: Any, hidden: Any) -> None:
    """Three columns (N,), of which the first ascends, to (3, n) those where the mask is false, and the rest.

    Behind each are (n_rows + 1,) where every row begins, and where the last one ends.
    """
    rows, items, channels = columns
    to, away, row = 0, 0, 0
    for n in range(len(mask)):
        while row <= rows[n]:
            kept[1][row], hidden[1][row] = to, away
            row += 1
        if mask[n]:
            hidden[0][0, away], hidden[0][1, away], hidden[0][2, away] = rows[n], items[n], channels[n]
            away += 1
        else:
            kept[0][0, to], kept[0][1, to], kept[0][2, to] = rows[n], items[n], channels[n]
            to += 1
    while row <= n_rows:
        kept[1][row], hidden[1][row] = to, away
        row += 1


@compiled
def described(ends: Any, items: Any, channels: Any, statistics: Any, shrinkage: Any, extra: Any, shift: Any) -> None:
    """What the rating path knows of histories: (N, 2) deviations, and (B, L) log-ratios of histograms, as it says."""
    value, rated, item_value, log_histogram = statistics
    n_users, n_levels = shift.shape
    for user in range(n_users):
        total, n_rated = np.float32(0.0), np.float32(0.0)
        shift[user] = shrinkage * np.exp(log_histogram)
        n_known = np.float32(0.0)
        for n in range(ends[user], ends[user + 1]):
            channel = channels[n]
            extra[n, 1] = (value[channel] - item_value[items[n]]) * rated[channel]
            total += extra[n, 1]
            n_rated += rated[channel]
            if channel < n_levels:
                shift[user, channel] += ONE
                n_known += ONE
        mean = total / (n_rated + shrinkage)
        for n in range(ends[user], ends[user + 1]):
            extra[n, 0] = extra[n, 1] - mean * rated[channels[n]]
        for level in range(n_levels):
            shift[user, level] = np.log(shift[user, level] / (n_known + shrinkage)) - log_histogram[level]


@Parallel
def sums(words: Any) -> None:
    """Of mixtures of rows of a table, (parts, B, D), with the scratch of each part: see `by_item.sums_by_item`."""
    C, D, B, K, J = number(words, 0), number(words, 1), number(words, 2), number(words, 3), number(words, 4)
    order = ints(words, 5)
    cuts, starts, rows, kinds = ints(words, 6), ints(words, 7), ints(words, 8), ints(words, 9)
    extra, table, mixing, total = floats(words, 10), floats(words, 11), floats(words, 12), floats(words, 13)
    mixed, made = floats(words, 14), ints(words, 15)
    while True:
        part = next_part(words)
        if part < 0:
            break
        to, own, known = numba.uintp(part) * B * D, numba.uintp(part) * (K + J) * D, numba.uintp(part) * K
        clear(total, to, B * D)
        for item in range(cuts[part], cuts[part + 1]):
            if starts[item] == starts[item + 1]:
                continue
            row = numba.uintp(item) * C * D
            for j in range(K, K + J):
                mix(mixed, own + j * D, mixing, j * C, table, row, C, D)
            for n in range(starts[item], starts[item + 1]):
                kind, user = numba.uintp(kinds[n]), to + numba.uintp(rows[n]) * D
                if made[known + kind] != item + 1:
                    made[known + kind] = item + 1
                    mix(mixed, own + kind * D, mixing, kind * C, table, row, C, D)
                add(total, user, mixed, own + kind * D, D)
                for j in range(J):
                    add_times(total, user, extra[numba.uintp(order[n]) * J + j], mixed, own + (K + j) * D, D)


@inlined
def mix(to: Any, at: Any, mixing: Any, weights: Any, table: Any, row: Any, C: Any, D: Any) -> None:
    """The C rows of D numbers of an item, added up with their weights."""
    put_times(to, at, mixing[weights], table, row, D)
    for c in range(numba.uintp(1), C):
        add_times(to, at, mixing[weights + c], table, row + c * D, D)


@Parallel
def sums_back(words: Any) -> None:
    """The gradients of `sums` for the table, and for the mixing (parts, K + J, C), which is cleared before.

    Where there are moments, rows of the table are moved as Adam does, and their gradients are left nowhere.
    """
    C, D, K, J, order = number(words, 0), number(words, 1), number(words, 3), number(words, 4), ints(words, 5)
    cuts, starts, rows, kinds = ints(words, 6), ints(words, 7), ints(words, 8), ints(words, 9)
    extra, table, mixing, slope = floats(words, 10), floats(words, 11), floats(words, 12), floats(words, 13)
    added, made, of_mixing, of_table = floats(words, 14), ints(words, 15), floats(words, 16), floats(words, 17)
    mean, square, rates = floats(words, 18), floats(words, 19), floats(words, 20)
    moves = len(mean) > 0
    while True:
        part = next_part(words)
        if part < 0:
            break
        own, known, mine = numba.uintp(part) * (K + J) * D, numba.uintp(part) * K, numba.uintp(part) * (K + J) * C
        for item in range(cuts[part], cuts[part + 1]):
            clear(added, own + K * D, J * D)
            for n in range(starts[item], starts[item + 1]):
                kind, user = numba.uintp(kinds[n]), numba.uintp(rows[n]) * D
                if made[known + kind] != item + 1:
                    made[known + kind] = item + 1
                    put_times(added, own + kind * D, ONE, slope, user, D)
                else:
                    add(added, own + kind * D, slope, user, D)
                for j in range(J):
                    add_times(added, own + (K + j) * D, extra[numba.uintp(order[n]) * J + j], slope, user, D)
            for c in range(C):
                row = (numba.uintp(item) * C + c) * D
                to = numba.uintp(part) * D if moves else row
                clear(of_table, to, D)
                for j in range(K + J):
                    if starts[item] < starts[item + 1] and (j >= K or made[known + j] == item + 1):
                        add_times(of_table, to, mixing[j * C + c], added, own + j * D, D)
                        of_mixing[mine + j * C + c] += dot(added, own + j * D, table, row, D)
                if moves:
                    move(table, mean, square, numba.uintp(item) * C + c, of_table, to, rates, D)


@Parallel
def moved(words: Any) -> None:
    """Rows of D numbers moved along their gradients, in which the penalty is left."""
    D, cuts, values, slope = number(words, 0), ints(words, 1), floats(words, 2), floats(words, 3)
    mean, square, rates = floats(words, 4), floats(words, 5), floats(words, 6)
    while True:
        part = next_part(words)
        if part < 0:
            break
        for row in range(cuts[part], cuts[part + 1]):
            move(values, mean, square, numba.uintp(row), slope, numba.uintp(row) * D, rates, D)


@inlined
def move(values: Any, mean: Any, square: Any, row: Any, slope: Any, start: Any, rates: Any, n: Any) -> None:
    """Move a row of n numbers as `training.adam.Adam` does by row, with its rates."""
    size, root, beta1, beta2, eps, decay = rates[0], rates[1], rates[2], rates[3], rates[4], rates[5]
    add_times(slope, start, decay, values, row * n, n)
    square[row] = beta2 * square[row] + (ONE - beta2) * dot(slope, start, slope, start, n) / np.float32(n)
    step = size / (np.sqrt(square[row]) * root + eps)
    for d in range(n):
        mean[row * n + d] += (ONE - beta1) * (slope[start + d] - mean[row * n + d])
        values[row * n + d] -= step * mean[row * n + d]


@Parallel
def bend(words: Any) -> None:
    """The hyperbolic tangent of rows times their scales, plus a bias; what dropout leaves of it beside it."""
    D, cuts, total, scale = number(words, 0), ints(words, 1), floats(words, 2), floats(words, 3)
    bias, kept, bent, found = floats(words, 4), floats(words, 5), floats(words, 6), floats(words, 7)
    while True:
        part = next_part(words)
        if part < 0:
            break
        for user in range(cuts[part], cuts[part + 1]):
            row, times = numba.uintp(user) * D, scale[user]
            for d in range(D):
                bent[row + d] = tangent(total[row + d] * times + bias[d])
            if len(kept) > 0:
                for d in range(D):
                    found[row + d] = bent[row + d] * kept[row + d]


@Parallel
def bend_back(words: Any) -> None:
    """The gradients of `bend`: of the sums it was given, and of the bias, in the sums of each part, cleared before."""
    D, cuts, bent, scale = number(words, 0), ints(words, 1), floats(words, 2), floats(words, 3)
    kept, slope, of_total, of_bias = floats(words, 4), floats(words, 5), floats(words, 6), floats(words, 7)
    while True:
        part = next_part(words)
        if part < 0:
            break
        mine = numba.uintp(part) * D
        for user in range(cuts[part], cuts[part + 1]):
            row, times = numba.uintp(user) * D, scale[user]
            for d in range(D):
                of_total[row + d] = slope[row + d] * (ONE - bent[row + d] * bent[row + d])
            if len(kept) > 0:
                for d in range(D):
                    of_total[row + d] *= kept[row + d]
            add(of_bias, mine, of_total, row, D)
            for d in range(D):
                of_total[row + d] *= times


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


@Parallel
def powers(words: Any) -> None:
    """Of 2, of rows of a block of logits in bits, in place, when the history has its due: see `model.softmax`."""
    width, once, known = number(words, 0), number(words, 2), number(words, 3)
    first = numba.int64(number(words, 1))
    cuts, logits, marks = ints(words, 4), floats(words, 5), ints(words, 6)
    seen, items, repeat = ints(words, 7), ints(words, 8), floats(words, 9)
    asked, targets = ints(words, 10), ints(words, 11)
    top, total, picked = floats(words, 12), floats(words, 13), floats(words, 14)
    while True:
        part = next_part(words)
        if part < 0:
            break
        for user in range(cuts[part], cuts[part + 1]):
            row, mark = numba.uintp(user) * width, numba.uintp(part) * width
            for n in range(seen[user], seen[user + 1]):
                at = numba.uintp(items[n] - first)  # one before the block is a large number too
                if at < width and not (once and marks[mark + at] == user + 1):
                    logits[row + at] += repeat[0]
                    if once:
                        marks[mark + at] = user + 1
            if not known:
                for n in range(asked[user], asked[user + 1]):
                    at = numba.uintp(targets[n] - first)
                    if at < width:
                        picked[user] += logits[row + at]
                before, top[user] = top[user], max(top[user], largest_of(logits, row, width))
                total[user] *= power(before - top[user])
            most, found = top[user], np.float32(0.0)
            for d in range(width):
                raised = power(logits[row + d] - most)
                logits[row + d] = raised
                found += raised
            total[user] += found


@Parallel
def slopes(words: Any) -> None:
    """From powers to what the gradient of logits is over the weight of each row, and the sum of that of the history."""
    width, once, of_seen = number(words, 0), number(words, 2), number(words, 3)
    first = numba.int64(number(words, 1))
    cuts, raised, marks = ints(words, 4), floats(words, 5), ints(words, 6)
    seen, items, asked, targets = ints(words, 7), ints(words, 8), ints(words, 9), ints(words, 10)
    weight, at_seen = floats(words, 11), floats(words, 12)
    while True:
        part = next_part(words)
        if part < 0:
            break
        for user in range(cuts[part], cuts[part + 1]):
            row, mark = numba.uintp(user) * width, numba.uintp(part) * width
            for n in range(asked[user], asked[user + 1]):
                at = numba.uintp(targets[n] - first)
                if at < width:
                    raised[row + at] -= ONE / weight[user]
            for n in range(seen[user], seen[user + 1] if of_seen else seen[user]):
                at = numba.uintp(items[n] - first)
                if at < width and not (once and marks[mark + at] == user + 1):
                    at_seen[user] += raised[row + at] * weight[user]
                    if once:
                        marks[mark + at] = user + 1


@Parallel
def types(words: Any) -> None:
    """Of N pairs by item: (N, C) products, the loss of their types (parts,), and (N, L) its gradient for the logits."""
    C, D, L = number(words, 0), number(words, 1), number(words, 2)
    cuts, starts, rows, kinds = ints(words, 4), ints(words, 5), ints(words, 6), ints(words, 7)
    decoder, z, output, bias = floats(words, 8), floats(words, 9), floats(words, 10), floats(words, 11)
    of_rows, covers, products, slope = floats(words, 12), floats(words, 13), floats(words, 14), floats(words, 15)
    loss, scratch = floats(words, 16), floats(words, 17)
    while True:
        part = next_part(words)
        if part < 0:
            break
        logits, lost = numba.uintp(part) * L, 0.0
        for item in range(cuts[part], cuts[part + 1]):
            for n in range(starts[item], starts[item + 1]):
                place, user, kind = numba.uintp(n), numba.uintp(rows[n]), numba.uintp(kinds[n]) * L
                for d in range(L):
                    scratch[logits + d] = bias[numba.uintp(item) * L + d] + of_rows[user * L + d]
                for c in range(C):
                    product = dot(decoder, (numba.uintp(item) * C + c) * D, z, user * D, D)
                    products[place * C + c] = product
                    add_times(scratch, logits, product, output, c * L, L)
                most, possible = np.float32(-np.inf), np.float32(-np.inf)
                for d in range(L):
                    most = max(most, scratch[logits + d])
                    if covers[kind + d] > 0:
                        possible = max(possible, scratch[logits + d])
                of_all, of_possible = np.float32(0.0), np.float32(0.0)
                for d in range(L):
                    likely = power((scratch[logits + d] - most) * BITS)
                    slope[place * L + d] = likely
                    of_all += likely
                    if covers[kind + d] > 0:
                        of_possible += power((scratch[logits + d] - possible) * BITS)
                lost += (most - possible) + np.log(of_all) - np.log(of_possible)
                for d in range(L):
                    slope[place * L + d] /= of_all
                    if covers[kind + d] > 0:
                        slope[place * L + d] -= power((scratch[logits + d] - possible) * BITS) / of_possible
        loss[part] = lost


@Parallel
def types_back(words: Any) -> None:
    """The gradients of `types`: tables by item, what is alike for all items or of a user in the sums of each part."""
    C, D, L, B = number(words, 0), number(words, 1), number(words, 2), number(words, 3)
    cuts, starts, rows = ints(words, 4), ints(words, 5), ints(words, 6)
    decoder, z, output = floats(words, 7), floats(words, 8), floats(words, 9)
    products, slope = floats(words, 10), floats(words, 11)
    weight, of_decoder, of_z, of_output = floats(words, 12), floats(words, 13), floats(words, 14), floats(words, 15)
    of_bias, of_rows = floats(words, 16), floats(words, 17)
    while True:
        part = next_part(words)
        if part < 0:
            break
        own, mine = numba.uintp(part) * B, numba.uintp(part) * C * L
        clear(of_z, own * D, B * D)
        clear(of_rows, own * L, B * L)
        clear(of_output, mine, C * L)
        for item in range(cuts[part], cuts[part + 1]):
            row = numba.uintp(item) * C
            clear(of_decoder, row * D, C * D)
            clear(of_bias, numba.uintp(item) * L, L)
            for n in range(starts[item], starts[item + 1]):
                place, user = numba.uintp(n), numba.uintp(rows[n])
                add_times(of_bias, numba.uintp(item) * L, weight[0], slope, place * L, L)
                add_times(of_rows, (own + user) * L, weight[0], slope, place * L, L)
                for c in range(C):
                    pull = weight[0] * dot(output, c * L, slope, place * L, L)
                    add_times(of_decoder, (row + c) * D, pull, z, user * D, D)
                    add_times(of_z, (own + user) * D, pull, decoder, (row + c) * D, D)
                    add_times(of_output, mine + c * L, weight[0] * products[place * C + c], slope, place * L, L)


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


@Parallel
def law_of_pairs(words: Any) -> None:
    """(L, N) log-probabilities of the types of N pairs by user: see `model.pair_law`.

    `views` are zeros for each part, two an item: what a user says of it, and whether. Those of one user are put there,
    asked, and taken away again. A part has room for the logits of TOGETHER pairs by level, and for eight rows of them.
    """
    C, D, L, K = number(words, 0), number(words, 1), number(words, 2), number(words, 3)
    M, S, n_items, N = number(words, 4), number(words, 5), number(words, 6), number(words, 7)
    cuts, asked, items, met = ints(words, 8), ints(words, 9), ints(words, 10), ints(words, 11)
    seen, known, values = ints(words, 12), ints(words, 13), floats(words, 14)
    z, of_users, decoder = floats(words, 15), floats(words, 16), floats(words, 17)
    output, of_items = floats(words, 18), floats(words, 19)
    beliefs, doubts, means, spreads = floats(words, 20), floats(words, 21), floats(words, 22), floats(words, 23)
    neighbours, weights = small_ints(words, 24), floats(words, 25)
    outcomes, scalars, views = floats(words, 26), floats(words, 27), floats(words, 28)
    logits, room, found = floats(words, 29), floats(words, 30), floats(words, 31)
    P = numba.uintp(TOGETHER)
    while True:
        part = next_part(words)
        if part < 0:
            break
        view, own, rows = numba.uintp(part) * n_items * 2, numba.uintp(part) * L * P, numba.uintp(part) * 8 * P
        mean, spread, both, near = rows, rows + P, rows + 2 * P, rows + 3 * P
        for user in range(cuts[part], cuts[part + 1]):
            if asked[user] == asked[user + 1]:
                continue
            row, mine = numba.uintp(user), numba.uintp(user) * K
            bias = beliefs[mine + K - 1]
            for n in range(seen[user], seen[user + 1]):
                item = numba.uintp(known[n])
                views[view + 2 * item] += values[n] - bias - means[item * K + K - 1]
                views[view + 2 * item + 1] += ONE
            for n in range(seen[user], seen[user + 1]):
                item = numba.uintp(known[n])
                views[view + 2 * item] /= views[view + 2 * item + 1]
                views[view + 2 * item + 1] = ONE
            for start in range(asked[user], asked[user + 1], TOGETHER):
                first = numba.uintp(start)
                n = min(P, numba.uintp(asked[user + 1]) - first)
                for p in range(n):
                    item = numba.uintp(items[first + p])
                    for level in range(L):
                        logits[own + level * P + p] = of_items[item * L + level] + of_users[row * L + level]
                    for c in range(C):
                        product = dot(decoder, (item * C + c) * D, z, row * D, D)
                        for level in range(L):
                            logits[own + level * P + p] += product * output[c * L + level]
                    room[both + p] = bias + means[item * K + K - 1]
                    room[mean + p] = room[both + p] + dot(beliefs, mine, means, item * K, K - 1)
                    room[spread + p] = scalars[0] + dot(doubts, row * S, spreads, numba.uintp(met[first + p]) * S, S)
                    room[near + p] = told_by_neighbours(neighbours, weights, item * M, M, views, view)
                normalise(logits, own, L, n, outcomes, room, rows + 4 * P)
                for p in range(n):
                    guess = room[rows + 6 * P + p]
                    slope = scalars[3] * room[mean + p] + scalars[4] * room[both + p]
                    room[rows + 7 * P + p] = slope + scalars[5] * room[near + p] + scalars[6] * guess
                for level in range(L):
                    value, doubt = outcomes[level], scalars[2] * outcomes[L + level] / 2
                    for p in range(n):
                        away = value - room[mean + p]
                        said = scalars[1] * logits[own + level * P + p] + value * room[rows + 7 * P + p]
                        said += scalars[numba.uintp(7) + level] - doubt * away * away / room[spread + p]
                        logits[own + level * P + p] = said
                normalise(logits, own, L, n, outcomes, room, rows + 4 * P)
                for level in range(L):
                    for p in range(n):
                        found[level * N + first + p] = logits[own + level * P + p]
            for n in range(seen[user], seen[user + 1]):
                item = numba.uintp(known[n])
                views[view + 2 * item] = views[view + 2 * item + 1] = np.float32(0.0)


@inlined
def normalise(logits: Any, at: Any, L: Any, n: Any, values: Any, room: Any, rows: Any) -> None:
    """Logits of n pairs, by level, to logarithms of probabilities; the third row of the room is the mean of values."""
    P = numba.uintp(TOGETHER)
    most, total, mean = rows, rows + P, rows + 2 * P
    for p in range(n):
        room[most + p], room[total + p], room[mean + p] = logits[at + p], np.float32(0.0), np.float32(0.0)
    for level in range(numba.uintp(1), L):
        for p in range(n):
            room[most + p] = max(room[most + p], logits[at + level * P + p])
    for level in range(L):
        for p in range(n):
            likely = power((logits[at + level * P + p] - room[most + p]) * BITS)
            room[total + p] += likely
            room[mean + p] += likely * values[level]
    for p in range(n):
        room[mean + p] /= room[total + p]
        room[most + p] += exponent(room[total + p]) / BITS
    for level in range(L):
        for p in range(n):
            logits[at + level * P + p] -= room[most + p]


@compiled
def marked(rows: Any, items: Any, histories: Any) -> bool:
    """Mark (N,) users at (N,) items in (I, W) words, given as zeros, for `look_up`; False where one is none."""
    n_items, width = histories.shape
    for n in range(len(rows)):
        if not (0 <= items[n] < n_items and 0 <= rows[n] < width * STRIPES):
            return False
        block, user = divmod(rows[n], IN_BLOCK)
        histories[items[n], block * LANES + user % LANES] |= np.int32(1 << 4 * (user // LANES))
    return True


@Parallel
def known_joined(words: Any) -> None:
    """Logarithms of sums over M neighbours above floors (B,), and a bias, added to logits: rows of items.

    For each part there is room for M neighbours and their weights, up to whole groups; for what the groups say; and for
    the sums of B users, up to whole blocks.
    """
    B, M, cuts, logits, bias = number(words, 0), number(words, 1), ints(words, 2), floats(words, 3), floats(words, 4)
    histories, width, items, weights = small_ints(words, 5), number(words, 6), small_ints(words, 7), floats(words, 8)
    floor, neighbours, weighs = floats(words, 9), small_ints(words, 10), floats(words, 11)
    says, known = floats(words, 12), floats(words, 13)
    n_groups, n_blocks = (M + numba.uintp(GROUP - 1)) // numba.uintp(GROUP), width // numba.uintp(LANES)
    while True:
        part = next_part(words)
        if part < 0:
            break
        groups, total = numba.uintp(part) * n_groups, numba.uintp(part) * n_blocks * IN_BLOCK
        mine, table = groups * GROUP, groups * LANES
        for m in range(M, n_groups * GROUP):
            neighbours[mine + m], weighs[mine + m] = 0, np.float32(0.0)
        for item in range(cuts[part], cuts[part + 1]):
            row, more = numba.uintp(item) * B, bias[item]
            for m in range(M):
                neighbours[mine + m] = items[numba.uintp(item) * M + m]
                weighs[mine + m] = weights[numba.uintp(item) * M + m]
            subset_sums(weighs, mine, n_groups, says, table)
            for block in range(n_blocks):
                put = total + block * IN_BLOCK
                look_up(histories, block * LANES, width, neighbours, mine, n_groups, says, table, known, put)
            for d in range(B):
                logits[row + d] += more + exponent(floor[d] + max(known[total + d], np.float32(0.0)))


@Parallel
def columns_added(words: Any) -> None:
    """Log-sum-exp (parts, B) of the columns of each part of a block, in nats; `bits` of a logit of one."""
    B, cuts, logits, bits = number(words, 0), ints(words, 1), floats(words, 2), floats(words, 3)[0]
    top, total = floats(words, 4), floats(words, 5)
    while True:
        part = next_part(words)
        if part < 0:
            break
        mine = numba.uintp(part) * B
        for d in range(B):
            top[mine + d], total[mine + d] = np.float32(-np.inf), np.float32(0.0)
        for item in range(cuts[part], cuts[part + 1]):
            for d in range(B):
                top[mine + d] = max(top[mine + d], logits[numba.uintp(item) * B + d])
        for item in range(cuts[part], cuts[part + 1]):
            for d in range(B):
                total[mine + d] += power((logits[numba.uintp(item) * B + d] - top[mine + d]) * bits)
        for d in range(B):
            total[mine + d] = np.log(total[mine + d]) + top[mine + d] * bits / BITS


@compiled
def by_score(keys: Any, starts: Any, bits: Any, found: Any) -> None:
    """(N,) keys of user, falling score (32 bits) and item (`bits` bits), in the order of user and score.

    Keys of the same user and score stay in their order. Those of user b are put from `starts[b]` of (B + 1,) on. What a
    user has is few enough to be brought in order in the cache, byte by byte.
    """
    N, n_rows, user_at = len(keys), len(starts) - 1, np.uint64(32 + bits)
    for n in range(N):
        row = keys[n] >> user_at
        found[starts[row]] = keys[n]
        starts[row] += 1
    for row in range(n_rows, 0, -1):
        starts[row] = starts[row - 1]
    starts[0] = 0
    places = np.empty((4, 256), np.int64)
    for row in range(n_rows):
        start, stop = starts[row], starts[row + 1]
        places[:] = 0
        for n in range(start, stop):
            score = found[n] >> np.uint64(bits)
            for byte in range(4):
                places[byte, (score >> np.uint64(8 * byte)) & np.uint64(255)] += 1
        for byte in range(4):
            place = start
            for digit in range(256):
                place, places[byte, digit] = place + places[byte, digit], place
        for byte in range(0, 4, 2):
            by_byte(found, keys, start, stop, places[byte], np.uint64(bits + 8 * byte))
            by_byte(keys, found, start, stop, places[byte + 1], np.uint64(bits + 8 * byte + 8))


@inlined
def by_byte(keys: Any, to: Any, start: Any, stop: Any, places: Any, shift: Any) -> None:
    """Bring keys to the place of their byte from a bit on, and what has the same one behind it."""
    for n in range(start, stop):
        byte = (keys[n] >> shift) & np.uint64(255)
        to[places[byte]] = keys[n]
        places[byte] += 1
