"""The smallest epsilon at which an attack flips each image, by bisection.

Any attack of a specification serves. What is found is an upper bound on the true one, up to the
tolerance: a stronger attack may find a smaller one.
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import nn

from dqviz.attacks.base import Attack, Progress, split
from dqviz.attacks.checks import require_images, require_labels
from dqviz.attacks.craft import make_attack, next_classes
from dqviz.attacks.errors import AttackError
from dqviz.attacks.hunt import Batch
from dqviz.specs import AttackSpec


@dataclasses.dataclass(frozen=True)
class Smallest:
    """The smallest epsilons found, and the images that show them.

    `epsilon` (N,) float64 is in pixel units: 0 where the clean image is wrong already, infinite
    where the attack did not flip the image within the bound. `adversarial` (N, C, H, W) holds the
    flipped images, unrounded, and the clean ones where epsilon is 0 or infinite.
    """

    epsilon: torch.Tensor
    adversarial: torch.Tensor


def smallest_epsilons(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    spec: AttackSpec,
    *,
    bound: float,
    tolerance: float,
    batch_size: int = 128,
    progress: Progress | None = None,
    gradients_of: nn.Module | None = None,
) -> Smallest:
    """Bisects for all images of a batch at once, each within a radius of its own.

    The first attack has the radius `bound`; images that it does not flip are given up. A flip
    counts with the perturbation's own size, which may be smaller than the radius it was allowed. An
    attack that fails where it, or another radius' attack, has flipped an image with less changes
    nothing: the smallest flip stands. Every attack of an image starts from the same random numbers.

    Args:
        model: images in [0, 1] in, logits (N, classes) out, in eval mode.
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes.
        spec: the attack; its epsilons do not matter.
        bound: the largest epsilon tried, in pixel units.
        tolerance: the bisection ends where the last failure and the smallest flip are as near.
        batch_size: images attacked at once.
        progress: called with the steps done and in all; what it raises cancels the search.
        gradients_of: the network that gradients are taken of, None for `model`; see `Attack`.

    Raises:
        AttackError: if bound or tolerance do not fit, or as for `craft`.
    """
    if not (0 < tolerance <= bound and math.isfinite(bound)):
        raise AttackError(
            "bound and tolerance must be above 0, in pixel units, and the tolerance at most the "
            f"bound; got bound {bound} and tolerance {tolerance}"
        )
    require_images(images)
    require_labels(labels, images)
    if spec.targeted:
        labels = next_classes(model, images, labels)
    attack = make_attack(model, spec, bound, gradients_of=gradients_of)
    generators = attack.generators()
    batches = split(images, labels, batch_size)
    rounds = 1 + math.ceil(math.log2(bound / tolerance) - 1e-9)
    total = len(batches) * rounds * attack.total
    parts = []
    for number, (batch, classes) in enumerate(batches):
        search = _Search(attack, batch, classes, generators, bound, tolerance)
        for turn in range(rounds):
            done = (number * rounds + turn) * attack.total
            search.turn(_counted(progress, done, total))
            if progress is not None:
                progress(done + attack.total, total)
        parts.append(search)
    return Smallest(
        torch.cat([part.high for part in parts]), torch.cat([part.flipped for part in parts])
    )


def _counted(progress: Progress | None, before: int, total: int) -> Progress:
    """What counts the steps of one attack among those of all."""

    def count(done: int, _: int) -> None:
        if progress is not None:
            progress(before + done, total)

    return count


class _Search:
    """One batch: `low` (N,) the largest radius that failed, `high` (N,) the smallest flip."""

    def __init__(
        self,
        attack: Attack,
        images: torch.Tensor,
        labels: torch.Tensor,
        generators: list[torch.Generator],
        bound: float,
        tolerance: float,
    ) -> None:
        self.attack, self.images, self.labels = attack, images, labels
        self.generators = generators
        self.states = [generator.get_state() for generator in generators]
        self.bound, self.tolerance = bound, tolerance
        self.flipped = images
        wrong = attack.fooled(attack.networks.logits(images, labels), labels)
        self.low = torch.zeros(len(images), dtype=torch.float64, device=images.device)
        self.high = torch.where(wrong, 0.0, torch.full_like(self.low, torch.inf))
        self.first = True

    def turn(self, progress: Progress) -> None:
        """One attack on every image whose bracket is still too wide, halfway into it."""
        untried = self.first & self.high.isinf()
        open_ = untried | (self.high.isfinite() & (self.high - self.low > self.tolerance))
        rows = open_.nonzero()[:, 0]
        if len(rows) == 0 and not self.first:
            return
        radii = torch.where(untried, self.bound, (self.low + self.high) / 2)
        radii = torch.where(open_, radii, 0.0)
        self.first = False
        self._note(rows, radii, self._attacked(rows, radii, progress))

    def _attacked(
        self, rows: torch.Tensor, radii: torch.Tensor, progress: Progress
    ) -> torch.Tensor:
        """The images under attack, from the random numbers that this batch began with."""
        for generator, state in zip(self.generators, self.states, strict=True):
            generator.set_state(state)
        epsilon = radii.to(self.images.dtype).view(-1, 1, 1, 1)
        hunt = self.attack.hunt(Batch(self.images, self.labels, epsilon, True, rows))
        for step, _ in enumerate(hunt.walk(self.generators), start=1):
            progress(step, self.attack.total)
        return hunt.answer

    def _note(self, rows: torch.Tensor, radii: torch.Tensor, found: torch.Tensor) -> None:
        if len(rows) == 0:
            return
        logits = self.attack.networks.logits(found[rows], self.labels[rows])
        fooled = self.attack.fooled(logits, self.labels[rows])
        sizes = self.attack.ball.size(found[rows].double() - self.images[rows].double())
        hit, missed = rows[fooled], rows[~fooled]
        self.high[hit] = sizes[fooled]  # below the smallest flip so far, as the radius was
        self.flipped = self.flipped.index_copy(0, hit, found[hit])
        self.low[missed] = torch.maximum(self.low[missed], radii[missed])
