"""Training: masked interactions, one loss, early stopping, checkpoints that a killed run goes on from."""

from conv4rec.training.course import Epoch, Listener, Silent, TrainingResult
from conv4rec.training.run import Trainer, train
from conv4rec.training.schedule import choose_device

__all__ = ["Epoch", "Listener", "Silent", "Trainer", "TrainingResult", "choose_device", "train"]
