"""An honest attack on an honest network is red nowhere; a planted fault is, for its reason."""

import functools

import pytest
import torch

from dqviz.attacks import AttackError, craft
from dqviz.measure.masking import diagnose
from dqviz.measure.masking_rules import AMBER, RED
from dqviz.measure.masking_variants import variants_of
from dqviz.specs import ATTACKS, AttackSpec
from tests.measure.planted import (
    EPSILON,
    Noisy,
    Saturated,
    TrueRounding,
    honest,
    images_and_labels,
)

ATTACK = AttackSpec(name="pgd", epsilons=(EPSILON,), queries=200)


@functools.cache
def network():
    return honest()


def downhill(model, images, labels, spec, **more):
    """An attack that walks against the gradient; the others are as they should be."""
    found = craft(model, images, labels, spec, **more)
    if spec.name != "pgd":
        return found
    return {epsilon: (2 * images - x).clamp(0, 1) for epsilon, x in found.items()}


def diagnosed(victim, *, attack=ATTACK, count=192, **more):
    images, labels = images_and_labels(count)
    return diagnose(victim, images, labels, attack=attack, sources={"bare": network()}, **more)


def red(found):
    return {check.name for check in found.checks if check.mark == RED}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_nothing_speaks_against_an_honest_attack_on_an_honest_network(seed):
    found = diagnosed(honest(seed), attack=AttackSpec(**{**vars(ATTACK), "seed": seed}))
    assert red(found) == set()
    left = found.outcomes["attack"].float().mean()
    assert 0.2 < left < 0.8, "else it would be no test"


@pytest.mark.parametrize(
    ("plant", "reasons", "innocent"),
    [
        (TrueRounding, {"gradients", "transfer", "square", "unbounded"}, {"repeatable"}),
        (Saturated, {"gradients", "rescaled", "transfer"}, {"repeatable", "loss"}),
        (Noisy, {"repeatable"}, {"gradients", "loss"}),
    ],
)
def test_a_planted_fault_is_red_for_the_right_reason(plant, reasons, innocent):
    found = red(diagnosed(plant(network())))
    assert reasons <= found
    assert not innocent & found


def test_a_broken_attack_is_red_for_the_right_reason():
    found = red(diagnosed(network(), crafter=downhill))
    assert {"loss", "iterated", "square"} <= found
    assert not {"gradients", "repeatable", "transfer"} & found


def test_a_single_step_is_not_the_last_word():
    """FGSM leaves more standing than many steps: the page says so under `steps`."""
    attack = AttackSpec(name="fgsm", epsilons=(2 * EPSILON,), queries=50)
    found = diagnosed(honest(), attack=attack)
    (steps,) = (check for check in found.checks if check.name == "steps")
    assert steps.other == "1 -> 50"
    assert steps.value == pytest.approx(
        float((found.outcomes["attack"].float() - found.outcomes["steps"].float()).mean()), abs=1e-6
    )


def test_other_gradients_are_compared_with():
    """With true rounding the network without it is an estimator that does better."""
    found = diagnosed(TrueRounding(network()), estimators={"unquantized": network()})
    (check,) = (check for check in found.checks if check.name == "estimator")
    assert (check.mark, check.other) == (RED, "unquantized")


def test_few_images_tell_little():
    found = diagnosed(network(), count=8)
    assert AMBER in {check.mark for check in found.checks}
    assert red(found) == set()


def test_without_a_correct_image_all_is_amber():
    images, labels = images_and_labels(16)
    found = diagnose(network(), images, (labels + 1) % 10, attack=ATTACK)
    assert {check.mark for check in found.checks} == {AMBER}
    assert int(found.correct.sum()) == 0


def test_progress_is_told_and_stops_it():
    told = []

    def stop(share, text):
        told.append(share)
        if share > 0.3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        diagnosed(network(), progress=stop)
    assert told == sorted(told)
    assert len(told) > 10


@pytest.mark.parametrize(
    "attack",
    [
        AttackSpec(name="pgd", epsilons=(0.1, 0.2)),
        AttackSpec(name="pgd", epsilons=(0.0,)),
        AttackSpec(name="pgd", epsilons=(0.1,), targeted=True),
    ],
)
def test_what_cannot_be_diagnosed_is_refused(attack):
    with pytest.raises(AttackError, match="untargeted attack at one epsilon above 0"):
        diagnosed(network(), attack=attack)


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_every_attack_has_its_variants(name, norm):
    attack = AttackSpec(name=name, epsilons=(0.9,), norm=norm, steps=20)
    variants = variants_of(attack)
    assert variants["attack"] == attack
    assert variants["steps"].steps >= 5 * variants["iterated"].steps
    assert variants["restarts"].restarts == 5 * attack.restarts
    assert variants["smaller"].epsilons == (0.45,)
    assert variants["larger"].epsilons == ((1.0,) if norm == "linf" else (1.8,))
    assert variants["unbounded"].steps >= 100
    assert {spec.norm for spec in variants.values()} == {norm}


def test_noise_has_the_attacks_size():
    from dqviz.measure.masking import Patient

    images = torch.full((4, 3, 8, 8), 0.5)
    patient = Patient(network(), images, torch.zeros(4, dtype=torch.int64), 2)
    flat = (patient.noise(ATTACK) - images).flatten(1)
    assert float(flat.abs().max()) == pytest.approx(EPSILON, rel=1e-4)
    flat = (patient.noise(AttackSpec(epsilons=(0.5,), norm="l2")) - images).flatten(1)
    assert flat.norm(dim=1).tolist() == pytest.approx([0.5] * 4, rel=1e-4)
