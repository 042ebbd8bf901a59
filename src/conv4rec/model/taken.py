"""Who has taken what, in bytes: the rows of a table that are summed where the CPU can sum rows of bytes.

A quarter of the memory of floats, so that the rows of many users stay in the cache: docs/performance.md. Rows have the
form of quantized embedding bags of torch: bytes, then scale and offset, here 1 and 0, so that sums are exact.
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
