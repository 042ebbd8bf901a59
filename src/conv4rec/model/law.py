"""The law: how logits become probabilities, and the loss that follows. Nothing else in the model normalises.

One softmax over all pairs of an item and an interaction type, written by the chain rule:

    log p(i, r) = log p_consume(i) + log p_type(r | i)

Source: METHOD.md section 2.
"""

import torch
from torch import Tensor
from torch.nn import functional


def log_p_consume(logits: Tensor) -> Tensor:
    """(B, I) logits of consumption to log-probabilities over the items of a user."""
    return torch.log_softmax(logits, dim=-1)  # (B, I)


def log_p_type(logits: Tensor) -> Tensor:
    """(..., L) logits of the types of an item to log-probabilities over the types, given the item."""
    return torch.log_softmax(logits, dim=-1)  # (..., L)


def consume_loss(logits: Tensor, rows: Tensor, items: Tensor) -> Tensor:
    """Sum of -log p_consume(item) over N interactions of the rows (users) of a batch; `logits` is (B, I)."""
    per_row = torch.bincount(rows, minlength=logits.shape[0])  # (B,)
    normaliser = torch.logsumexp(logits, dim=-1)  # (B,)
    return (normaliser * per_row).sum() - logits[rows, items].sum()


def known_type_loss(logits: Tensor, types: Tensor) -> Tensor:
    """Sum of -log p_type over N interactions of which all is known: (N, L) logits and (N,) types.

    As one long line of L channels, which torch goes through in parallel lanes: a third of the time of N short rows.
    """
    return functional.cross_entropy(logits.T.contiguous()[None], types[None], reduction="sum")


def type_loss(logits: Tensor, covers: Tensor) -> Tensor:
    """Sum of -log p_type over N interactions.

    Args:
        logits: (N, L).
        covers: (N, L), true at the types that the interaction may have been: one type where all is known; all of them
            where nothing is, and the term is zero; in between, the probability of the set. Source: ours.
    """
    possible = logits.masked_fill(~covers, -torch.inf)
    return (torch.logsumexp(logits, dim=-1) - torch.logsumexp(possible, dim=-1)).sum()
