"""What is hidden of a batch: as much as was asked for, the same whoever has which users."""

import pytest
import torch

from conv4rec.model.batch import Batch
from conv4rec.training.source import Share, chances

CPU = torch.device("cpu")


@pytest.mark.parametrize("part", [0.0, 0.001, 0.2, 0.5, 0.9999, 1.0])
def test_chances_are_met_as_often_as_they_should(part: float) -> None:
    torch.manual_seed(0)
    n = 1_000_003
    found = chances(n, part, CPU)
    assert found.shape == (n,)
    assert abs(found.float().mean().item() - part) <= 5 * (part * (1 - part) / n) ** 0.5 + 2**-17


def test_chances_side_by_side_have_nothing_to_do_with_each_other() -> None:
    torch.manual_seed(0)
    found = chances(400_000, 0.5, CPU).float().view(-1, 4)
    assert (torch.corrcoef(found.T) - torch.eye(4)).abs().max() < 5 / 100_000**0.5


def test_a_share_of_a_batch_hides_what_the_whole_would() -> None:
    rows = torch.arange(6).repeat_interleave(5)
    whole = Batch(rows, torch.arange(30), torch.zeros(30, dtype=torch.int64), 6)
    part = Batch(rows[10:20] - 2, torch.arange(10, 20), torch.zeros(10, dtype=torch.int64), 2)
    shares = Share(whole, 6), Share(part, 6, rows_before=2, rows_after=2, before=10, after=10)
    masks, kept = [], []
    for share in shares:
        torch.manual_seed(3)
        masks.append(share.hide(0.4))
        kept.append(share.dropout(7, 0.25))
    assert torch.equal(masks[0][0][10:20], masks[1][0])
    assert masks[0][1] == masks[1][1] == int(masks[0][0].sum())
    assert torch.equal(kept[0][2:4], kept[1])
    assert sorted(set(kept[0].flatten().tolist())) == pytest.approx([0, 4 / 3])
