"""What a training reports, and what it ends with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from torch import nn

from dqviz.defense.errors import TrainError
from dqviz.defense.penalty import Layer
from dqviz.models.normalize import Classifier
from dqviz.quantize import OwnRange


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained network in eval mode, and the precision (`float32`, `bfloat16`) of its training.

    `ranges` are the layers' own ranges where it was trained quantized; `model` holds its weights
    before rounding. `stopped` says where it stopped, if not at its end.
    """

    model: Classifier
    precision: str
    ranges: Mapping[str, OwnRange] | None = None
    stopped: str = ""


class Diverged(TrainError):
    """A training whose loss is no longer finite.

    `last_good` is the network before that, None where the very first loss was not finite.
    """

    def __init__(self, message: str, last_good: Trained | None = None) -> None:
        super().__init__(message)
        self.last_good = last_good


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a training is.

    `loss` and `accuracy` are running averages over training batches, attacked ones if the recipe
    attacks them, the loss without the penalty; `penalty` is what was added to it at the last step;
    `largest_folded_norm` is that of `NormWatch`.
    """

    step: int
    steps: int
    epoch: int
    epochs: int
    images_per_second: float
    loss: float
    accuracy: float
    largest_folded_norm: float
    penalty: float = 0.0


Watch = Callable[[nn.Module, list[Layer], Progress], None]
"""Looks at a network that is being trained, its layers, and how far the training is."""
