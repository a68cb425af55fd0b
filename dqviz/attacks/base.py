"""The loop that all gradient attacks share: start, step, project, clamp, restart, keep the best.

Madry et al.: *Towards Deep Learning Models Resistant to Adversarial Attacks*, section 2.1,
https://arxiv.org/abs/1706.06083. A subclass says where an attack starts, how many steps it takes
and how long they are.
"""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import nn
from torch.nn import functional as F

from dqviz.attacks.checks import (
    require_finite,
    require_images,
    require_labels,
    require_logits,
    require_still,
)
from dqviz.attacks.errors import AttackError
from dqviz.attacks.hunt import Hunt
from dqviz.attacks.norms import ball
from dqviz.specs import SMALLEST

Progress = Callable[[int, int], None]
"""Called with the steps done and the steps in all; what it raises stops the attack."""


@dataclasses.dataclass(frozen=True)
class AttackStep:
    """The state of an attack after one step.

    `step` counts from 1 over all restarts, up to `total`; `restart` from 0. `adversarial`
    (N, C, H, W) is the iterate, `loss` (N,) the cross-entropy at the iterate before the step, NaN
    for images that the step left alone. `best` (N, C, H, W) is the attack's answer if it were
    stopped here: the iterate, or with restarts the one of highest loss among those finished.
    """

    step: int
    total: int
    restart: int
    adversarial: torch.Tensor
    loss: torch.Tensor
    best: torch.Tensor


class Attack(abc.ABC):
    """An attack on one network within a ball of radius epsilon, clamped to images in [0, 1].

    The network is neither changed nor put into another mode. Random starts are drawn image by image
    from generators seeded by `seed`, so an image's start does not depend on how the images are
    split into batches.

    Args:
        model: images (N, C, H, W) in [0, 1] in, logits (N, classes) out.
        eps: the radius in pixel units (8/255), or several.
        norm: `linf` or `l2`.
        targeted: whether the labels given are classes to reach rather than to leave.
        seed: of the random starts.

    Raises:
        AttackError: if an argument does not fit, or a layer of the network is in training mode and
            would mix the images of a batch.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        eps: float | Sequence[float] = 8 / 255,
        norm: str = "linf",
        targeted: bool = False,
        seed: int = 0,
    ) -> None:
        self.epsilons, self.takes_many = _epsilons(eps)
        for epsilon in self.epsilons:
            if not (math.isfinite(epsilon) and epsilon >= 0):
                raise AttackError(f"eps must be 0 or more, in pixel units; got {epsilon}")
            if 0 < epsilon < SMALLEST:
                raise AttackError(
                    f"a perturbation is lost in rounding below an eps of {SMALLEST:g}; "
                    f"got {epsilon}"
                )
            if norm == "linf" and epsilon > 1:
                raise AttackError(
                    f"an L-infinity eps above 1 exceeds the pixel range; got {epsilon} "
                    "(write 8/255, not 8)"
                )
        if not self.epsilons:
            raise AttackError("at least one eps is needed; got none")
        require_still(model)
        self.model = model
        self.norm = norm
        self.ball = ball(norm)
        self.targeted = targeted
        self.seed = seed

    steps: int = 1
    """Gradient steps of each restart."""
    restarts: int = 1
    """Runs from different starts."""
    moves_at_start: bool = False
    """Whether `start` differs from the images."""

    @abc.abstractmethod
    def step_size(self, epsilon: float) -> float:
        """The length of a step, in pixel units."""

    def start(
        self, images: torch.Tensor, epsilon: float, generator: torch.Generator
    ) -> torch.Tensor:
        """The first iterate, before clamping to [0, 1]: the images themselves."""
        return images

    def __call__(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        *,
        early_stop: bool = False,
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> torch.Tensor | list[torch.Tensor]:
        """The adversarial images, (N, C, H, W); a list of them where `eps` was a sequence.

        Args:
            images: float32 (N, C, H, W) in [0, 1].
            labels: int64 (N,), the true classes, or the classes to reach if targeted.
            early_stop: leave an image alone once it fools the network (and from the outset if the
                clean one does). This serves accuracy only: it makes perturbations smaller.
                Otherwise the final iterate is returned, of the restart with the highest loss.
            batch_size: images attacked at once; None takes all.
            progress: called after each step.
        """
        results = self.each(
            images, labels, early_stop=early_stop, batch_size=batch_size, progress=progress
        )
        return results if self.takes_many else results[0]

    def each(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        *,
        early_stop: bool = False,
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> list[torch.Tensor]:
        """As calling the attack, but always a list, one result an epsilon."""
        require_images(images)
        require_labels(labels, images)
        if batch_size is not None and batch_size < 1:
            raise AttackError(f"batch_size must be at least 1; got {batch_size}")
        return self.run(images, labels, early_stop, batch_size or len(images), progress)

    def run(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        early_stop: bool,
        batch_size: int,
        progress: Progress | None,
    ) -> list[torch.Tensor]:
        """One result an epsilon, of arguments already checked."""
        batches = split(images, labels, batch_size)
        total = len(self.epsilons) * len(batches) * self.restarts * self.steps
        done, results = 0, []
        for epsilon in self.epsilons:
            generators = self._generators()
            parts = []
            for batch, classes in batches:
                best = batch
                for state in self._steps(batch, classes, epsilon, generators, early_stop):
                    best = state.best
                    if progress is not None:
                        progress(done + state.step, total)
                done += self.restarts * self.steps
                parts.append(best)
            results.append(torch.cat(parts))
        return results

    def iterate(
        self, images: torch.Tensor, labels: torch.Tensor, *, early_stop: bool = False
    ) -> Iterator[AttackStep]:
        """The attack step by step; to cancel it, stop asking. Arguments as for calling it.

        Raises:
            AttackError: also if `eps` holds several values.
        """
        require_images(images)
        require_labels(labels, images)
        if len(self.epsilons) != 1:
            raise AttackError(f"iterating takes a single eps; got {len(self.epsilons)}")
        return self._steps(images, labels, self.epsilons[0], self._generators(), early_stop)

    def _generators(self) -> list[torch.Generator]:
        """One for each restart, with seeds that are far apart for neighbouring `seed`."""
        return [
            torch.Generator().manual_seed((self.seed * 1_000_003 + restart) % 2**63)
            for restart in range(self.restarts)
        ]

    def _steps(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        epsilon: float,
        generators: list[torch.Generator],
        early_stop: bool,
    ) -> Iterator[AttackStep]:
        hunt = Hunt(self, images, labels, epsilon, early_stop)
        for restart, generator in enumerate(generators):
            hunt.begin(generator)
            for step in range(1, self.steps + 1):
                loss = hunt.step()
                if step == self.steps and self.restarts > 1:
                    hunt.keep_better()
                yield AttackStep(
                    step=restart * self.steps + step,
                    total=self.restarts * self.steps,
                    restart=restart,
                    adversarial=hunt.x,
                    loss=loss,
                    best=hunt.best if self.restarts > 1 and hunt.has_best else hunt.x,
                )

    def gradient(
        self, x: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The cross-entropy's gradient at x (N, C, H, W), the cross-entropies (N,), the logits.

        Raises:
            AttackError: if the network passes no gradient to its input, or one that is not finite.
        """
        x = x.detach().requires_grad_()
        logits = self.model(x)
        require_logits(logits, labels)
        losses = F.cross_entropy(logits, labels, reduction="none")
        try:
            (gradient,) = torch.autograd.grad(losses.sum(), x)
        except RuntimeError as error:
            raise AttackError(
                "the network passes no gradient to its input, so it cannot be attacked by one "
                f"(is a rounding without a straight-through estimator in it?): {error}"
            ) from error
        require_finite(gradient)
        return gradient, losses.detach(), logits.detach()

    def moved(
        self,
        x: torch.Tensor,
        images: torch.Tensor,
        gradient: torch.Tensor,
        *,
        size: float,
        epsilon: float,
    ) -> torch.Tensor:
        """x after a step along the gradient, brought back to the ball and then to [0, 1]."""
        towards = -size if self.targeted else size
        perturbation = x - images + towards * self.ball.steepest(gradient)
        return (images + self.ball.project(perturbation, epsilon)).clamp_(0, 1)

    def fooled(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Which images have reached the attack's goal, shape (N,)."""
        predicted = logits.argmax(1)
        return predicted == labels if self.targeted else predicted != labels


def _epsilons(eps: object) -> tuple[tuple[float, ...], bool]:
    """The radii, and whether they were given as a sequence."""
    try:
        if isinstance(eps, Iterable) and not isinstance(eps, str):
            return tuple(float(epsilon) for epsilon in eps), True
        return (float(eps),), False  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise AttackError(
            f"eps is a number in pixel units, such as 8 / 255, or a list of them; got {eps!r}"
        ) from None


def split(
    images: torch.Tensor, labels: torch.Tensor, batch_size: int
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Images and labels in batches of at most `batch_size`."""
    parts = torch.split(images, batch_size), torch.split(labels, batch_size)
    return list(zip(*parts, strict=True))
