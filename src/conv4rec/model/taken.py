"""Who has taken what, in bytes or four bits: rows that are summed where the CPU can do so, and stay in the cache.

Rows of bytes have the form of quantized embedding bags of torch: bytes, then scale and offset, here 1 and 0, so that
sums are exact. Rows of four bits are places in tables, for compiled loops: docs/performance.md.
"""

import torch
from torch import Tensor

from conv4rec.model.batch import Batch

LEAST_USERS = 16
"""Rows of fewer bytes are summed sooner as floats."""
SCALE = (0, 0, 128, 63, 0, 0, 0, 0)
"""The bytes of 1 and 0, two floats."""


def suits(batch: Batch) -> bool:
    """Whether rows of bytes are the faster form for these users."""
    return batch.items.device.type == "cpu" and batch.n_rows >= LEAST_USERS


def taken_bytes(batch: Batch, n_items: int) -> Tensor:
    """(I, B + 8) bytes, 1 at the history."""
    table = torch.zeros(n_items, batch.n_rows + len(SCALE), dtype=torch.uint8)
    table.view(-1).index_fill_(0, batch.items * table.shape[1] + batch.rows, 1)
    table[:, batch.n_rows :] = torch.tensor(SCALE, dtype=torch.uint8)
    return table


def weighted_sums(table: Tensor, items: Tensor, weights: Tensor) -> Tensor:
    """(b, B) sums of M rows of the table for each of b items; `items` (b, M) int32 and `weights` (b, M)."""
    b, M = items.shape
    offsets = torch.arange(0, b * M, max(1, M), dtype=torch.int32)[:b]
    summed: Tensor = torch.ops.quantized.embedding_bag_byte_rowwise_offsets(
        table, items.flatten(), offsets, False, 0, False, weights.flatten(), None, False
    )
    return summed


def looks_up(batch: Batch) -> bool:
    """Whether many users are soonest summed by looking up: where the processor has an instruction for it."""
    return suits(batch) and torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")


def taken_words(batch: Batch, n_items: int) -> Tensor:
    """(I, W) words of int32, marked at the history, as `conv4rec.compiled.look_up` reads them."""
    from conv4rec.compiled.lists import marked
    from conv4rec.compiled.look_up import IN_BLOCK, LANES

    histories = torch.zeros(n_items, -(-batch.n_rows // IN_BLOCK) * LANES, dtype=torch.int32)
    if not marked(batch.rows.numpy(), batch.items.numpy(), batch.n_rows, histories.numpy()):
        (low, high), (first, last) = batch.items.aminmax(), batch.rows.aminmax()
        raise IndexError(f"items {low} to {high} of users {first} to {last}, expected {n_items} and {batch.n_rows}")
    return histories
