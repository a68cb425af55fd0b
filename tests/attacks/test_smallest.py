"""The smallest flipping epsilon against networks where it is known exactly."""

from __future__ import annotations

import math

import pytest
import torch

from dqviz.attacks import AttackError, smallest_epsilons
from dqviz.models.normalize import Classifier
from dqviz.specs import AttackSpec
from tests.attacks.planted import random_linear, smallest_by_hand
from tests.attacks.sizes import sizes


@pytest.fixture
def grey(generator: torch.Generator) -> torch.Tensor:
    """Images so far from 0 and 1 that no pixel meets them."""
    return 0.5 + 0.1 * torch.rand(20, 3, 4, 4, generator=generator)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("name", ["fgsm", "bim", "pgd", "mifgsm", "apgd_ce", "standard"])
def test_it_is_the_margin_over_the_dual_norm(name: str, norm: str, grey: torch.Tensor) -> None:
    net = random_linear(2, 48, scale=0.3)
    labels = net(grey).argmax(1)
    exact = smallest_by_hand(net, grey, norm).double()
    bound = float(exact.max()) * 1.3
    spec = AttackSpec(name=name, norm=norm, steps=40, queries=2)
    found = smallest_epsilons(net, grey, labels, spec, bound=bound, tolerance=bound / 1000)
    excess = found.epsilon - exact
    assert excess.min() >= -1e-6
    # The step size of iterated attacks limits how near to the edge of its ball they get.
    assert excess.max() <= bound / 1000 + 0.02 * bound
    assert (net(found.adversarial).argmax(1) != labels).all()
    torch.testing.assert_close(
        sizes(found.adversarial.double() - grey.double(), norm), found.epsilon, rtol=1e-6, atol=0
    )


def test_fgsm_on_a_linear_network_meets_the_tolerance(grey: torch.Tensor) -> None:
    net = random_linear(2, 48, scale=0.3)
    labels = net(grey).argmax(1)
    exact = smallest_by_hand(net, grey, "linf").double()
    for tolerance in (0.01, 0.0001):
        found = smallest_epsilons(
            net, grey, labels, AttackSpec(), bound=0.4, tolerance=tolerance, batch_size=7
        )
        assert found.epsilon.dtype == torch.float64
        assert ((found.epsilon - exact > -1e-6) & (found.epsilon - exact <= tolerance)).all()


def test_wrong_images_take_nothing_and_those_out_of_reach_are_infinite(grey: torch.Tensor) -> None:
    net = random_linear(2, 48, scale=0.3)
    labels = net(grey).argmax(1)
    labels[3] = 1 - labels[3]
    exact = smallest_by_hand(net, grey, "linf")
    bound = float(exact.median())
    found = smallest_epsilons(net, grey, labels, AttackSpec(), bound=bound, tolerance=bound / 50)
    assert found.epsilon[3] == 0
    others = torch.arange(20) != 3
    out_of_reach = found.epsilon.isinf() & others
    assert torch.equal(out_of_reach, (exact > bound) & others)
    assert torch.equal(found.adversarial[out_of_reach], grey[out_of_reach])
    assert torch.equal(found.adversarial[3], grey[3])


def test_a_flip_with_less_than_was_allowed_counts(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    # Small steps and early stopping: the first attack, within 0.3, flips most with less than half.
    spec = AttackSpec(name="bim", steps=60, alpha=0.005)
    found = smallest_epsilons(net, images, labels, spec, bound=0.3, tolerance=0.3)
    assert found.epsilon.isfinite().all()
    assert (found.epsilon < 0.15).float().mean() > 0.5
    finer = smallest_epsilons(net, images, labels, spec, bound=0.3, tolerance=0.001)
    assert (finer.epsilon <= found.epsilon).all()


@pytest.mark.parametrize("name", ["pgd", "apgd_dlr", "square", "standard"])
def test_it_does_not_depend_on_the_batches(
    name: str, net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    labels = labels.clone()
    labels[:2] = (labels[:2] + 1) % 5  # a batch of these two needs no attack
    spec = AttackSpec(name=name, steps=3, queries=15, seed=2)

    def search(batch_size: int) -> torch.Tensor:
        found = smallest_epsilons(
            net, images, labels, spec, bound=0.2, tolerance=0.01, batch_size=batch_size
        )
        return found.epsilon

    whole = search(12)
    assert torch.equal(search(12), whole)
    torch.testing.assert_close(search(2), whole, rtol=0.01, atol=1e-5)


def test_progress_ends_and_what_it_raises_stops_within_one_step(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    seen: list[tuple[int, int]] = []
    spec = AttackSpec(name="bim", steps=3)
    options = {"bound": 0.2, "tolerance": 0.05, "batch_size": 5}
    smallest_epsilons(
        net, images, labels, spec, progress=lambda *step: seen.append(step), **options
    )
    done = [step for step, _ in seen]
    assert done == sorted(done)
    assert seen[-1] == (27, 27)  # three batches, three rounds, three steps

    class Cancelled(Exception):
        pass

    def cancel(done: int, total: int) -> None:
        raise Cancelled

    passed: list[int] = []
    net.register_forward_pre_hook(lambda *_: passed.append(0))
    with pytest.raises(Cancelled):
        smallest_epsilons(net, images, labels, spec, progress=cancel, **options)
    assert len(passed) == 2  # who is wrong by themselves, and one step


def test_a_targeted_search_reaches_its_goal(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    spec = AttackSpec(name="pgd", steps=10, targeted=True)
    found = smallest_epsilons(net, images, labels, spec, bound=0.5, tolerance=0.02)
    reached = found.epsilon.isfinite()
    assert reached.float().mean() > 0.8
    assert torch.equal(net(found.adversarial).argmax(1) == (labels + 1) % 5, reached)


@pytest.mark.parametrize(
    ("bound", "tolerance", "message"),
    [
        (0.1, 0.0, "got bound 0.1 and tolerance 0.0"),
        (0.1, 0.2, "at most the bound"),
        (0.0, 0.1, "got bound 0.0"),
        (math.inf, 0.1, "got bound inf"),
        (1.5, 0.1, "write 8/255, not 8"),
    ],
)
def test_bounds_that_do_not_fit_are_refused(
    bound: float,
    tolerance: float,
    message: str,
    net: Classifier,
    images: torch.Tensor,
    labels: torch.Tensor,
) -> None:
    with pytest.raises(AttackError, match=message):
        smallest_epsilons(net, images, labels, AttackSpec(), bound=bound, tolerance=tolerance)
