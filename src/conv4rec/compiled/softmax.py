"""The softmax over items, from user to user, each of whom stays in the cache: see `model.softmax`.

Source: ours, measured in docs/performance.md.
"""

from typing import Any

import numba
import numpy as np

from conv4rec.compiled.parallel import Parallel, floats, ints, number, parts_left
from conv4rec.compiled.pieces import ONE, largest_of, power


@Parallel
def powers(words: Any) -> None:
    """Of 2, of rows of a block of logits in bits, in place, when the history has its due: see `model.softmax`."""
    width, once, known = number(words, 0), number(words, 2), number(words, 3)
    first = numba.int64(number(words, 1))
    cuts, logits, marks = ints(words, 4), floats(words, 5), ints(words, 6)
    seen, items, repeat = ints(words, 7), ints(words, 8), floats(words, 9)
    asked, targets = ints(words, 10), ints(words, 11)
    top, total, picked = floats(words, 12), floats(words, 13), floats(words, 14)
    for part in parts_left(words):
        for user in range(cuts[part], cuts[part + 1]):
            row, mark = numba.uintp(user) * width, part * width
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
    for part in parts_left(words):
        for user in range(cuts[part], cuts[part + 1]):
            row, mark = numba.uintp(user) * width, part * width
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
