"""Projected gradient descent: the basic iterative method from random starts.

Madry et al.: *Towards Deep Learning Models Resistant to Adversarial Attacks*, section 2.1,
https://arxiv.org/abs/1706.06083.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from dqviz.attacks.bim import BIM
from dqviz.attacks.errors import AttackError
from dqviz.attacks.norms import Radius


class PGD(BIM):
    """BIM from a point drawn evenly from the ball, several times over if asked.

    Args:
        model: see `BIM`, as for the other arguments.
        eps: the radius in pixel units, or several.
        alpha: the length of a step in pixel units; None takes 2.5 * eps / steps.
        steps: gradient steps of each restart, at least 1.
        random_start: whether to start at random rather than at the image.
        restarts: runs from different starts, of which each image keeps the one of highest loss.
        norm: `linf` or `l2`.
        targeted: whether the labels are classes to reach.
        seed: of the random starts.
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
        random_start: bool = True,
        restarts: int = 1,
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
        if restarts < 1:
            raise AttackError(f"restarts must be at least 1; got {restarts}")
        self.restarts = restarts if random_start else 1
        self.moves_at_start = random_start

    def start(
        self, images: torch.Tensor, epsilon: Radius, generator: torch.Generator
    ) -> torch.Tensor:
        """A point of the ball around each image."""
        if not self.moves_at_start:
            return images
        points = [self.ball.random_point(images.shape[1:], generator) for _ in images]
        return images + epsilon * torch.stack(points).to(images.device)
