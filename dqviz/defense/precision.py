"""Whether bfloat16 pays on this machine: measured on the network itself, never assumed."""

from __future__ import annotations

import copy
import dataclasses
import time
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

GAIN = 1.15
"""bfloat16 is used where it is at least this many times as fast as float32."""


@dataclasses.dataclass(frozen=True)
class Precision:
    """`float32` or `bfloat16`, and the seconds a training step took in each when measured."""

    name: str
    float32_seconds: float
    bfloat16_seconds: float

    def autocast(self, device: torch.device) -> Any:
        """The context in which the forward pass runs; parameters stay float32."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self.name == "bfloat16")


def choose_precision(
    model: nn.Module, images: torch.Tensor, labels: torch.Tensor, *, steps: int = 3
) -> Precision:
    """Time a few steps of a copy of `model` in both precisions and take what gains.

    Args:
        model: the network; it is not changed.
        images: one batch (N, C, H, W).
        labels: (N,) classes.
        steps: timed steps in each precision; the fastest counts.
    """
    trial = copy.deepcopy(model).train()
    seconds = {}
    for name in ("float32", "bfloat16"):
        precision = Precision(name, 0.0, 0.0)
        times = [_step_seconds(trial, images, labels, precision) for _ in range(steps + 1)]
        seconds[name] = min(times[1:])
    gains = seconds["float32"] / seconds["bfloat16"] >= GAIN
    return Precision("bfloat16" if gains else "float32", seconds["float32"], seconds["bfloat16"])


def _step_seconds(
    model: nn.Module, images: torch.Tensor, labels: torch.Tensor, precision: Precision
) -> float:
    begin = time.perf_counter()
    with precision.autocast(images.device):
        logits = model(images)
    F.cross_entropy(logits.float(), labels).backward()  # type: ignore[no-untyped-call]
    if images.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begin
