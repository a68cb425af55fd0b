"""Every attack: its ball, its steps by hand, restarts, early stopping, batches, refusals."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dqviz.attacks import BIM, FGSM, PGD, RFGSM, Attack
from dqviz.models.normalize import Classifier
from tests.attacks.sizes import ATTACKS, NORMS, losses, sizes


def gradient_by_hand(net: nn.Module, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    x = x.clone().requires_grad_()
    loss = F.cross_entropy(net(x), labels, reduction="sum")
    loss.backward()
    assert x.grad is not None
    return x.grad


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("targeted", [False, True])
def test_stays_in_the_ball_and_the_box_and_moves_the_loss(
    attack: type[Attack],
    norm: str,
    targeted: bool,
    net: Classifier,
    images: torch.Tensor,
    labels: torch.Tensor,
) -> None:
    goal = (labels + 1) % 5 if targeted else labels
    eps = NORMS[norm]
    before = images.clone()
    adversarial = attack(net, eps=eps, norm=norm, targeted=targeted)(images, goal)
    assert torch.equal(images, before)
    assert adversarial.min() >= 0
    assert adversarial.max() <= 1
    assert sizes(adversarial - images, norm).max() <= eps * (1 + 1e-5)
    assert sizes(adversarial - images, norm).min() > 0.3 * eps
    rise = losses(net, adversarial, goal) - losses(net, images, goal)
    assert ((rise < 0) if targeted else (rise > 0)).all()


def test_fgsm_is_its_formula(net: Classifier, images: torch.Tensor, labels: torch.Tensor) -> None:
    gradient = gradient_by_hand(net, images, labels)
    linf = FGSM(net, eps=0.1)(images, labels)
    torch.testing.assert_close(linf, (images + 0.1 * gradient.sign()).clamp(0, 1))
    l2 = FGSM(net, eps=0.7, norm="l2")(images, labels)
    unit = gradient / gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    torch.testing.assert_close(l2, (images + 0.7 * unit).clamp(0, 1))


@pytest.mark.parametrize("norm", NORMS)
def test_bim_is_its_formula(
    norm: str, net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    eps, alpha = NORMS[norm], NORMS[norm] / 3
    x = images
    for _ in range(5):
        gradient = gradient_by_hand(net, x, labels)
        if norm == "linf":
            delta = (x + alpha * gradient.sign() - images).clamp(-eps, eps)
        else:
            delta = x + alpha * F.normalize(gradient.flatten(1)).view_as(x) - images
            delta = delta * (eps / delta.flatten(1).norm(dim=1)).clamp(max=1).view(-1, 1, 1, 1)
        x = (images + delta).clamp(0, 1)
    ours = BIM(net, eps=eps, alpha=alpha, steps=5, norm=norm)(images, labels)
    torch.testing.assert_close(ours, x, rtol=1e-5, atol=1e-5)
    still = PGD(net, eps=eps, alpha=alpha, steps=5, norm=norm, random_start=False)(images, labels)
    assert torch.equal(still, ours)


def test_rfgsm_takes_half_at_random_and_half_along_the_gradient(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    images = images * 0.5 + 0.25  # away from 0 and 1, so that clamping to them does not show
    attack = RFGSM(net, eps=0.1, seed=3)
    start = attack.start(images, 0.1, torch.Generator().manual_seed(1))
    assert ((start - images).abs() - 0.05).abs().max() < 1e-6
    assert 0.4 < ((start > images).float().mean()) < 0.6
    moves = (attack(images, labels) - images).abs()
    assert torch.minimum(moves, (moves - 0.1).abs()).max() < 1e-6


class Hill(nn.Module):
    """Logits (N, 2) whose loss at class 1 grows with every pixel's distance from 1/2."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        height = (x - 0.5).square().flatten(1).sum(1)
        return torch.stack([height, torch.zeros_like(height)], dim=1)


def test_rfgsms_gradient_is_that_of_the_shifted_image() -> None:
    # The loss pushes each pixel away from 1/2. The clean image lies above it, so its gradient is
    # positive everywhere; the random half step throws about half of the pixels below.
    images = torch.full((4, 3, 8, 8), 0.52)
    moves = RFGSM(Hill(), eps=0.1)(images, torch.ones(4, dtype=torch.int64)) - images
    assert 0.4 < (moves > 0).float().mean() < 0.6
    torch.testing.assert_close(moves.abs(), torch.full_like(moves, 0.1))


@pytest.mark.parametrize("norm", NORMS)
def test_random_starts_fill_the_ball(norm: str, net: Classifier) -> None:
    grey = torch.full((400, 3, 2, 2), 0.5)
    starts = PGD(net, eps=0.3, norm=norm).start(grey, 0.3, torch.Generator().manual_seed(0))
    radii = sizes(starts - grey, norm) / 0.3
    assert radii.max() <= 1 + 1e-6
    # In 12 dimensions the share of the ball within radius r is r^12, in either norm.
    assert radii.pow(12).mean().item() == pytest.approx(0.5, abs=0.05)
    assert (starts - grey).mean().item() == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("attack", [PGD, RFGSM])
def test_starts_follow_the_seed_and_not_the_batches(
    attack: type[Attack], net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    whole = attack(net, eps=0.1, seed=1)(images, labels)
    for batch_size in (1, 5):
        split = attack(net, eps=0.1, seed=1)(images, labels, batch_size=batch_size)
        assert (split - whole).abs().max() < 1e-3
    first = attack(net, eps=0.1, seed=1)(images[:4], labels[:4])
    assert (first - whole[:4]).abs().max() < 1e-3
    assert (attack(net, eps=0.1, seed=2)(images, labels) - whole).abs().max() > 0.01


def test_no_global_randomness(net: Classifier, images: torch.Tensor, labels: torch.Tensor) -> None:
    state = torch.random.get_rng_state()
    PGD(net, eps=0.1, restarts=2)(images, labels)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_several_epsilons_give_what_each_gives_alone(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    for attack, norm in itertools.product(ATTACKS, NORMS):
        together = attack(net, eps=[0.02, 0.05], norm=norm)(images, labels)
        assert isinstance(together, list)
        for eps, result in zip((0.02, 0.05), together, strict=True):
            assert torch.equal(result, attack(net, eps=eps, norm=norm)(images, labels))


def count_forwards(net: nn.Module) -> list[int]:
    counted: list[int] = []
    net.register_forward_pre_hook(lambda _, inputs: counted.append(len(inputs[0])))
    return counted


def test_sixteen_epsilons_of_fgsm_take_one_gradient(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    counted = count_forwards(net)
    FGSM(net, eps=[k / 255 for k in range(16)])(images, labels)
    assert counted == [12]


@pytest.mark.parametrize("attack", ATTACKS)
def test_epsilon_zero_is_the_image(
    attack: type[Attack], net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    for norm in NORMS:
        torch.testing.assert_close(attack(net, eps=0.0, norm=norm)(images, labels), images)


def test_iterating_shows_every_step(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    attack = PGD(net, eps=0.1, steps=3, restarts=2)
    states = list(attack.iterate(images, labels))
    assert [(s.step, s.restart, s.total) for s in states] == [
        (1, 0, 6), (2, 0, 6), (3, 0, 6), (4, 1, 6), (5, 1, 6), (6, 1, 6),
    ]  # fmt: skip
    assert torch.equal(states[-1].best, attack(images, labels))
    torch.testing.assert_close(states[1].loss, losses(net, states[0].adversarial, labels))
    assert states[2].loss.sum() > states[0].loss.sum()
    single = list(PGD(net, eps=0.1, steps=3).iterate(images, labels))
    assert all(s.best is s.adversarial for s in single)


def test_stopping_the_iteration_stops_the_work(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    counted = count_forwards(net)
    for state in PGD(net, eps=0.1, steps=100).iterate(images, labels):
        if state.step == 2:
            break
    assert len(counted) == 2


def test_progress_counts_up_and_can_cancel(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    seen: list[tuple[int, int]] = []
    attack = PGD(net, eps=[0.1, 0.2], steps=3, restarts=2)
    attack(images, labels, batch_size=5, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(k, 36) for k in range(1, 37)]

    class Cancelled(Exception):
        pass

    def cancel(done: int, total: int) -> None:
        if done == 4:
            raise Cancelled

    counted = count_forwards(net)
    with pytest.raises(Cancelled):
        attack(images, labels, progress=cancel)
    assert len(counted) <= 5


def test_each_image_keeps_its_best_restart(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    attack = PGD(net, eps=0.05, steps=2, restarts=5, alpha=0.005)
    ends = [s.adversarial for s in attack.iterate(images, labels) if s.step % 2 == 0]
    table = torch.stack([losses(net, end, labels) for end in ends])
    best = losses(net, attack(images, labels), labels)
    torch.testing.assert_close(best, table.amax(0))
    assert table.argmax(0).unique().numel() > 1
    targeted = PGD(net, eps=0.05, steps=2, restarts=5, alpha=0.005, targeted=True)
    goal = (labels + 1) % 5
    ends = [s.adversarial for s in targeted.iterate(images, goal) if s.step % 2 == 0]
    table = torch.stack([losses(net, end, goal) for end in ends])
    torch.testing.assert_close(losses(net, targeted(images, goal), goal), table.amin(0))


@pytest.mark.parametrize("restarts", [1, 3])
def test_early_stopping_fools_as_many_with_smaller_steps(
    restarts: int, net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    labels = labels.clone()
    labels[0] = (labels[0] + 1) % 5  # this one is wrong from the outset
    attack = PGD(net, eps=0.08, steps=8, restarts=restarts)
    counted = count_forwards(net)
    stopped = attack(images, labels, early_stop=True)
    work = sum(counted)
    counted.clear()
    final = attack(images, labels)
    assert work < sum(counted)
    fooled = net(final).argmax(1) != labels
    fooled_early = net(stopped).argmax(1) != labels
    assert fooled.float().mean() > 0.5
    assert (fooled_early | ~fooled).all()
    assert torch.equal(stopped[0], images[0])
    assert not torch.equal(final[0], images[0])
    assert sizes(stopped - images, "l2").mean() < sizes(final - images, "l2").mean()


def test_early_stopping_shows_who_rests(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    states = list(BIM(net, eps=0.08, steps=8).iterate(images, labels, early_stop=True))
    asked = torch.stack([~s.loss.isnan() for s in states])
    assert asked[0].all()
    assert not asked[-1].all()
    assert (asked[1:] <= asked[:-1]).all()
    for before, after in itertools.pairwise(states):
        resting = after.loss.isnan()
        assert torch.equal(before.adversarial[resting], after.adversarial[resting])


def test_images_that_go_on_take_the_same_steps_as_without_early_stopping(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    attack = BIM(net, eps=0.08, steps=8)
    mixed = False
    for stopped, plain in zip(
        attack.iterate(images, labels, early_stop=True),
        attack.iterate(images, labels),
        strict=True,
    ):
        going = ~stopped.loss.isnan() & (net(stopped.adversarial).argmax(1) == labels)
        mixed |= 0 < int(going.sum()) < len(images)
        torch.testing.assert_close(stopped.adversarial[going], plain.adversarial[going])
    assert mixed


def test_fgsm_with_early_stopping_leaves_wrong_images_alone(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    wrong = labels.clone()
    wrong[3] = (wrong[3] + 1) % 5
    result = FGSM(net, eps=0.1)(images, wrong, early_stop=True)
    assert torch.equal(result[3], images[3])
    assert not torch.equal(result[2], images[2])
