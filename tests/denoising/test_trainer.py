"""The trainer: the same for every model; learns, repeats itself, keeps its optimiser, and says when it collapses."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from conv4rec.config import ModelConfig
from conv4rec.denoising import (
    GMF,
    MLP,
    CollapseWarning,
    ConsumptionLogit,
    NeuMF,
    PairConfig,
    Pairs,
    PairTraining,
    Unlabelled,
    fit_pairs,
    inverse_weights,
    score_pairs,
)
from conv4rec.denoising.measures import pooled_auc
from conv4rec.denoising.step import Labelled, PairModel, PairStep
from conv4rec.errors import DataError, TrainingError
from tests.denoising.worlds import checkerboard

MODELS = ("gmf", "mlp", "neumf", "conv4rec")
LOSSES = ("none", "idl", "ig")
LABELLED, OTHERS = checkerboard()
VALIDATION, TEST = OTHERS.hold_out(0.5, 0)
FAST = {"batch_size": 128, "learning_rate": 0.02, "weight_decay": 0.0, "epochs": 30, "patience": 30, "warmup": 12}


def make(name: str, pairs: Pairs = LABELLED) -> PairModel:
    torch.manual_seed(5)
    if name == "conv4rec":
        return ConsumptionLogit.of(pairs, ModelConfig(embedding_dim=8, dropout=0.1))
    kinds: dict[str, type[GMF | MLP | NeuMF]] = {"gmf": GMF, "mlp": MLP, "neumf": NeuMF}
    return kinds[name](pairs.n_users, pairs.n_items, 8)


def run(name: str, pairs: Pairs = LABELLED, **changes: object) -> tuple[PairModel, PairTraining]:
    model = make(name, pairs)
    return model, fit_pairs(model, pairs, VALIDATION, PairConfig.model_validate(FAST | changes))


@pytest.mark.parametrize("denoise", LOSSES)
@pytest.mark.parametrize("name", MODELS)
def test_every_model_learns_the_checkerboard_with_every_loss(name: str, denoise: str) -> None:
    weight = 0.05 if denoise == "none" else 1.0  # half of the unlabelled are positive
    model, training = run(name, denoise=denoise, unlabelled_weight=weight)
    scores = score_pairs(model, TEST.users, TEST.items)
    assert pooled_auc(TEST.labels, scores) > 0.9
    best = training.epochs[training.best_epoch - 1]
    assert best.auc == max(epoch.auc for epoch in training.epochs if denoise == "none" or epoch.number > 12)
    assert best.auc == pytest.approx(
        pooled_auc(VALIDATION.labels, score_pairs(model, VALIDATION.users, VALIDATION.items))
    )
    assert training.collapsed_at is None


def test_weights_tell_planted_positives_from_planted_negatives() -> None:
    rest, planted = LABELLED.hold_out(0.1, 1)
    model = make("gmf", rest)
    config = PairConfig.model_validate(FAST | {"denoise": "idl"})
    fit_pairs(model, rest, VALIDATION, config, unlabelled=Unlabelled.beside(rest, planted))
    weights = inverse_weights(torch.from_numpy(score_pairs(model, planted.users, planted.items))).numpy()
    assert pooled_auc(planted.labels, weights) > 0.9
    assert weights[planted.labels > 0].mean() > 0.8
    assert weights[planted.labels == 0].mean() < 0.2


@pytest.mark.parametrize("denoise", LOSSES)
@pytest.mark.parametrize("name", ["neumf", "conv4rec"])
def test_the_same_seed_gives_the_same_model_to_the_bit(name: str, denoise: str) -> None:
    (first, told), (second, again), (third, _) = (
        run(name, denoise=denoise, epochs=3, warmup=1, seed=seed) for seed in (0, 0, 1)
    )
    assert told == again
    weights, same, other = (model.state_dict() for model in (first, second, third))
    assert all(torch.equal(weights[key], same[key]) for key in weights)
    assert not all(torch.equal(weights[key], other[key]) for key in weights)


def test_the_callers_random_numbers_are_left_alone() -> None:
    model = make("conv4rec")
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    fit_pairs(model, LABELLED, VALIDATION, PairConfig(epochs=1, batch_size=64))
    assert torch.equal(torch.rand(2), expected)


def test_the_course_tells_weights_and_choices() -> None:
    _, idl = run("gmf", denoise="idl", epochs=4, warmup=2)
    assert [bool(epoch.weights) for epoch in idl.epochs] == [False, False, True, True], "none in the warm-up"
    assert idl.epochs[-1].weights.keys() == {"mean", "q01", "q25", "q50", "q75", "q99"}
    assert idl.best_epoch > 2
    _, ig = run("gmf", denoise="ig", epochs=4, warmup=2)
    n_batches = -(-round(0.9 * len(LABELLED)) // 128)
    assert [sum(epoch.choices.values()) for epoch in ig.epochs] == [0, 0, n_batches, n_batches]
    _, alone = run("gmf", unlabelled_weight=0.0, epochs=2)
    assert [epoch.weights for epoch in alone.epochs] == [{}, {}]


class Counted(torch.optim.Adam):
    made: list["Counted"]

    def __init__(self, *arguments: object, **settings: object) -> None:
        super().__init__(*arguments, **settings)  # type: ignore[arg-type]
        Counted.made.append(self)


@pytest.mark.parametrize("denoise", LOSSES)
def test_one_optimiser_lives_through_all_batches(denoise: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Counted.made = []
    monkeypatch.setattr(torch.optim, "Adam", Counted)
    run("gmf", denoise=denoise, epochs=4, warmup=1)
    (optimizer,) = Counted.made
    n_batches = -(-round((0.9 if denoise == "ig" else 1.0) * len(LABELLED)) // 128)
    assert {int(state["step"]) for state in optimizer.state.values()} == {4 * n_batches}, "one labelled step a batch"
    assert all(state["exp_avg"].abs().sum() > 0 for state in optimizer.state.values())


def batch() -> tuple[Labelled, torch.Tensor, Labelled]:
    labelled, judges = (
        Labelled(*(torch.from_numpy(x) for x in (part.users, part.items, part.labels)))
        for part in (LABELLED.take(np.arange(50)), LABELLED.take(np.arange(50, 80)))
    )
    return labelled, torch.from_numpy(TEST.items[:50]), judges


@pytest.mark.parametrize("denoise", LOSSES)
def test_gradients_are_cleared(denoise: str) -> None:
    """What stands in the gradients before a step makes no difference to it."""
    ends = []
    for stale in (None, 100.0):
        model = make("gmf")
        for parameter in model.parameters():
            parameter.grad = None if stale is None else torch.full_like(parameter, stale)
        optimizer = torch.optim.Adam(list(model.parameters()), lr=0.01)
        PairStep(model, optimizer, PairConfig.model_validate({"denoise": denoise}))(*batch(), anchored=True)
        ends.append(model.state_dict())
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])


class TwoParameters(nn.Module):
    """logit = a for item 0 and b for item 1."""

    by_user = False

    def __init__(self) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.tensor([0.5, 0.0]))

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        return self.logit[items]


@pytest.mark.parametrize(("label", "choice", "sign"), [(1.0, "forward", 1), (0.0, "backward", -1)])
def test_a_step_of_the_inverse_gradient_by_hand(label: float, choice: str, sign: int) -> None:
    """The unlabelled pair is item 0 with logit 1/2: w+ > sigma, so that forward raises its logit by the rate. Judges
    say that item 0 is positive (go there), or negative (reverse). The labelled pair is item 1 and moves b alone, up."""
    model = TwoParameters()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    pair = torch.tensor([0])
    told = PairStep(model, optimizer, PairConfig(denoise="ig"))(
        Labelled(pair, torch.tensor([1]), torch.ones(1)),
        pair,
        Labelled(pair, pair, torch.tensor([label])),
        anchored=True,
    )
    assert told.choice == choice
    assert model.logit.tolist() == pytest.approx([0.5 + sign * 0.1, 0.1], abs=1e-5)
    assert told.weights.tolist() == pytest.approx([inverse_weights(torch.tensor(0.5)).item()])


def test_a_collapse_is_told_once_and_the_best_epoch_kept() -> None:
    """Nearly all labels are positive, and the unlabelled loss is heavy: soon every unlabelled pair is."""
    labels = np.where(np.arange(len(LABELLED)) % 20, 1, 0).astype(np.float32)
    pairs = Pairs(LABELLED.users, LABELLED.items, labels, LABELLED.n_users, LABELLED.n_items)
    with pytest.warns(CollapseWarning, match=r"epoch \d+: idl has collapsed: three in four unlabelled pairs") as heard:
        _, training = run("gmf", pairs, denoise="idl", unlabelled_weight=20.0)
    assert len(heard) == 1
    assert training.collapsed_at is not None
    assert training.epochs[training.collapsed_at - 1].weights["q25"] > 0.99
    assert training.best_epoch > 12


def test_patience_does_not_count_the_warmup() -> None:
    _, training = run("gmf", denoise="idl", patience=1, warmup=5, epochs=9)
    assert len(training.epochs) > 5


def test_a_loss_that_is_not_a_number_stops_the_run() -> None:
    model = make("gmf")
    next(iter(model.parameters())).data.fill_(torch.nan)
    with pytest.raises(TrainingError, match=r"epoch 1: the loss is nan; lower learning_rate \(now 0.005\)"):
        fit_pairs(model, LABELLED, VALIDATION, PairConfig())


def test_what_cannot_be_fitted() -> None:
    model = make("gmf")
    with pytest.raises(DataError, match="1 labelled pairs: expected at least 2 to learn from"):
        fit_pairs(model, LABELLED.take(np.arange(1)), VALIDATION, PairConfig())
    with pytest.raises(
        DataError, match="the 3 pairs of validation are of one label: AUC needs both to choose an epoch"
    ):
        fit_pairs(model, LABELLED, LABELLED.take(np.flatnonzero(LABELLED.labels)[:3]), PairConfig())


def test_few_judges_judge_more_than_once() -> None:
    _, training = run("gmf", denoise="ig", hold_out=0.005, warmup=1, epochs=2)
    assert training.epochs[-1].choices["stay"] < sum(training.epochs[-1].choices.values())


@pytest.mark.parametrize("denoise", ["idl", "ig"])
def test_a_warmup_leaves_an_epoch(denoise: str) -> None:
    with pytest.raises(ValueError, match=f"warmup 3 leaves no epoch of 3 to {denoise}: expected fewer"):
        PairConfig(denoise=denoise, warmup=3, epochs=3)  # type: ignore[arg-type]
    assert PairConfig(warmup=3, epochs=3).n_warmup == 0


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
