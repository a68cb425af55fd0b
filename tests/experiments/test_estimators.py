"""The gradient through rounding, from a specification's word to what an attack does with it."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
import torch

from dqviz.attacks import BIM
from dqviz.data import load_data
from dqviz.experiments.run import run
from dqviz.experiments.steps import Steps
from dqviz.experiments.workbench import Workbench
from dqviz.models import resolve_model
from dqviz.quantize import BackwardThrough, quantize_model
from dqviz.specs import ESTIMATORS, AttackSpec, Craft, DataSpec, ModelSpec, QuantSpec
from tests.experiments.tables import spec, value

COARSE = QuantSpec(weight_bits=4, act_bits=3)
ATTACK = AttackSpec(name="bim", steps=3, epsilons=(8 / 255,))


def crafted(model: ModelSpec, data: DataSpec, estimator: str) -> torch.Tensor:
    bench, steps = Workbench(), Steps()
    craft = Craft(model=model, quant=dataclasses.replace(COARSE, estimator=estimator))
    subject = bench.subject(craft, data, data, steps)
    found = bench.outcomes(subject, data, ATTACK, batch_size=8, steps=steps)
    return found[8 / 255].adversarial


@pytest.fixture
def images(data: DataSpec) -> torch.Tensor:
    return load_data(data).images


def test_each_estimator_leads_an_attack_elsewhere(model, data, images):
    found = {name: crafted(model, data, name) for name in ESTIMATORS}
    assert torch.equal(found["none"], images)
    moved = [found[name] for name in ESTIMATORS if name != "none"]
    assert not any(torch.equal(one, other) for one, other in itertools.pairwise(moved))


def test_unquantized_is_the_attack_on_both_networks_made_by_hand(model, data, images):
    network = resolve_model(model)
    quant = dataclasses.replace(COARSE, estimator="unquantized")
    quantized = quantize_model(network, quant, calibration=images)
    both = BackwardThrough(quantized, backward=quantize_model(network, QuantSpec()))
    expected = BIM(both, eps=8 / 255, steps=3)(images, load_data(data).labels)
    found = crafted(model, data, "unquantized")
    assert ((found - expected).abs() < 1e-6).float().mean() > 0.99


@pytest.mark.parametrize("kind", ["amplification", "accuracy", "playground", "lipschitz"])
@pytest.mark.parametrize("estimator", ["unquantized", "none"])
def test_every_experiment_takes_every_estimator(kind, estimator, model, data):
    quant = dataclasses.replace(COARSE, estimator=estimator)
    wanted = spec(kind, model, data, quant=quant, attack=ATTACK, details=kind == "amplification")
    table = run(wanted, bench=Workbench()).table
    assert len(table) > 0
    if kind == "accuracy" and estimator == "none":
        clean = value(table, "clean_accuracy", layer="network")
        assert value(table, "robust_accuracy", layer="network") == clean
