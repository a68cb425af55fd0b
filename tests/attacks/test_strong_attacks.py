"""Momentum, APGD, Square and the ensemble: by hand, and on networks with known answers."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dqviz.attacks import APGD, BIM, BREAKERS, MIFGSM, AttackError, Square, Standard
from dqviz.attacks.ascent import Ascent, checkpoints
from dqviz.attacks.base import Outcome
from dqviz.attacks.hunt import Batch
from dqviz.attacks.losses import margins
from dqviz.attacks.norms import ball
from dqviz.attacks.square import share_of_pixels
from dqviz.attacks.squares import L2Search, LInfSearch
from dqviz.models.normalize import Classifier
from tests.attacks.planted import Linear, random_linear, smallest_by_hand
from tests.attacks.sizes import NORMS, losses, sizes


def gradient_of(net: nn.Module, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    x = x.clone().requires_grad_()
    F.cross_entropy(net(x), labels, reduction="sum").backward()
    assert x.grad is not None
    return x.grad


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("momentum", [0.0, 0.5, 1.0])
def test_mifgsm_is_its_formula(
    norm: str, momentum: float, net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    eps, alpha = NORMS[norm], NORMS[norm] / 3
    x, velocity = images, torch.zeros_like(images)
    for _ in range(5):
        gradient = gradient_of(net, x, labels)
        velocity = momentum * velocity + gradient / gradient.abs().sum((1, 2, 3), keepdim=True)
        if norm == "linf":
            delta = (x + alpha * velocity.sign() - images).clamp(-eps, eps)
        else:
            delta = x + alpha * F.normalize(velocity.flatten(1)).view_as(x) - images
            delta = delta * (eps / delta.flatten(1).norm(dim=1)).clamp(max=1).view(-1, 1, 1, 1)
        x = (images + delta).clamp(0, 1)
    attack = MIFGSM(net, eps=eps, alpha=alpha, steps=5, norm=norm, momentum=momentum)
    torch.testing.assert_close(attack(images, labels), x, rtol=1e-5, atol=1e-5)
    if momentum == 0:
        plain = BIM(net, eps=eps, alpha=alpha, steps=5, norm=norm)(images, labels)
        torch.testing.assert_close(plain, x, rtol=1e-5, atol=1e-5)


def test_momentum_out_of_range_is_refused(net: Classifier) -> None:
    with pytest.raises(AttackError, match=r"at least 0 and at most 1; got 1\.5"):
        MIFGSM(net, momentum=1.5)


def test_momentum_of_images_that_rest_stays_theirs(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    attack = MIFGSM(net, eps=0.08, steps=8)
    mixed = False
    for stopped, plain in zip(
        attack.iterate(images, labels, early_stop=True), attack.iterate(images, labels), strict=True
    ):
        going = ~stopped.loss.isnan() & (net(stopped.adversarial).argmax(1) == labels)
        mixed |= 0 < int(going.sum()) < len(images)
        torch.testing.assert_close(stopped.adversarial[going], plain.adversarial[going])
    assert mixed


def test_checkpoints_are_the_papers() -> None:
    # p = 0, 0.22, 0.41, 0.57, 0.70, 0.80, 0.87, 0.93, 0.99
    assert list(checkpoints(100)) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert list(checkpoints(100).values()) == [22, 19, 16, 13, 10, 7, 6, 6]
    assert list(checkpoints(10)) == [3, 5, 6, 7, 8, 9, 10]
    assert checkpoints(1) == {1: 1}


def climb(*losses: float, first: float = -1.0) -> Ascent:
    """An ascent of one pixel whose losses were these after its first step, from 0 up by a tenth."""
    ascent = Ascent(torch.full((1, 1, 1, 1), 0.0), 0.5)
    ascent.note(torch.full((1, 1, 1, 1), 9.0), torch.tensor([first]))
    ascent.steps += 1
    for step, loss in enumerate(losses):
        ascent.x = torch.full((1, 1, 1, 1), step / 10)
        ascent.note(torch.full((1, 1, 1, 1), float(step)), torch.tensor([loss]))
        ascent.steps += 1
    return ascent


def test_steps_that_pay_are_left_as_they_are() -> None:
    ascent = climb(0.0, 1.0, 2.0, 3.0, 4.0)
    ascent.check(4)
    assert ascent.size.item() == 1.0  # twice epsilon
    assert ascent.x.item() == pytest.approx(0.4)


def test_steps_that_do_not_pay_are_halved_from_the_best_point() -> None:
    ascent = climb(0.0, 1.0, 2.0, 3.0, 1.0)  # three of four rose: that is not more than 0.75
    ascent.check(4)
    assert ascent.size.item() == 0.5
    assert ascent.x.item() == pytest.approx(0.3)
    assert ascent.gradient.item() == 3.0


def test_the_first_step_is_not_counted_as_a_rise() -> None:
    ascent = climb(0.0, 1.0, 2.0)
    assert ascent.rises.item() == 2
    ascent.check(3)
    assert ascent.size.item() == 1.0 / 2
    ascent = climb(0.0, first=5.0)
    ascent.check(1)
    assert ascent.gradient.item() == 9.0  # the start was the best point


def test_a_best_loss_that_stands_still_halves_unless_the_step_just_was() -> None:
    ascent = climb(0.0, 1.0, 2.0, 3.0, 4.0)
    ascent.check(4)
    ascent.rises = torch.tensor([4.0])  # all rose, but never above the best of the first part
    ascent.check(4)
    assert ascent.size.item() == 0.5
    ascent.rises = torch.tensor([4.0])
    ascent.check(4)
    assert ascent.size.item() == 0.5


def test_an_ascents_step_is_its_formula() -> None:
    ascent = Ascent(torch.tensor([0.5]).view(1, 1, 1, 1), 0.1)
    images = torch.full((1, 1, 1, 1), 0.5)
    ascent.note(torch.ones(1, 1, 1, 1), torch.zeros(1))
    assert ascent.advance(images, 0.1, ball("linf")).item() == pytest.approx(
        0.6
    )  # 2 eps, projected
    ascent.size = ascent.size / 4
    ascent.note(-torch.ones(1, 1, 1, 1), torch.zeros(1))
    # z = 0.6 - 0.05; 0.75 of that step and 0.25 of the last one, projected onto the ball again
    expected = 0.6 + 0.75 * (0.55 - 0.6) + 0.25 * (0.6 - 0.5)
    assert ascent.advance(images, 0.1, ball("linf")).item() == pytest.approx(expected)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(
    ("classes", "options"),
    [(2, {}), (2, {"loss": "rescaled"}), (5, {"loss": "dlr"}), (5, {"loss": "dlr", "targets": 4})],
)
def test_apgd_reaches_the_optimum_of_a_linear_network(
    norm: str, classes: int, options: dict, generator: torch.Generator
) -> None:
    # No pixel meets 0 or 1 on the way. With more classes cross-entropy has another optimum.
    net = random_linear(classes, 48, scale=0.3)
    images = 0.5 + 0.1 * torch.rand(20, 3, 4, 4, generator=generator)
    labels = net(images).argmax(1)
    exact = smallest_by_hand(net, images, norm)
    attack = APGD(net, norm=norm, steps=40, **options)
    share = {}
    for factor in (0.999, 1.02):
        hunt = attack.hunt(Batch(images, labels, (exact * factor).view(-1, 1, 1, 1)))
        *_, _ = hunt.walk(attack.generators())
        assert (sizes(hunt.answer - images, norm) <= exact * factor * (1 + 1e-4)).all()
        share[factor] = (net(hunt.answer).argmax(1) != labels).float().mean()
    assert share[0.999] == 0
    assert share[1.02] == 1


def test_apgds_answer_is_its_best_point(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    attack = APGD(net, eps=0.03, steps=8, restarts=2)
    answer = attack(images, labels)
    points = torch.stack([state.adversarial for state in attack.iterate(images, labels)])
    fooling = torch.stack([net(x).argmax(1) != labels for x in points])
    raised = torch.stack([losses(net, x, labels) for x in points])
    assert torch.equal(net(answer).argmax(1) != labels, fooling.any(0))
    for image in range(len(images)):
        allowed = fooling[:, image] if fooling[:, image].any() else ~fooling[:, image]
        best = raised[allowed, image].max()
        assert losses(net, answer, labels)[image] >= best - 1e-5


def test_a_point_that_fools_comes_before_one_of_higher_loss() -> None:
    class Pixels(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1) * 4

    images = torch.tensor([0.9, 0.5, 0.1]).view(1, 3, 1, 1)
    attack = APGD(Pixels(), eps=0.5)
    hunt = attack.hunt(Batch(images, torch.tensor([0]), 0.5))
    hunt.begin(0, torch.Generator())
    fooling, higher, worse = [0.5, 0.55, 0.0], [0.6, 0.55, 0.58], [0.9, 0.1, 0.1]
    for point, kept in ((worse, worse), (fooling, fooling), (higher, fooling)):
        hunt.x = torch.tensor(point).view(1, 3, 1, 1)
        logits = Pixels()(hunt.x)
        hunt._keep_best(F.cross_entropy(logits, torch.tensor([0]), reduction="none"), logits)
        torch.testing.assert_close(hunt.answer.flatten(), torch.tensor(kept))
    raised = [F.cross_entropy(torch.tensor([p]) * 4, torch.tensor([0])) for p in (fooling, higher)]
    assert raised[1] > raised[0]


@pytest.mark.parametrize("attack", [APGD, Standard])
def test_an_image_once_fooled_rests_in_later_restarts_too(
    attack: type[APGD] | type[Standard], net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    states = list(
        attack(net, eps=0.03, steps=3, restarts=3).iterate(images, labels, early_stop=True)
    )
    asked = torch.stack([~state.loss.isnan() for state in states])
    assert {state.restart for state in states} >= {0, 1, 2}
    assert (asked[1:] <= asked[:-1]).all()
    assert 0 < asked[-1].sum() < asked[0].sum()


def test_the_likeliest_other_classes_are_the_targets(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    attack = APGD(net, eps=0.3, steps=10, loss="dlr", targets=9)
    assert attack.restarts == 9
    others = net(images).scatter(1, labels[:, None], -torch.inf).argsort(1, descending=True)
    hunt = attack.hunt(Batch(images, labels, 0.3))
    seen = {restart: hunt.aim for restart, _ in hunt.walk(attack.generators())}
    assert list(seen) == [0, 1, 2, 3]  # five classes have four others
    for restart, aim in seen.items():
        assert torch.equal(aim, others[:, restart])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": -1}, "got -1 with loss 'cross_entropy'"),
        ({"targets": 3}, "got 3 with loss 'cross_entropy'"),
        ({"targets": 3, "loss": "dlr", "targeted": True}, "targeted True"),
        ({"restarts": 0}, "restarts must be at least 1; got 0"),
        ({"loss": "hinge"}, "got 'hinge'"),
    ],
)
def test_settings_of_apgd_that_do_not_fit_are_refused(
    options: dict, message: str, net: Classifier
) -> None:
    with pytest.raises(AttackError, match=message):
        APGD(net, **options)


def test_squares_shrink_by_autoattacks_schedule() -> None:
    shares = [share_of_pixels(query, 10_000) for query in (0, 11, 51, 201, 501, 1001, 9000)]
    assert shares == [0.8, 0.4, 0.2, 0.1, 0.05, 0.025, 0.8 / 512]
    assert share_of_pixels(450, 500) == share_of_pixels(9000, 10_000)


def test_a_square_of_one_sign_a_channel_is_all_that_changes() -> None:
    images = torch.full((400, 3, 8, 8), 0.5)
    numbers = torch.rand(400, 5, generator=torch.Generator().manual_seed(0))
    moved = LInfSearch().propose(images, images, 0.1, numbers, 9 / 64) - images
    for change in moved:
        changed = change.abs().amax(0) > 0
        assert changed.sum() == 9
        rows, columns = changed.nonzero().unbind(1)
        assert rows.max() - rows.min() == columns.max() - columns.min() == 2
        for channel in change:
            assert channel[changed].unique().numel() == 1
    torch.testing.assert_close(moved.abs()[moved != 0], torch.full((400 * 27,), 0.1))
    places = (moved.abs().sum((0, 1)) > 0).float()
    assert places.mean() == 1  # they reach every pixel, the last row and column too


@pytest.mark.parametrize("size", [(3, 8, 8), (1, 5, 7), (3, 2, 2)])
def test_l2_proposals_stay_on_the_sphere(size: tuple[int, int, int]) -> None:
    search, generator = L2Search(), torch.Generator().manual_seed(0)
    images = torch.full((6, *size), 0.5)
    start = torch.stack([search.start(torch.Size(size), generator) for _ in images])
    torch.testing.assert_close(sizes(start, "l2"), torch.ones(6))
    x = images + 0.2 * start
    for share in (0.8, 0.1, 0.001):
        numbers = torch.rand(6, search.numbers(size[0]), generator=generator)
        moved = search.propose(x, images, 0.2, numbers, share)
        torch.testing.assert_close(sizes(moved - images, "l2"), torch.full((6,), 0.2))
        assert not torch.equal(moved, x)
        x = moved


def test_a_window_in_l2_gets_the_length_of_two_windows_in_every_channel() -> None:
    generator = torch.Generator().manual_seed(0)
    change = torch.randn(1, 3, 12, 12, generator=generator)
    change = 0.2 * change / change.norm()
    images = torch.full_like(change, 0.5)
    for _ in range(200):
        numbers = torch.rand(1, 8, generator=generator)
        moved = L2Search().propose(images + change, images, 0.2, numbers, 25 / 144) - images
        # Seven places for a square of five pixels, without the one at the last row or column.
        top, left, other_top, other_left = (int(7 * n) for n in numbers[0, :4].tolist())
        outside = change.clone()
        outside[..., other_top : other_top + 5, other_left : other_left + 5] = 0
        outside[..., top : top + 5, left : left + 5] = 0
        rest = outside.square().sum() / 0.04  # the ball is used up: nothing more to share out
        window = moved[..., top : top + 5, left : left + 5].square().sum((0, 2, 3)) / 0.04
        expected = (1 - rest) / (rest + 3 * (1 - rest))
        torch.testing.assert_close(window, expected.expand(3), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("norm", NORMS)
def test_square_never_goes_back_and_asks_as_often_as_it_may(
    norm: str, net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    asked: list[int] = []
    net.register_forward_pre_hook(lambda _, inputs: asked.append(len(inputs[0])))
    states = list(Square(net, eps=0.03, norm=norm, queries=60).iterate(images, labels))
    assert asked == [12] * 60
    kept = torch.stack([margins(net(state.adversarial), labels) for state in states])
    assert (kept[1:] >= kept[:-1] - 1e-5).all()
    assert (kept[-1] > kept[0]).all()
    asked.clear()
    stopped = Square(net, eps=0.1, queries=60)(images, labels, early_stop=True)
    fooled = net(stopped).argmax(1) != labels
    assert sum(asked) < 60 * 12
    assert fooled.any()


def test_square_needs_no_gradient(images: torch.Tensor) -> None:
    class Rounded(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x.detach().flatten(1)[:, :5] * 8).round()

    labels = Rounded()(images).argmax(1)
    found = Square(Rounded(), eps=0.3, queries=200)(images, labels)
    assert (Rounded()(found).argmax(1) != labels).float().mean() > 0.5


def test_each_attack_of_the_ensemble_meets_those_that_still_stand(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    attack = Standard(net, eps=0.04, steps=2, queries=30)
    met: list[list[int]] = []
    for stage in attack.stages(5):
        hunt = stage.hunt
        stage.hunt = lambda batch, hunt=hunt: (met.append(batch.standing.tolist()), hunt(batch))[1]
    (outcome,) = attack.outcomes(images, labels)
    codes = outcome.broken_by
    assert codes is not None
    for code, rows in zip(range(2, 5), met, strict=True):
        broken_before = ((codes > 0) & (codes < code)).nonzero()[:, 0].tolist()
        assert rows == [row for row in range(12) if row not in broken_before]
    assert torch.equal(codes > 0, net(outcome.adversarial).argmax(1) != labels)


class Masked(Linear):
    """A linear network whose logits are rounded: no gradient leads anywhere."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = super().forward(x)
        return logits.round() + 0 * logits


def test_the_ensemble_names_the_attack_that_broke_an_image() -> None:
    plain = random_linear(5, 48, scale=0.3)
    images = torch.full((20, 3, 4, 4), 0.5) + 0.1 * torch.rand(20, 3, 4, 4)
    for net, breaker in ((plain, "apgd_ce"), (Masked(plain.weight * 4, plain.bias * 4), "square")):
        labels = net(images).argmax(1)
        attack = Standard(net, eps=0.2, steps=10, queries=300)
        (outcome,) = attack.outcomes(images, labels, early_stop=True)
        assert outcome.broken_by is not None
        names = [BREAKERS[code] for code in outcome.broken_by.tolist()]
        assert names.count(breaker) > 10


@pytest.mark.parametrize(("classes", "second"), [(2, "rescaled"), (3, "dlr"), (4, "targeted dlr")])
def test_the_second_attack_suits_the_number_of_classes(classes: int, second: str) -> None:
    net = random_linear(classes, 48, scale=0.3)
    attack = Standard(net, eps=0.05, steps=2, queries=5)
    assert attack.stages(classes)[1].losses[0].name == second
    images = torch.rand(6, 3, 4, 4)
    labels = net(images).argmax(1)
    whole = attack(images, labels)
    assert torch.equal(attack(images, labels, batch_size=6), whole)
    assert (attack(images, labels, batch_size=1) - whole).abs().max() < 1e-4


@pytest.mark.parametrize("early_stop", [False, True])
def test_batches_of_few_standing_images_are_attacked_as_one_and_end_alike(
    early_stop: bool,
    net: Classifier,
    images: torch.Tensor,
    labels: torch.Tensor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    net.register_forward_pre_hook(lambda _, inputs: asked.append(len(inputs[0])))
    attack = Standard(net, eps=(0.01, 0.04), steps=6, queries=20, seed=4)

    def run(most: int) -> tuple[list[Outcome], list[int], list[tuple[int, int]]]:
        monkeypatch.setattr("dqviz.attacks.standard.MOST_BATCHES", most)
        asked.clear()
        told: list[tuple[int, int]] = []
        found = attack.outcomes(
            images,
            labels,
            early_stop=early_stop,
            batch_size=3,
            progress=lambda *step: told.append(step),
        )
        return found, list(asked), told

    attack(images, labels)  # looks at what it gets, once
    (apart, many, _), (merged, few, told) = run(1), run(8)
    assert len(few) < len(many)
    assert max(few) <= 3
    for one, other in zip(apart, merged, strict=True):
        assert one.broken_by is not None
        assert other.broken_by is not None
        assert torch.equal(one.broken_by, other.broken_by)
        torch.testing.assert_close(one.adversarial, other.adversarial)
    assert len(set(apart[0].broken_by.tolist())) > 2
    done = [step for step, _ in told]
    assert done == sorted(done)
    assert told[-1] == (told[0][1],) * 2
