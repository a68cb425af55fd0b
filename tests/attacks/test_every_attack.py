"""What holds for every attack: its ball, its seeds, its batches, cancelling, bad input."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from dqviz.attacks import AttackError, Square
from dqviz.models.normalize import Classifier
from tests.attacks.planted import Softmax, random_linear
from tests.attacks.sizes import EVERY, NORMS, make, sizes

every = pytest.mark.parametrize("name", EVERY)


@every
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("early_stop", [False, True])
def test_stays_in_the_ball_and_the_box(
    name: str,
    norm: str,
    early_stop: bool,
    net: Classifier,
    images: torch.Tensor,
    labels: torch.Tensor,
) -> None:
    before, eps = images.clone(), NORMS[norm]
    found = make(name, net, eps=eps, norm=norm)(images, labels, early_stop=early_stop)
    assert torch.equal(images, before)
    assert found.min() >= 0
    assert found.max() <= 1
    assert sizes(found - images, norm).max() <= eps * (1 + 1e-5)


GOALS = [(name, targeted) for name in EVERY for targeted in (False, True)]
GOALS.remove(("apgd_targets", True))  # it chooses its targets itself


@pytest.mark.parametrize(("name", "targeted"), GOALS)
@pytest.mark.parametrize("norm", NORMS)
def test_fools_where_there_is_room(
    name: str,
    norm: str,
    targeted: bool,
    net: Classifier,
    images: torch.Tensor,
    labels: torch.Tensor,
) -> None:
    goal = (labels + 1) % 5 if targeted else labels
    eps = {"linf": 0.15, "l2": 1.5}[norm] * (1.5 if targeted else 1)
    found = make(name, net, eps=eps, norm=norm, targeted=targeted)(images, goal)
    reached = (net(found).argmax(1) == goal) == targeted
    weak = name in ("rfgsm", "fgsm", "square") or (name == "apgd_dlr" and targeted)
    assert reached.float().mean() > (0.6 if weak else 0.9)


@every
def test_follows_the_seed_and_not_the_batches(
    name: str, net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    for early_stop in (False, True):
        attack = make(name, net, eps=0.05, seed=1)
        if early_stop:  # a first batch that needs no attack must not change the others' numbers
            labels = torch.cat([(labels[:5] + 1) % 5, labels[5:]])
        whole = attack(images, labels, early_stop=early_stop)
        assert torch.equal(attack(images, labels, early_stop=early_stop), whole)
        split = attack(images, labels, early_stop=early_stop, batch_size=5)
        assert (split - whole).abs().max() < 1e-3
        first = attack(images[:7], labels[:7], early_stop=early_stop)
        assert (first - whole[:7]).abs().max() < 1e-3


@every
def test_no_global_randomness(
    name: str, net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    state = torch.random.get_rng_state()
    make(name, net, eps=0.1)(images, labels)
    assert torch.equal(torch.random.get_rng_state(), state)


@every
def test_early_stopping_fools_as_many_and_leaves_wrong_images_alone(
    name: str, net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    labels = labels.clone()
    labels[0] = (labels[0] + 1) % 5  # this one is wrong from the outset
    attack = make(name, net, eps=0.05)
    passed: list[int] = []
    net.register_forward_pre_hook(lambda _, inputs: passed.append(len(inputs[0])))
    stopped = attack(images, labels, early_stop=True)
    work = sum(passed)
    passed.clear()
    final = attack(images, labels)
    assert work < sum(passed) or name in ("fgsm", "rfgsm")
    fooled, fooled_early = (net(x).argmax(1) != labels for x in (final, stopped))
    assert (fooled_early | ~fooled).all()
    assert torch.equal(stopped[0], images[0])
    assert not torch.equal(final[0], images[0])


@every
def test_progress_ends_and_what_it_raises_stops_within_one_step(
    name: str, net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    attack = make(name, net, eps=[0.02, 0.3])
    seen: list[tuple[int, int]] = []
    attack(images, labels, batch_size=5, early_stop=True, progress=lambda *step: seen.append(step))
    done = [step for step, _ in seen]
    assert done == sorted(done)
    assert seen[-1][0] == seen[-1][1]
    assert len({total for _, total in seen}) == 1

    class Cancelled(Exception):
        pass

    def cancel(done: int, total: int) -> None:
        counted.append(0)
        if len(counted) == 3:
            raise Cancelled

    counted: list[int] = []
    passed: list[int] = []
    net.register_forward_pre_hook(lambda *_: passed.append(0))
    with pytest.raises(Cancelled):
        attack(images, labels, batch_size=4, progress=cancel)
    assert len(passed) <= 10


@every
def test_iterating_ends_at_the_answer(
    name: str, net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    attack = make(name, net, eps=0.05)
    states = list(attack.iterate(images, labels))
    assert [state.step for state in states] == list(range(1, len(states) + 1))
    assert states[-1].step <= states[-1].total == attack.total
    assert torch.equal(states[-1].best, attack(images, labels))
    kept = [state.adversarial.clone() for state in attack.iterate(images, labels)]
    assert all(torch.equal(k, s.adversarial) for k, s in zip(kept, states, strict=True))


@every
def test_several_epsilons_give_what_each_gives_alone(
    name: str, net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    together = make(name, net, eps=[0.0, 0.02, 0.05])(images, labels)
    for eps, result in zip((0.0, 0.02, 0.05), together, strict=True):
        assert torch.equal(result, make(name, net, eps=eps)(images, labels))
    torch.testing.assert_close(together[0], images)


@every
@pytest.mark.parametrize(
    ("eps", "message"),
    [(-0.1, "0 or more, in pixel units; got -0.1"), (1.5, "write 8/255, not 8"), (math.nan, "nan")],
)
def test_radii_that_do_not_fit_are_refused(
    name: str, eps: float, message: str, net: Classifier
) -> None:
    with pytest.raises(AttackError, match=message):
        make(name, net, eps=eps)


@pytest.mark.parametrize("name", [name for name in EVERY if name not in ("fgsm", "rfgsm")])
def test_no_steps_are_refused(name: str, net: Classifier) -> None:
    option = "queries" if name == "square" else "steps"
    with pytest.raises(AttackError, match=f"{option} must be at least 1; got 0"):
        make(name, net, **{option: 0})


@every
def test_inputs_that_do_not_fit_are_refused(
    name: str, net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    attack = make(name, net)
    for bad, message in (
        (images[:0], "N at least 1"),
        (images * 2 - 0.5, r"\[0, 1\]; got values from"),
    ):
        with pytest.raises(AttackError, match=message):
            attack(bad, labels[: len(bad)])
    for bad, message in ((labels - 9, "0 or more; got -"), (labels + 9, "network's 5 classes")):
        with pytest.raises(AttackError, match=message):
            attack(images, bad)


@every
def test_one_image_is_enough(
    name: str, net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    found = make(name, net, eps=0.05)(images[:1], labels[:1])
    assert found.shape == images[:1].shape


class Broken(nn.Module):
    """NaN logits for images that are bright."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = x.flatten(1)[:, :5] * 3
        return torch.where(x.mean((1, 2, 3))[:, None] > 0.5, torch.nan, logits)


@every
def test_logits_that_are_no_numbers_are_refused(
    name: str, images: torch.Tensor, labels: torch.Tensor
) -> None:
    bright = int((images.mean((1, 2, 3)) > 0.5).sum())
    assert 0 < bright < 12
    with pytest.raises(AttackError, match=r"logits are NaN for \d+ of 12 images"):
        make(name, Broken(), eps=0.01)(images, labels)


@every
@pytest.mark.parametrize("count", [1, 12])
def test_a_network_that_returns_probabilities_is_refused(
    name: str, count: int, net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    with pytest.raises(AttackError, match=r"returns probabilities .* leave out its last softmax"):
        make(name, Softmax(net))(images[:count], labels[:count])


def test_logits_that_sum_to_one_by_chance_are_let_through(images: torch.Tensor) -> None:
    # For the one image the logits are 0.25 and 0.75; for its negative they are not.
    class Chance(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            one = x[:, 0, 0, 0] / images[0, 0, 0, 0]
            return torch.stack([one * 0.25, one * 0.75], dim=1)

    found = make("bim", Chance(), eps=0.01)(images[:1], torch.ones(1, dtype=torch.int64))
    assert not torch.equal(found, images[:1])


@every
def test_a_single_class_is_refused_and_two_are_attacked(name: str, images: torch.Tensor) -> None:
    with pytest.raises(AttackError, match="at least 2 classes; got 1"):
        make(name, random_linear(1, 192))(images, torch.zeros(12, dtype=torch.int64))
    net = random_linear(2, 192, scale=0.1)
    labels = net(images).argmax(1)
    attack = make(name, net, eps=0.3)
    if name in ("apgd_dlr", "apgd_targets"):
        with pytest.raises(AttackError, match=r"needs at least . classes; the network has 2"):
            attack(images, labels)
    else:
        assert (net(attack(images, labels)).argmax(1) != labels).float().mean() > 0.9


@pytest.mark.parametrize("name", [name for name in EVERY if EVERY[name][0] is not Square])
def test_success_is_the_networks_own_word_and_gradients_are_the_copys(
    name: str, net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    """A copy without gradients gives no direction; a copy that errs does not stop an attack."""
    asked: list[int] = []

    class Copy(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            asked.append(len(x))
            return net(x) + torch.tensor([0.0, 0.0, 0.0, 0.0, 1e-3])

    plain = make(name, net, eps=0.05)(images, labels, early_stop=True)
    copied = make(name, net, eps=0.05, gradients_of=Copy().eval())(images, labels, early_stop=True)
    assert sum(asked) > 0
    fooled = [net(x).argmax(1) != labels for x in (plain, copied)]
    assert (fooled[0] == fooled[1]).float().mean() > 0.9

    class Liar(nn.Module):
        """Says that every image is fooled; its gradient is the network's."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return net(x) + 100 * nn.functional.one_hot((labels[: len(x)] + 1) % 5, 5)

    if name in ("bim", "pgd", "mifgsm"):
        attack = make(name, net, eps=0.15, gradients_of=Liar(), loss="dlr")
        judged = attack.fools(images, labels, Liar()(images))
        assert not judged.any()


def test_a_copy_is_believed_of_broken_images_where_it_is_in_no_doubt(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    asked: list[int] = []
    judge = copy.deepcopy(net)
    judge.register_forward_pre_hook(lambda _, inputs: asked.append(len(inputs[0])))
    attack = make("apgd_ce", judge, eps=0.05, gradients_of=net)
    right = nn.functional.one_hot(labels, 5).float()
    wrong, unsure = 1 - right, 0.99 * right + nn.functional.one_hot((labels + 1) % 5, 5)
    broken = torch.ones_like(labels, dtype=torch.bool)

    def judged(hint: torch.Tensor, broken: torch.Tensor | None) -> tuple[torch.Tensor, int]:
        asked.clear()
        return attack.fools(images, labels, hint, broken=broken), sum(asked)

    truth = net(images).argmax(1) != labels
    assert not truth.all()
    attack.networks.logits(images, labels)  # looked at once, with some images more
    nobody = torch.zeros_like(truth)
    for hint, known, answer, count in (
        (wrong, broken, ~nobody, 0),
        (wrong, nobody, truth, len(labels)),
        (wrong, None, truth, len(labels)),
        (unsure, broken, truth, len(labels)),
        (right, broken, nobody, 0),
    ):
        found, counted = judged(hint, known)
        assert torch.equal(found, answer)
        assert counted == count


def test_a_copy_with_other_classes_is_refused(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    attack = make("apgd_ce", net, eps=0.5, gradients_of=random_linear(7, 192))
    with pytest.raises(AttackError, match="classes of the one that is attacked; got"):
        attack(images, labels, early_stop=True)
