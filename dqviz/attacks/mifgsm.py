"""The momentum iterative method: BIM along a running sum of normalised gradients.

Dong et al.: *Boosting Adversarial Attacks with Momentum*, algorithm 1 (and section 3.3 for l2),
https://arxiv.org/abs/1710.06081.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from dqviz.attacks.bim import BIM
from dqviz.attacks.errors import AttackError
from dqviz.attacks.gradient_attack import GradientHunt
from dqviz.attacks.hunt import Batch, Hunt


class MIFGSM(BIM):
    """g <- momentum * g + gradient / ||gradient||_1, then a step along g, as BIM's along gradients.

    With momentum 0 it is BIM. Arguments as for `BIM`, and:

    Args:
        model: see `BIM`, as for the other arguments.
        eps: the radius in pixel units, or several.
        alpha: the length of a step in pixel units; None takes 2.5 * eps / steps (the paper takes
            eps / steps).
        steps: gradient steps, at least 1.
        momentum: how much of the sum is kept from step to step, 0 to 1.
        norm: `linf` or `l2`.
        targeted: whether the labels are classes to reach.
        seed: unused, since nothing is random.
        loss: what is raised, by its name.
        gradients_of: the network that gradients are taken of; None for `model`.

    Raises:
        AttackError: if an argument does not fit.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        eps: float | Sequence[float] = 8 / 255,
        alpha: float | None = None,
        steps: int = 10,
        momentum: float = 1.0,
        norm: str = "linf",
        targeted: bool = False,
        seed: int = 0,
        loss: str = "cross_entropy",
        gradients_of: nn.Module | None = None,
    ) -> None:
        super().__init__(
            model,
            eps=eps,
            alpha=alpha,
            steps=steps,
            norm=norm,
            targeted=targeted,
            seed=seed,
            loss=loss,
            gradients_of=gradients_of,
        )
        if not (math.isfinite(momentum) and 0 <= momentum <= 1):
            raise AttackError(f"momentum must be at least 0 and at most 1; got {momentum}")
        self.momentum = momentum

    def hunt(self, batch: Batch) -> Hunt:
        """One batch under this attack."""
        return MomentumHunt(self, batch)


class MomentumHunt(GradientHunt):
    """One batch on its way along sums of gradients, `velocity` (N, C, H, W)."""

    attack: MIFGSM

    def __init__(self, attack: MIFGSM, batch: Batch) -> None:
        super().__init__(attack, batch)
        self.velocity = torch.zeros_like(self.images)

    def direction(self, gradient: torch.Tensor) -> torch.Tensor:
        """The sum so far, with the moving images' gradients of L1 norm 1 added."""
        rows = self.moving
        velocity = self.attack.momentum * self.velocity[rows] + _normalised(gradient)
        self.velocity[rows] = velocity
        return velocity


def _normalised(gradient: torch.Tensor) -> torch.Tensor:
    """Each image's gradient with an L1 norm of 1; one of zeros stays so."""
    # Scaled by the largest value first: sums of very small gradients would underflow.
    largest = gradient.abs().amax((1, 2, 3), keepdim=True)
    scaled = gradient / torch.where(largest > 0, largest, 1.0)
    length = scaled.abs().sum((1, 2, 3), keepdim=True)
    return scaled / torch.where(length > 0, length, 1.0)
