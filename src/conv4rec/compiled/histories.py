"""Sums over histories, their gradients, and what is made of them: the loops of encoders.

They go from item to item, so that a row of a table is read once, and in its order in memory; what they add to, a row of
D numbers for each of the B users of a batch, stays in the cache. Sums over parts are kept apart, and are added up by
the caller in their order. Source: ours, measured in docs/performance.md.
"""

from typing import Any

import numba
import numpy as np

from conv4rec.compiled.parallel import Parallel, compiled, floats, inlined, ints, number, parts_left
from conv4rec.compiled.pieces import ONE, add, add_times, clear, dot, put_times, tangent


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
    for part in parts_left(words):
        to, own, known = part * B * D, part * (K + J) * D, part * K
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
    for part in parts_left(words):
        own, known, mine = part * (K + J) * D, part * K, part * (K + J) * C
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
                to = part * D if moves else row
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
    for part in parts_left(words):
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
    for part in parts_left(words):
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
    for part in parts_left(words):
        mine = part * D
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
