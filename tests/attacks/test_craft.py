"""From specifications to images, for every attack that a specification can name."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dqviz.attacks import BIM, FGSM, PGD, RFGSM, AttackError, craft, make_attack, prepare_for_attack
from dqviz.models.normalize import Classifier
from dqviz.quantize import quantize_model, quantized_layers
from dqviz.specs import ATTACKS, AttackSpec, QuantSpec

CLASSES = {"fgsm": FGSM, "rfgsm": RFGSM, "bim": BIM, "pgd": PGD}


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_of_the_specifications_can_be_made(
    name: str, net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    spec = AttackSpec(name=name, epsilons=(0.0, 0.05, 0.1), norm="l2", seed=4)
    attack = make_attack(net, spec, 0.1)
    assert type(attack) is CLASSES[name]
    assert (attack.norm, attack.seed, attack.epsilons) == ("l2", 4, (0.1,))
    assert make_attack(net, spec).epsilons == (0.0, 0.05, 0.1)
    crafted = craft(net, images, labels, spec)
    assert list(crafted) == [0.0, 0.05, 0.1]
    assert torch.equal(crafted[0.0], images)
    assert torch.equal(crafted[0.1], attack(images, labels))


def test_settings_of_iterated_attacks_are_passed_on(net: Classifier) -> None:
    spec = AttackSpec(name="pgd", steps=7, alpha=0.01, restarts=3, targeted=True)
    attack = make_attack(net, spec, 0.1)
    assert isinstance(attack, PGD)
    assert (attack.steps, attack.restarts, attack.targeted) == (7, 3, True)
    assert attack.step_size(0.1) == 0.01
    assert make_attack(net, AttackSpec(name="bim", steps=5), 0.1).step_size(0.1) == 0.05
    still = make_attack(net, AttackSpec(name="pgd", random_start=False), 0.1)
    assert (still.moves_at_start, still.restarts) == (False, 1)


def test_a_targeted_attack_aims_at_the_class_after_the_true_one(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    spec = AttackSpec(name="pgd", epsilons=(0.3,), steps=20, targeted=True)
    reached = net(craft(net, images, labels, spec)[0.3]).argmax(1)
    assert (reached == (labels + 1) % 5).float().mean() > 0.9


def test_amplification_gets_the_final_iterate_and_accuracy_the_first_that_fools(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    spec = AttackSpec(name="bim", epsilons=(0.1,), steps=10)
    final = craft(net, images, labels, spec)[0.1]
    assert torch.equal(final, BIM(net, eps=0.1)(images, labels))
    stopped = craft(net, images, labels, spec, early_stop=True)[0.1]
    assert (stopped - images).norm() < (final - images).norm()


def test_batches_and_progress(net: Classifier, images: torch.Tensor, labels: torch.Tensor) -> None:
    spec = AttackSpec(name="pgd", epsilons=(0.05, 0.1), steps=2)
    seen: list[tuple[int, int]] = []
    split = craft(
        net, images, labels, spec, batch_size=5, progress=lambda d, t: seen.append((d, t))
    )
    assert seen[-1] == (12, 12)
    assert len(seen) == 12
    whole = craft(net, images, labels, spec)
    assert all((split[e] - whole[e]).abs().max() < 1e-3 for e in (0.05, 0.1))


def test_a_prepared_network_computes_the_same(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    prepared = prepare_for_attack(net)
    torch.testing.assert_close(prepared(images), net(images), rtol=1e-4, atol=1e-4)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in prepared.modules())
    assert not any(p.requires_grad for p in prepared.parameters())
    assert any(isinstance(module, nn.BatchNorm2d) for module in net.modules())
    spec = AttackSpec(name="pgd", epsilons=(0.05,))
    fast, plain = (craft(n, images, labels, spec)[0.05] for n in (prepared, net))
    assert ((fast - plain).abs() > 1e-4).float().mean() < 0.02


def test_bfloat16_is_close_in_full_precision_and_refused_for_codes(
    net: Classifier, images: torch.Tensor
) -> None:
    rounded = prepare_for_attack(net, precision="bfloat16")(images)
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, net(images))
    torch.testing.assert_close(rounded, net(images), rtol=0.05, atol=0.1)
    quantized = quantize_model(net, QuantSpec(act_bits=8), calibration=images)
    with pytest.raises(AttackError, match="corrupts the codes"):
        prepare_for_attack(quantized, precision="bfloat16")


def test_a_prepared_quantized_network_keeps_its_layers(
    net: Classifier, images: torch.Tensor
) -> None:
    quantized = quantize_model(net, QuantSpec(weight_bits=4, act_bits=4), calibration=images)
    prepared = prepare_for_attack(quantized)
    torch.testing.assert_close(prepared(images), quantized(images), rtol=1e-4, atol=1e-4)
    for (_, ours), (_, theirs) in zip(
        quantized_layers(prepared.net), quantized_layers(quantized), strict=True
    ):
        assert torch.equal(ours.weight, theirs.weight)
        assert ours is not theirs


def test_an_unknown_attack_is_refused(net: Classifier) -> None:
    spec = AttackSpec()
    object.__setattr__(spec, "name", "square")
    with pytest.raises(AttackError, match="fgsm, rfgsm, bim, pgd; got 'square'"):
        make_attack(net, spec, 0.1)
