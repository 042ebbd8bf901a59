"""The law of the types of many pairs by a compiled loop: what the paths and the experts say of a pair, at once.

For each pair that is four products of short rows and a look at the item's neighbours. Nothing is made for other pairs,
and no memory grows with the catalogue but for two numbers an item in each part of the work. `BlendedTypeLaw` has the
same by operations of torch, for few pairs and for other devices. Source: ours, measured in docs/performance.md.
"""

from functools import partial

import torch
from torch import Tensor

from conv4rec.compiled import pays
from conv4rec.model.bags import asked_by_row, ends_of
from conv4rec.model.by_item import parts_of
from conv4rec.model.experts import RatingExperts, RatingState
from conv4rec.model.network import RatingPath, Style

MANY_PAIRS, AS_SCORES = 4096, 200
"""Pairs whose law is sooner made by what is compiled, once it is loaded; and what one gains, in scores of lists."""


def suits(path: RatingPath, n_pairs: int, n_scores: int = 0) -> bool:
    """Whether this is the way for so many pairs, of a question for which so many scores of lists are made besides."""
    here = path.decoder.device.type == "cpu" and path.decoder.dtype == torch.float32
    return here and n_pairs >= MANY_PAIRS and pays(n_pairs * AS_SCORES + n_scores)


def log_p_type(
    path: RatingPath, style: Style, experts: RatingExperts, state: RatingState, rows: Tensor, items: Tensor
) -> Tensor:
    """(N, L) log-probabilities of the types of N pairs of users of a batch and items, in any order.

    Raises IndexError for a user or an item that is none, which the loop would not notice.
    """
    for name, values, n in (("users", rows, len(style.z)), ("items", items, len(path.decoder))):
        if len(values) and not 0 <= int(values.min()) <= int(values.max()) < n:
            raise IndexError(f"{name} from {values.min()} to {values.max()}, expected 0 to {n - 1}")
    return asked_by_row(partial(_by_user, path, style, experts, state), rows, items)


def _by_user(
    path: RatingPath, style: Style, experts: RatingExperts, state: RatingState, rows: Tensor, items: Tensor
) -> Tensor:
    from conv4rec.compiled import ratings

    (n_items, C, D), L, (_, M, _) = path.decoder.shape, len(path.output.T), experts.explained.weights.shape
    factors, asked = experts.factors, ends_of(rows, len(style.z))
    if n_items > len(items):  # of the items asked about alone
        which, met = torch.unique(items, return_inverse=True)
        spreads = factors.spreads(which)
    else:
        met, spreads = items, factors.spreads()
    cuts, doubts = parts_of(asked, 1), factors.doubts(state.users)
    parts, found = len(cuts) - 1, torch.empty(L, len(rows))
    sizes = C, D, L, state.users.mean.shape[1], M, doubts.shape[1], n_items, len(rows)
    places = cuts, asked, items, met, state.rated.ends, state.rated.items
    of_path = style.z, style.shift @ path.histogram, path.decoder, path.output, path.bias
    of_factors = state.users.mean, doubts, factors.mean, spreads
    outcomes = torch.cat([experts.value[:L], experts.rated[:L]])
    scalars = torch.cat([factors.noise[None], experts.scalars])
    room = torch.zeros(parts, 2 * n_items), *(torch.empty(parts * each * ratings.TOGETHER) for each in (L, 8))
    given = *of_path, *of_factors, experts.explained.items, experts.explained.weights, outcomes, scalars, *room
    numbers = (each.contiguous() for each in (*places, state.values, *given))
    ratings.law_of_pairs(parts, *sizes, *numbers, found)
    return found.T
