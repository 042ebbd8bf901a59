"""The law of the types of pairs: in a step of training, from item to item, and in predictions, from user to user.

Source: ours, measured in docs/performance.md.
"""

from typing import Any

import numba
import numpy as np

from conv4rec.compiled.look_up import told_by_neighbours
from conv4rec.compiled.parallel import Parallel, floats, inlined, ints, number, parts_left, small_ints
from conv4rec.compiled.pieces import BITS, ONE, add_times, clear, dot, exponent, power

TOGETHER = 128
"""Pairs whose law is made at once."""


@Parallel
def types(words: Any) -> None:
    """Of N pairs by item: (N, C) products, the loss of their types (parts,), and (N, L) its gradient for the logits."""
    C, D, L = number(words, 0), number(words, 1), number(words, 2)
    cuts, starts, rows, kinds = ints(words, 4), ints(words, 5), ints(words, 6), ints(words, 7)
    decoder, z, output, bias = floats(words, 8), floats(words, 9), floats(words, 10), floats(words, 11)
    of_rows, covers, products, slope = floats(words, 12), floats(words, 13), floats(words, 14), floats(words, 15)
    loss, scratch = floats(words, 16), floats(words, 17)
    for part in parts_left(words):
        logits, lost = part * L, 0.0
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
    for part in parts_left(words):
        own, mine = part * B, part * C * L
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
    for part in parts_left(words):
        view, own, rows = part * n_items * 2, part * L * P, part * 8 * P
        mean, spread, both, near = rows, rows + P, rows + 2 * P, rows + 3 * P
        for user in range(cuts[part], cuts[part + 1]):
            if asked[user] == asked[user + 1]:
                continue
            row, mine = numba.uintp(user), numba.uintp(user) * K
            bias = beliefs[mine + K - 1]
            put_views(views, view, known, values, seen[user], seen[user + 1], bias, means, K)
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
                blend(logits, own, L, n, outcomes, scalars, room, rows)
                for level in range(L):
                    for p in range(n):
                        found[level * N + first + p] = logits[own + level * P + p]
            for n in range(seen[user], seen[user + 1]):
                clear(views, view + 2 * numba.uintp(known[n]), numba.uintp(2))


@inlined
def put_views(
    views: Any, view: Any, known: Any, values: Any, start: Any, stop: Any, bias: Any, means: Any, K: Any
) -> None:
    """What a user says of the items of a history, beyond the biases: the mean of what is said several times, and 1."""
    for n in range(start, stop):
        item = numba.uintp(known[n])
        views[view + 2 * item] += values[n] - bias - means[item * K + K - 1]
        views[view + 2 * item + 1] += ONE
    for n in range(start, stop):
        item = numba.uintp(known[n])
        views[view + 2 * item] /= views[view + 2 * item + 1]
        views[view + 2 * item + 1] = ONE


@inlined
def blend(logits: Any, at: Any, L: Any, n: Any, outcomes: Any, scalars: Any, room: Any, rows: Any) -> None:
    """Logits of the network for n pairs, by level, to the law in which the experts have joined: `RatingScalars.logits`.

    The first four rows of the room are what the experts say: mean, variance, biases, neighbours.
    """
    P = numba.uintp(TOGETHER)
    mean, spread, both, near = rows, rows + P, rows + 2 * P, rows + 3 * P
    sums, guess, slope = rows + 4 * P, rows + 6 * P, rows + 7 * P
    normalise(logits, at, L, n, outcomes, room, sums)
    for p in range(n):
        of_factors = scalars[3] * room[mean + p] + scalars[4] * room[both + p]
        room[slope + p] = of_factors + scalars[5] * room[near + p] + scalars[6] * room[guess + p]
    for level in range(L):
        value, doubt = outcomes[level], scalars[2] * outcomes[L + level] / 2
        for p in range(n):
            away = value - room[mean + p]
            said = scalars[1] * logits[at + level * P + p] + value * room[slope + p]
            said += scalars[numba.uintp(7) + level] - doubt * away * away / room[spread + p]
            logits[at + level * P + p] = said
    normalise(logits, at, L, n, outcomes, room, sums)


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
