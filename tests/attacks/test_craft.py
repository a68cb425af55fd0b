"""From specifications to images, for every attack that a specification can name."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dqviz.attacks import (
    APGD,
    BIM,
    BREAKERS,
    FGSM,
    MIFGSM,
    PGD,
    RFGSM,
    AttackError,
    Square,
    Standard,
    craft,
    craft_outcomes,
    make_attack,
    prepare_for_attack,
)
from dqviz.models.normalize import Classifier
from dqviz.quantize import quantize_model, quantized_layers
from dqviz.specs import ATTACKS, AttackSpec, QuantSpec

CLASSES = {
    "fgsm": FGSM,
    "rfgsm": RFGSM,
    "bim": BIM,
    "pgd": PGD,
    "mifgsm": MIFGSM,
    "apgd_ce": APGD,
    "apgd_dlr": APGD,
    "square": Square,
    "standard": Standard,
}


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_of_the_specifications_can_be_made(
    name: str, net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    spec = AttackSpec(name=name, epsilons=(0.0, 0.05, 0.1), norm="l2", seed=4, steps=3, queries=20)
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


def test_settings_of_strong_attacks_are_passed_on(net: Classifier) -> None:
    made = {
        name: make_attack(net, AttackSpec(name=name, steps=7, restarts=3, queries=40), 0.1)
        for name in ("apgd_ce", "apgd_dlr", "square", "standard")
    }
    assert [made[name].total for name in made] == [21, 21, 40, 21 + 9 * 21 + 40]
    assert [made[name].loss.name for name in ("apgd_ce", "apgd_dlr")] == ["cross_entropy", "dlr"]
    still = make_attack(net, AttackSpec(name="apgd_ce", restarts=3, random_start=False), 0.1)
    assert still.restarts == 1
    momentum = make_attack(net, AttackSpec(name="mifgsm", momentum=0.5, alpha=0.01), 0.1)
    assert isinstance(momentum, MIFGSM)
    assert (momentum.momentum, momentum.alpha) == (0.5, 0.01)


@pytest.mark.parametrize("name", ["fgsm", "rfgsm", "bim", "pgd", "mifgsm"])
def test_the_loss_is_a_choice(
    name: str, net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    found = {}
    for loss in ("cross_entropy", "dlr", "rescaled"):
        spec = AttackSpec(name=name, epsilons=(0.05,), loss=loss, steps=3)
        assert make_attack(net, spec).loss.name == loss
        found[loss] = craft(net, images, labels, spec)[0.05]
    assert not torch.equal(found["cross_entropy"], found["dlr"])


def test_gradients_can_be_those_of_a_copy(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    for name in ATTACKS:
        copy = prepare_for_attack(net)
        attack = make_attack(net, AttackSpec(name=name), 0.1, gradients_of=copy)
        assert attack.networks.model is net
        assert (attack.networks.source is copy) == (name != "square")
    assert not torch.equal(
        craft(net, images, labels, AttackSpec(epsilons=(0.1,)), gradients_of=Backwards(net))[0.1],
        craft(net, images, labels, AttackSpec(epsilons=(0.1,)))[0.1],
    )


class Backwards(nn.Module):
    """Minus a network's logits: its gradients lead the other way."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return -self.net(x)


def test_an_ensemble_says_what_broke_each_image(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    labels = labels.clone()
    labels[0] = (labels[0] + 1) % 5
    spec = AttackSpec(name="standard", epsilons=(0.0, 0.02, 0.3), steps=3, queries=20)
    for early_stop in (False, True):
        found = craft_outcomes(net, images, labels, spec, early_stop=early_stop, batch_size=5)
        assert found[0.0].broken_by is None
        for epsilon in (0.02, 0.3):
            outcome = found[epsilon]
            assert outcome.broken_by is not None
            names = [BREAKERS[code] for code in outcome.broken_by.tolist()]
            wrong = net(outcome.adversarial).argmax(1) != labels
            assert [name != "none" for name in names] == wrong.tolist()
            assert names[0] == "clean"
            assert "clean" not in names[1:]
            assert ("none" in names) == (epsilon == 0.02)
    assert craft_outcomes(net, images, labels, AttackSpec())[1 / 255].broken_by is None


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
    object.__setattr__(spec, "name", "deepfool")
    with pytest.raises(AttackError, match="apgd_dlr, square, standard; got 'deepfool'"):
        make_attack(net, spec, 0.1)
