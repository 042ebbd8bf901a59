"""The loops of lists by p_consume, over blocks of items by users: see `model.lists`.

Source: ours, measured in docs/performance.md.
"""

from typing import Any

import numba
import numpy as np

from conv4rec.compiled.look_up import GROUP, IN_BLOCK, LANES, TOLD, look_up, lowest, reaching, subset_sums
from conv4rec.compiled.parallel import (
    Parallel,
    bits_of,
    compiled,
    floats,
    inlined,
    ints,
    number,
    parts_left,
    small_ints,
)
from conv4rec.compiled.pieces import BITS, exponent, in_order, power


@compiled
def marked(rows: Any, items: Any, n_rows: Any, histories: Any) -> bool:
    """Mark (N,) users at (N,) items in (I, W) words, given as zeros, for `look_up`; False where one is none."""
    n_items = len(histories)
    for n in range(len(rows)):
        if not (0 <= items[n] < n_items and 0 <= rows[n] < n_rows):
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
    for part in parts_left(words):
        groups, total = part * n_groups, part * n_blocks * IN_BLOCK
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


@compiled
def raised(values: Any, places: Any, by: Any, room: Any) -> None:
    """Add a number to the values at (N,) places; to one that is there twice, once."""
    for n in range(len(places)):
        room[n] = values[places[n]] + by
    for n in range(len(places)):
        values[places[n]] = room[n]


@Parallel
def columns_added(words: Any) -> None:
    """Log-sum-exp (parts, B) of the columns of each part of a block, in nats; `bits` of a logit of one."""
    B, cuts, logits, bits = number(words, 0), ints(words, 1), floats(words, 2), floats(words, 3)[0]
    top, total = floats(words, 4), floats(words, 5)
    for part in parts_left(words):
        mine = part * B
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
def reached(scores: Any, least: Any, start: Any, bits: Any, keys: Any, counts: Any) -> int:
    """Put keys of those of (b, B) scores that reach the (B,) least of their user, by item; count them for each user.

    Items are numbered from `start` on, in `bits` bits: keys are those of `by_score`. Returns how many there are.
    """
    (n_items, B), flat, found = scores.shape, scores.reshape(-1), 0
    for item in range(n_items):
        row, name = numba.uintp(item * B), np.uint64(start + item)
        for base in range(numba.uintp(0), numba.uintp(B), numba.uintp(TOLD)):
            some = (
                reaching(flat, row + base, least, base) if base + TOLD <= B else few_reaching(flat, row, least, base, B)
            )
            while some:
                user = base + lowest(some)
                keys[found] = key_of(user, flat[row + user], name, bits)
                counts[user] += 1
                found += 1
                some &= some - np.uint64(1)
    return found


@inlined
def few_reaching(values: Any, row: Any, least: Any, base: Any, B: Any) -> Any:
    """What `reaching` tells, where fewer values are left."""
    some = np.uint64(0)
    for user in range(base, numba.uintp(B)):
        some |= np.uint64(values[row + user] >= least[user]) << np.uint64(user - base)
    return some


@inlined
def key_of(user: Any, score: Any, name: Any, bits: Any) -> Any:
    """User, falling score, and item, in one number; -0.0 is 0.0."""
    falling = np.uint32(in_order(bits_of(score + np.float32(0.0))) ^ 0x7FFFFFFF)
    return (((np.uint64(user) << np.uint64(32)) | np.uint64(falling)) << np.uint64(bits)) | name


@compiled
def by_score(keys: Any, first: Any, bits: Any, found: Any) -> None:
    """(N,) keys of user, falling score (32 bits) and item (`bits` bits), in the order of user and score.

    Keys of the same user and score stay in their order. Those of user b are put from `first[b]` of (B,) on. What a user
    has is few enough to be brought in order in the cache, byte by byte.
    """
    ends, user_at = first.copy(), np.uint64(32 + bits)
    for n in range(len(keys)):
        row = keys[n] >> user_at
        found[ends[row]] = keys[n]
        ends[row] += 1
    places = np.empty((4, 256), np.int64)
    for row in range(len(first)):
        start, stop = first[row], ends[row]
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
