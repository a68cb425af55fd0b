"""The fast path of experiments: where it is taken, where never, and what a result says of it."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from dqviz.attacks.arithmetic import Arithmetic, own_arithmetic
from dqviz.data import load_data
from dqviz.experiments import arithmetic
from dqviz.experiments.arithmetic import PRECISION
from dqviz.experiments.run import run
from dqviz.experiments.steps import Steps
from dqviz.experiments.workbench import Workbench
from dqviz.measure.accuracy import accuracy
from dqviz.specs import EXPERIMENTS, FAST_KINDS, AttackSpec, Craft, QuantSpec
from tests.experiments.tables import spec, value

ATTACK = AttackSpec(name="bim", steps=3, epsilons=(4 / 255,))
W8A4 = QuantSpec(weight_bits=8, act_bits=4)
WORDS = {
    "full": "bfloat16 gradients, judged in float32",
    "W8A4": "int8 forward and bfloat16 backward, judged in float32",
}


@pytest.fixture(params=[QuantSpec(), W8A4], ids=["full", "W8A4"])
def quant(request: pytest.FixtureRequest) -> QuantSpec:
    return request.param


@pytest.fixture
def gains(monkeypatch: pytest.MonkeyPatch) -> list[QuantSpec]:
    """As if low precision gained on this machine; what the decision was asked about."""
    asked = []

    def decide(quant: QuantSpec) -> Arithmetic:
        asked.append(quant)
        name = "bfloat16" if quant.is_full_precision else "int8, bfloat16 backward"
        return dataclasses.replace(own_arithmetic(), precision=name)

    monkeypatch.setattr(arithmetic, "fast_arithmetic", decide)
    return asked


def crafted(bench, model, data, quant, *, fast, early_stop=True):
    steps = Steps()
    subject = bench.subject(Craft(model=model, quant=quant), data, data, steps)
    options = {"batch_size": 8, "steps": steps, "early_stop": early_stop, "fast": fast}
    found = bench.outcomes(subject, data, ATTACK, **options)
    return subject.network, found[4 / 255].adversarial


def test_success_is_judged_on_the_network_itself(model, data, quant, gains):
    wanted = spec("accuracy", model, data, quant=quant, attack=ATTACK, calibration=data)
    result = run(wanted, bench=Workbench())
    network, images = crafted(Workbench(), model, data, quant, fast=True)
    share = accuracy(network, images, load_data(data).labels)
    assert value(result.table, "robust_accuracy", layer="network") == share.value
    rounded, plain = (
        crafted(Workbench(), model, data, quant, fast=choice, early_stop=False)[1]
        for choice in (True, False)
    )
    assert not torch.equal(rounded, plain)
    assert ((rounded - plain).abs() < 1e-6).float().mean() > 0.6


def test_a_result_says_which_arithmetic_was_used(model, data, quant, gains):
    name = "full" if quant.is_full_precision else "W8A4"
    wanted = spec("accuracy", model, data, quant=quant, attack=ATTACK, calibration=data)
    assert run(wanted).provenance.precision == WORDS[name]
    slow = dataclasses.replace(wanted, fast=False)
    assert run(slow).provenance.precision == PRECISION
    square = dataclasses.replace(wanted, attack=AttackSpec(name="square", queries=2))
    assert run(square).provenance.precision == PRECISION


def test_switched_off_numbers_are_what_they_were(model, data, quant, gains):
    """Switched off nothing is asked, and the images are those of a plain attack."""
    from dqviz.attacks import BIM

    network, images = crafted(Workbench(), model, data, quant, fast=False)
    truth = load_data(data)
    expected = BIM(network, eps=4 / 255, steps=3)(truth.images, truth.labels, early_stop=True)
    assert torch.equal(images, expected)
    assert gains == []


@pytest.mark.parametrize("kind", [kind for kind in EXPERIMENTS if kind not in FAST_KINDS])
def test_what_measures_the_perturbation_never_takes_it(kind, model, data, gains):
    wanted = spec(kind, model, data, quant=W8A4, attack=ATTACK, calibration=data)
    fast, slow = (
        run(dataclasses.replace(wanted, fast=choice), bench=Workbench()) for choice in (True, False)
    )
    assert gains == []
    assert fast.provenance.precision == PRECISION
    assert fast.table.equals(slow.table)


def test_a_copy_is_made_once(model, data, gains):
    bench, steps = Workbench(), Steps()
    subject = bench.subject(Craft(model=model, quant=W8A4), data, data, steps)
    copy = bench.gradients_of(subject, fast=True)
    assert copy is not None
    assert bench.gradients_of(subject, fast=True) is copy
    assert bench.gradients_of(subject, fast=False) is None
