"""Perturbations that an experiment measures together, and those it remembers."""

import dataclasses

import pytest

from dqviz.experiments import Cancelled, amplification
from dqviz.experiments.run import run
from dqviz.experiments.workbench import Workbench
from dqviz.specs import AttackSpec, QuantSpec
from tests.experiments.tables import spec

EPSILONS = (1 / 255, 2 / 255, 4 / 255)


@pytest.fixture
def measured(monkeypatch):
    """How many perturbations each measurement took, those with flips followed as 0."""
    counts = []
    several, single = amplification.measure_profiles, amplification.measure_profile

    def measure_several(network, images, perturbed, **options):
        counts.append(len(perturbed))
        return several(network, images, perturbed, **options)

    def measure_single(*tensors, **options):
        counts.append(0)
        return single(*tensors, **options)

    monkeypatch.setattr(amplification, "measure_profiles", measure_several)
    monkeypatch.setattr(amplification, "measure_profile", measure_single)
    return counts


def wanted(model, data, epsilons=EPSILONS, **more):
    attack = AttackSpec(epsilons=epsilons)
    return spec("amplification", model, data, quant=QuantSpec(act_bits=4), attack=attack, **more)


def test_all_that_is_new_is_measured_together_and_nothing_again(model, data, measured):
    bench = Workbench()
    run(wanted(model, data, EPSILONS[1:2]), bench=bench)
    run(wanted(model, data), bench=bench)
    run(wanted(model, data, controls=True), bench=bench)
    found = run(wanted(model, data, controls=True), bench=bench).table
    assert measured == [1, 2, 9]  # the attack at the other two; three controls at each
    assert found.equals(run(wanted(model, data, controls=True), bench=Workbench()).table)


def test_the_memory_for_perturbed_images_is_bounded(model, data, measured, monkeypatch):
    fresh = run(wanted(model, data, controls=True), bench=Workbench()).table
    one = 8 * 3 * 32 * 32 * 4
    for bytes_for, parts in ((5 * one, [5, 5, 2]), (one - 1, [1] * 12)):
        measured.clear()
        monkeypatch.setattr(amplification, "PERTURBED_BYTES", bytes_for)
        assert run(wanted(model, data, controls=True), bench=Workbench()).table.equals(fresh)
        assert measured == parts


def test_what_follows_flips_is_kept_as_soon_as_it_is_measured(model, data, measured):
    bench = Workbench()
    detailed = wanted(model, data, EPSILONS[:2], controls=True, details=True)

    def cancelled():
        return len(measured) == 2

    with pytest.raises(Cancelled):
        run(detailed, bench=bench, cancelled=cancelled)
    assert measured == [0, 0]
    run(detailed, bench=bench)
    assert measured == [0, 0, 0, 6]  # the second of the attack, then the controls
    counted = dataclasses.replace(detailed, details=False)
    run(counted, bench=bench)
    assert measured == [0, 0, 0, 6, 2]  # without following flips the attack is another measurement
