"""How long a gradient takes on this machine in each arithmetic, measured.

torch.compile is no candidate: on two busy cores it took two minutes for a ResNet-20, gained at most
a tenth at full precision, and was slower than before at 8/4 bits. Once in a run that is never paid
back.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import torch
from torch import nn

from dqviz.attacks.arithmetic import PRECISIONS, Arithmetic, own_arithmetic, threads_of
from dqviz.attacks.prepare import prepare_for_attack
from dqviz.models import build
from dqviz.models.normalize import Classifier
from dqviz.quantize import quantize_model
from dqviz.specs import QuantSpec

IMAGES = 32
ROUNDS = 3
GLANCE = 2
HOPELESS = 3.0
"""What takes this many times as long as the usual arithmetic on `GLANCE` images is out of the race:
on processors without instructions for bfloat16 it takes sixty times as long."""

Seconds = dict[Arithmetic, float]
Speeds = dict[str, Seconds]
"""Seconds by arithmetic for each kind of network in `PRECISIONS`."""

KINDS = {
    "full": QuantSpec(),
    "rounded": QuantSpec(act_bits=4),
    "coded": QuantSpec(weight_bits=8, act_bits=4),
}
"""A network of each kind."""


def measure_speeds() -> Speeds:
    """Time a gradient of a ResNet-20 on 32 images in every arithmetic, three times.

    The arithmetics take turns, so that a busy machine slows all of them. One that is hopelessly
    slow is left out.
    """
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(IMAGES, 3, 32, 32, generator=generator)
    network = Classifier(build("resnet20", 10, seed=0), mean=(0.5,) * 3, std=(0.25,) * 3).eval()
    found: Speeds = {}
    for kind, quant in KINDS.items():
        model = quantize_model(network, quant, calibration=images)
        tried = candidates(kind, bfloat16=not found or _has_bfloat16(found["full"]))
        found[kind] = _times(model, images, tried)
    return found


def _has_bfloat16(seconds: Seconds) -> bool:
    """Whether bfloat16 was not hopeless at full precision, and may do for less."""
    return any("bfloat16" in arithmetic.precision for arithmetic in seconds)


def candidates(kind: str, *, bfloat16: bool = True) -> list[Arithmetic]:
    """What is timed for a kind of network, the usual arithmetic first."""
    usual = own_arithmetic()
    names = [name for name in PRECISIONS[kind] if bfloat16 or "bfloat16" not in name]
    found = [dataclasses.replace(usual, precision=name) for name in names]
    if usual.threads > 1:
        found.append(dataclasses.replace(usual, threads=usual.threads // 2))
    if torch.cuda.is_available():
        there = [name for name in names if not name.startswith("int8")]
        found += [dataclasses.replace(usual, precision=name, device="cuda") for name in there]
    return found


def _times(model: nn.Module, images: torch.Tensor, tried: list[Arithmetic]) -> Seconds:
    passes = {a: _pass(model, a) for a in tried}
    looks = {a: [run(images[:GLANCE]) for _ in range(3)] for a, run in passes.items()}
    seconds = {a: min(taken[1:]) for a, taken in looks.items()}
    limit = HOPELESS * seconds[own_arithmetic()]
    hopeful = {a: run for a, run in passes.items() if seconds[a] <= limit}
    taken: dict[Arithmetic, list[float]] = {a: [] for a in hopeful}
    for _ in range(1 + ROUNDS):
        for arithmetic, run in hopeful.items():
            taken[arithmetic].append(run(images))
    return {a: _counted(times[1:], a) for a, times in taken.items()}


def _counted(times: list[float], arithmetic: Arithmetic) -> float:
    """The shortest time, and the longest with fewer threads than usual.

    Others at work disturb fewer threads less, and a moment of that must not decide for good.
    """
    usual = own_arithmetic().threads
    return max(times) if arithmetic.threads < usual else min(times)


def _pass(model: nn.Module, arithmetic: Arithmetic) -> Callable[[torch.Tensor], float]:
    """What takes one gradient at images and returns the seconds."""
    network = prepare_for_attack(model, precision=arithmetic.precision, device=arithmetic.device)

    def run(images: torch.Tensor) -> float:
        with threads_of(arithmetic):
            begin = time.perf_counter()
            x = images.clone().requires_grad_()
            torch.autograd.grad(network(x).sum(), x)  # of images on the processor: no need to wait
            return time.perf_counter() - begin

    return run
