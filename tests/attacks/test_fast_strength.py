"""A small version of `benchmarks/fast_path.py`: a fast attack breaks what a float32 one does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.emulation import emulated
from benchmarks.fast_path import bound
from dqviz.attacks import craft
from dqviz.attacks.arithmetic import PRECISIONS
from dqviz.attacks.fast import kind_of
from dqviz.data import load_data
from dqviz.measure.accuracy import correctness
from dqviz.models import load_model
from dqviz.quantize import quantize_model
from dqviz.specs import AttackSpec, DataSpec, QuantSpec

IMAGES = 96


@pytest.mark.parametrize("quant", [QuantSpec(), QuantSpec(weight_bits=8, act_bits=4)])
@pytest.mark.parametrize("attack", ["fgsm", "pgd"])
def test_a_fast_attack_is_as_strong(
    attack: str, quant: QuantSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DQVIZ_DATA", str(tmp_path))
    data = load_data(DataSpec(name="streetdigits", n_samples=IMAGES))
    model = load_model("streetdigits/resnet20/vanilla")
    network = quantize_model(model, quant, calibration=data.images)
    network = network.to(memory_format=torch.channels_last)
    copy = emulated(network, max(PRECISIONS[kind_of(quant)], key=len))
    spec = AttackSpec(name=attack, epsilons=(2 / 255,), steps=5)
    right = []
    for gradients_of in (None, copy):
        found = craft(
            network, data.images, data.labels, spec, early_stop=True, gradients_of=gradients_of
        )
        right.append(correctness(network, found[2 / 255], data.labels))
    exact, fast = right
    assert 0.2 <= exact.float().mean() <= 0.8
    assert abs(int(exact.sum()) - int(fast.sum())) <= 3
    assert (exact == fast).float().mean() > 0.9


def test_the_bound_is_that_of_the_paired_difference() -> None:
    """Against the normal quantile of a simulated multinomial with these shares."""
    generator = torch.Generator().manual_seed(0)
    n, only_fast, only_exact = 5000, 60, 45
    shares = torch.tensor([only_fast / n, only_exact / n, 1 - (only_fast + only_exact) / n])
    drawn = torch.multinomial(shares, n * 400, replacement=True, generator=generator).view(400, n)
    difference = ((drawn == 0).float() - (drawn == 1).float()).mean(1)
    upper = 15 / n + 1.645 * float(difference.std())
    assert bound(only_fast, only_exact, n) == pytest.approx(upper, abs=4e-4)
    assert bound(0, 0, n) < 0.0005
