"""How a model of pairs is fitted."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from conv4rec.config import Fraction, Positive, Section, Weight


class PairConfig(Section):
    """How a model of pairs is fitted."""

    denoise: Literal["none", "idl", "ig"] = "none"
    """What unlabelled pairs are: negatives, weighed by the inverse dual loss, or tried by the inverse gradient."""
    unlabelled_weight: Weight = 1.0
    """Weight of the unlabelled loss beside the labelled one, 0: labelled pairs alone; for ig its step, in steps of
    Adam."""
    warmup: Annotated[int, Field(ge=0)] = 2
    """Epochs of labelled pairs alone before idl and ig: without that anchor they believe what they started with."""
    hold_out: Fraction = 0.1
    """For ig: share of the labelled pairs that judge its steps and are not learned from."""
    epochs: Positive = 30
    """Passes over the labelled pairs, at most; more than the warm-up has."""
    patience: Positive = 3
    """Stop after this many epochs without a better AUC of validation; those of the warm-up do not count."""
    batch_size: Positive = 8192
    """Labelled pairs in a batch, with as many unlabelled ones."""
    learning_rate: Annotated[float, Field(gt=0.0)] = 5e-3
    """Step size of Adam."""
    weight_decay: Weight = 1e-5
    """L2 penalty on all weights."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of order, drawn pairs, held-out pairs and dropout."""

    @model_validator(mode="after")
    def _leave_epochs_after_the_warmup(self) -> "PairConfig":
        if self.n_warmup >= self.epochs:
            raise ValueError(f"warmup {self.warmup} leaves no epoch of {self.epochs} to {self.denoise}: expected fewer")
        return self

    @property
    def n_warmup(self) -> int:
        """Epochs of warm-up, of which cross entropy needs none."""
        return 0 if self.denoise == "none" else self.warmup
