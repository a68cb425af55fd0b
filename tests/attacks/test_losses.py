"""The losses against sums done by hand and finite differences."""

from __future__ import annotations

import math

import pytest
import torch

from dqviz.attacks import APGD, FGSM, PGD, AttackError
from dqviz.attacks.losses import DLR, CrossEntropy, Rescaled, TargetedDLR, loss_named, margins
from dqviz.models.normalize import Classifier
from dqviz.specs import LOSSES
from tests.attacks.planted import Scaled

LOGITS = torch.tensor([[3.0, 1.0, -1.0, 0.5], [3.0, 1.0, -1.0, 0.5]])
LABELS = torch.tensor([0, 1])


def test_dlr_by_hand() -> None:
    # Sorted 3, 1, 0.5, -1. Label 0: -(3 - 1) / (3 - 0.5); label 1: -(1 - 3) / (3 - 0.5).
    torch.testing.assert_close(DLR()(LOGITS, LABELS), torch.tensor([-0.8, 0.8]))


def test_targeted_dlr_by_hand() -> None:
    # The likeliest other class of label 0 is 1, of label 1 it is 0; z_3 = 0.5 and z_4 = -1.
    span = 3 - (0.5 - 1) / 2
    found = TargetedDLR(rank=1)(LOGITS, LABELS)
    torch.testing.assert_close(found, torch.tensor([-2 / span, 2 / span]))
    # The third likeliest others are both class 2.
    assert TargetedDLR(rank=3).aim(LOGITS, LABELS).tolist() == [2, 2]
    third = TargetedDLR(rank=3)(LOGITS, LABELS)
    torch.testing.assert_close(third, torch.tensor([-4 / span, -2 / span]))


def test_the_target_stays_that_of_the_clean_image() -> None:
    loss = TargetedDLR(rank=1)
    moved = LOGITS[:1] + torch.tensor([[0.0, -5.0, 0.0, 0.0]])  # 3, -4, -1, 0.5
    found = loss(moved, LABELS[:1], loss.aim(LOGITS[:1], LABELS[:1]))
    torch.testing.assert_close(found, torch.tensor([-(3 + 4) / (3 - (-1 - 4) / 2)]))


def test_cross_entropy_and_its_rescaling_by_hand() -> None:
    whole = sum(math.exp(z) for z in LOGITS[0].tolist())
    expected = [math.log(whole) - 3, math.log(whole) - 1]
    torch.testing.assert_close(CrossEntropy()(LOGITS, LABELS), torch.tensor(expected))
    # The two largest logits are 2 apart: all are divided by 2.
    half = sum(math.exp(z / 2) for z in LOGITS[0].tolist())
    expected = [math.log(half) - 1.5, math.log(half) - 0.5]
    torch.testing.assert_close(Rescaled()(LOGITS, LABELS), torch.tensor(expected))
    # Nearer than 1 they are left as they are.
    torch.testing.assert_close(Rescaled()(LOGITS / 4, LABELS), CrossEntropy()(LOGITS / 4, LABELS))


def test_margins_by_hand() -> None:
    torch.testing.assert_close(margins(LOGITS, LABELS), torch.tensor([-2.0, 2.0]))


@pytest.mark.parametrize("loss", [DLR(), TargetedDLR(rank=2), CrossEntropy(), Rescaled()])
def test_gradients_are_finite_differences(loss, generator: torch.Generator) -> None:
    logits = torch.randn(6, 5, generator=generator, dtype=torch.float64) * 3
    labels = torch.arange(6) % 5
    aim = loss.aim(logits, labels)
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(logits, labels, aim).sum(), logits)
    for place in range(5):
        step = torch.zeros_like(logits)
        step[:, place] = 1e-6
        rise = loss(logits + step, labels, aim) - loss(logits - step, labels, aim)
        torch.testing.assert_close(gradient[:, place], rise.detach() / 2e-6, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("loss", [DLR(), TargetedDLR(rank=1)])
def test_ratios_do_not_see_scale_or_shift(loss, generator: torch.Generator) -> None:
    logits = torch.randn(8, 6, generator=generator)
    labels = torch.arange(8) % 6
    torch.testing.assert_close(
        loss(1000 * logits + 7, labels), loss(logits, labels), rtol=1e-3, atol=1e-4
    )
    assert torch.isfinite(loss(torch.zeros(8, 6), labels)).all()


def test_positive_means_wrong(generator: torch.Generator) -> None:
    logits = torch.randn(200, 5, generator=generator)
    labels = torch.randint(0, 5, (200,), generator=generator)
    wrong = logits.argmax(1) != labels
    assert torch.equal(DLR()(logits, labels) > 0, wrong)
    assert torch.equal(margins(logits, labels) > 0, wrong)
    assert DLR()(logits, labels)[~wrong].min() >= -1


def test_too_few_classes_are_refused_by_the_loss() -> None:
    with pytest.raises(AttackError, match=r"dlr needs at least 3 classes; the network has 2"):
        DLR()(torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64))
    with pytest.raises(AttackError, match=r"targeted dlr needs at least 4 .* has 3"):
        TargetedDLR(rank=1)(torch.zeros(1, 3), torch.zeros(1, dtype=torch.int64))
    with pytest.raises(AttackError, match="no 4-th other class: the network has 4"):
        TargetedDLR(rank=4)(LOGITS, LABELS)
    with pytest.raises(AttackError, match="cross_entropy, rescaled, dlr; got 'hinge'"):
        loss_named("hinge")
    with pytest.raises(AttackError, match="at least 1; got 0"):
        TargetedDLR(rank=0)


def test_every_loss_of_the_specifications_has_its_name() -> None:
    assert [loss_named(name).name for name in LOSSES] == list(LOSSES)


@pytest.mark.parametrize("attack", [FGSM, PGD, APGD])
def test_saturated_logits_stop_cross_entropy_alone(
    attack, net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    saturated = Scaled(net, 1e4)
    images = images[margins(net(images), labels) < -0.1]
    labels = net(images).argmax(1)
    stuck = attack(saturated, eps=0.15, seed=1)(images, labels)
    survive = {"cross_entropy": float((saturated(stuck).argmax(1) == labels).float().mean())}
    for loss in ("rescaled", "dlr"):
        moved = attack(saturated, eps=0.15, seed=1, loss=loss)(images, labels)
        survive[loss] = float((saturated(moved).argmax(1) == labels).float().mean())
    assert survive["cross_entropy"] > 0.6
    assert survive["rescaled"] < 0.35
    assert survive["dlr"] < 0.35
