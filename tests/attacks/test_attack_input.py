"""What an attack refuses, and networks and images that are hard for it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from dqviz.attacks import BIM, FGSM, PGD, Attack, AttackError, AttackStep
from dqviz.models.normalize import Classifier
from dqviz.quantize import BackwardThrough, QuantizeError, quantize_model
from dqviz.specs import QuantSpec
from tests.attacks.sizes import ATTACKS, NORMS, losses, sizes


def test_the_network_is_left_as_it_was(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    net.requires_grad_(True)
    PGD(net, eps=0.1)(images, labels)
    assert all(p.grad is None and p.requires_grad for p in net.parameters())
    assert not images.requires_grad


@pytest.mark.parametrize("estimator", ["identity", "clipped"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_see_through_straight_through_quantizers(
    attack: type[Attack],
    estimator: str,
    net: Classifier,
    images: torch.Tensor,
) -> None:
    spec = QuantSpec(weight_bits=4, act_bits=4, estimator=estimator)
    quantized = quantize_model(net, spec, calibration=images)
    labels = quantized(images).argmax(1)
    adversarial = attack(quantized, eps=0.1)(images, labels)
    rise = losses(quantized, adversarial, labels) - losses(quantized, images, labels)
    assert rise.mean() > 0.5


@pytest.mark.parametrize("attack", ATTACKS)
def test_true_rounding_leaves_an_attack_where_it_starts(
    attack: type[Attack], net: Classifier, images: torch.Tensor
) -> None:
    spec = QuantSpec(weight_bits=4, act_bits=4, estimator="none")
    quantized = quantize_model(net, spec, calibration=images)
    labels = quantized(images).argmax(1)
    gradient, _, logits = attack(quantized).gradient(images, labels)
    assert torch.equal(gradient, torch.zeros_like(images))
    assert torch.equal(logits, quantized(images))
    for norm, eps in NORMS.items():
        adversarial = attack(quantized, eps=eps, norm=norm)(images, labels)
        perturbation = adversarial - images
        assert (sizes(perturbation, norm) <= eps * (1 + 1e-4)).all()
        assert (sizes(perturbation, norm).max() > 0) == attack(quantized).moves_at_start


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_go_backward_through_the_unquantized_network(
    attack: type[Attack], net: Classifier, images: torch.Tensor
) -> None:
    spec = QuantSpec(weight_bits=4, act_bits=4, estimator="unquantized")
    quantized = quantize_model(net, spec, calibration=images)
    labels = quantized(images).argmax(1)
    with pytest.raises(QuantizeError, match="through a whole network"):
        attack(quantized, eps=0.1)(images, labels)
    victim = BackwardThrough(quantized, backward=net)
    adversarial = attack(victim, eps=0.1)(images, labels)
    rise = losses(quantized, adversarial, labels) - losses(quantized, images, labels)
    assert rise.mean() > 0.5


class Steps(nn.Module):
    """A network that rounds without a straight-through estimator, or detaches."""

    def __init__(self, *, detach: bool) -> None:
        super().__init__()
        self.detach = detach

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)[:, :5]
        return x.detach() if self.detach else (x * 1e30).square() * 1e30


def test_a_network_without_a_usable_gradient_is_refused(
    images: torch.Tensor, labels: torch.Tensor
) -> None:
    with pytest.raises(AttackError, match="passes no gradient"):
        FGSM(Steps(detach=True))(images, labels)
    with pytest.raises(AttackError, match="of 12 images is NaN or infinite"):
        FGSM(Steps(detach=False))(images, labels)


def test_an_image_without_gradient_stays(images: torch.Tensor) -> None:
    class Flat(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1)[:, :5] * 0

    for norm in NORMS:
        same = BIM(Flat(), eps=0.1, norm=norm)(images, torch.zeros(12, dtype=torch.int64))
        torch.testing.assert_close(same, images)


def test_tiny_gradients_still_give_full_l2_steps(images: torch.Tensor) -> None:
    class Faint(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1)[:, :5] * 1e-30

    images = images * 0.5 + 0.25
    moved = FGSM(Faint(), eps=0.1, norm="l2")(images, torch.zeros(12, dtype=torch.int64))
    torch.testing.assert_close(sizes(moved - images, "l2"), torch.full((12,), 0.1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eps": -0.1}, "0 or more, in pixel units; got -0.1"),
        ({"eps": 1e-40}, "lost in rounding below an eps of 1e-12; got 1e-40"),
        ({"eps": 8}, "write 8/255, not 8"),
        ({"eps": math.nan}, "got nan"),
        ({"eps": []}, "at least one eps"),
        ({"norm": "l1"}, "linf, l2; got 'l1'"),
        ({"steps": 0}, "steps must be at least 1; got 0"),
        ({"alpha": 0.0}, "alpha must be positive, in pixel units; got 0.0"),
        ({"restarts": 0}, "restarts must be at least 1; got 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    options: dict[str, object], message: str, net: Classifier
) -> None:
    with pytest.raises(AttackError, match=message):
        PGD(net, **options)


def test_inputs_that_do_not_fit_are_refused(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    attack = FGSM(net)
    for bad, message in (
        (images[0], r"got torch.float32 \(3, 8, 8\)"),
        (images[:0], "N at least 1"),
        ((images * 255).to(torch.uint8), "torch.uint8"),
        (images * 2 - 0.5, r"\[0, 1\]; got values from"),
        (images * math.nan, "values from nan to nan"),
    ):
        with pytest.raises(AttackError, match=message):
            attack(bad, labels)
    for bad, message in (
        (labels[:3], r"shape \(12,\); got"),
        (labels.float(), "torch.float32"),
        (labels - 9, "0 or more; got -"),
        (labels + 9, "none of the network's 5 classes"),
    ):
        with pytest.raises(AttackError, match=message):
            attack(images, bad)
    with pytest.raises(AttackError, match="batch_size must be at least 1; got 0"):
        attack(images, labels, batch_size=0)
    with pytest.raises(AttackError, match="single eps; got 2"):
        PGD(net, eps=[0.1, 0.2]).iterate(images, labels)
    with pytest.raises(AttackError, match=r"must return logits \(12, classes\)"):
        FGSM(nn.Identity())(images, labels)


def test_a_network_in_training_is_refused_by_its_layer(net: Classifier) -> None:
    net.train()
    with pytest.raises(AttackError, match=r"BatchNorm2d 'net\.1' is in training mode"):
        FGSM(net)


def test_a_step_is_a_frozen_record(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    state = next(FGSM(net).iterate(images, labels))
    assert isinstance(state, AttackStep)
    with pytest.raises(AttributeError):
        state.step = 2  # type: ignore[misc]
