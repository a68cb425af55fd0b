"""How long a gradient takes on this machine in each arithmetic, measured.

torch.compile is no candidate: see `benchmarks/attacks.py` for what it gains and what it costs.
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
"""Seconds by arithmetic for a network at full precision (`full`) and for a `quantized` one."""


def measure_speeds() -> Speeds:
    """Time a gradient of a ResNet-20 on 32 images in every arithmetic, the shortest of three.

    The arithmetics take turns, so that a busy machine slows all of them. One that is hopelessly
    slow is left out.
    """
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(IMAGES, 3, 32, 32, generator=generator)
    network = Classifier(build("resnet20", 10, seed=0), mean=(0.5,) * 3, std=(0.25,) * 3).eval()
    quant = QuantSpec(weight_bits=8, act_bits=4)
    full = _times(quantize_model(network, QuantSpec()), images, candidates())
    quantized = quantize_model(network, quant, calibration=images)
    return {"full": full, "quantized": _times(quantized, images, list(full))}


def candidates() -> list[Arithmetic]:
    """What is timed, the usual arithmetic first."""
    usual = own_arithmetic()
    found = [usual, dataclasses.replace(usual, precision="bfloat16")]
    if usual.threads > 1:
        found.append(dataclasses.replace(usual, threads=usual.threads // 2))
    if torch.cuda.is_available():
        found += [dataclasses.replace(usual, precision=p, device="cuda") for p in PRECISIONS]
    return found


def _times(model: nn.Module, images: torch.Tensor, tried: list[Arithmetic]) -> Seconds:
    passes = {a: _pass(model, a) for a in tried}
    seconds = {a: [run(images[:GLANCE]) for _ in range(2)][1] for a, run in passes.items()}
    limit = HOPELESS * seconds[own_arithmetic()]
    hopeful = {a: run for a, run in passes.items() if seconds[a] <= limit}
    taken: dict[Arithmetic, list[float]] = {a: [] for a in hopeful}
    for _ in range(1 + ROUNDS):
        for arithmetic, run in hopeful.items():
            taken[arithmetic].append(run(images))
    return {arithmetic: min(times[1:]) for arithmetic, times in taken.items()}


def _pass(model: nn.Module, arithmetic: Arithmetic) -> Callable[[torch.Tensor], float]:
    """What takes one gradient at images and returns the seconds."""
    rounds = arithmetic.precision == "bfloat16"
    network = prepare_for_attack(model, bfloat16=rounds, device=arithmetic.device)

    def run(images: torch.Tensor) -> float:
        with threads_of(arithmetic):
            begin = time.perf_counter()
            x = images.clone().requires_grad_()
            torch.autograd.grad(network(x).sum(), x)  # of images on the processor: no need to wait
            return time.perf_counter() - begin

    return run
