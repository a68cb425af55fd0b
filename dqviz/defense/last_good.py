"""The weights that are kept when a training diverges."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

TIMES = 2.0
"""Weights are good while a batch's loss is at most so many times the lowest running average."""
AVERAGE = 0.9
"""The running average keeps this share at every step."""


class LastGood:
    """The last weights of a training whose loss, penalty included, had not grown yet.

    `step` counts the updates they have seen; `state` is None until there are any.
    """

    def __init__(self) -> None:
        self.step = 0
        self.state: dict[str, Any] | None = None
        self._mean = self._lowest = math.inf

    def note(self, model: nn.Module, *, step: int, loss: float) -> None:
        """Take a copy if the batch's loss, which the weights had before their update, is good."""
        first = math.isinf(self._mean)
        self._mean = loss if first else AVERAGE * self._mean + (1 - AVERAGE) * loss
        self._lowest = min(self._lowest, self._mean)
        if loss <= TIMES * self._lowest:
            self.step = step
            self.state = {name: value.clone() for name, value in model.state_dict().items()}

    def saved(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        numbers = {"step": self.step, "mean": self._mean, "lowest": self._lowest}
        return {**numbers, "state": self.state}

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from `saved`."""
        self.step, self.state = saved["step"], saved["state"]
        self._mean, self._lowest = saved["mean"], saved["lowest"]
