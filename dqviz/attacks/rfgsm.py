"""R+FGSM: a random step, then a gradient step.

Tramèr et al.: *Ensemble Adversarial Training: Attacks and Defenses*, section 4.1 (equation 7),
https://arxiv.org/abs/1705.07204.
"""

from __future__ import annotations

import torch

from dqviz.attacks.gradient_attack import GradientAttack
from dqviz.attacks.norms import Radius


class RFGSM(GradientAttack):
    """x' = x + eps/2 * sign(noise), then x' + eps/2 * sign(gradient at x'); noise is Gaussian.

    For `l2` both steps go along the unit vector instead of the sign. Arguments as for `Attack`.
    """

    moves_at_start = True

    def step_size(self, epsilon: Radius) -> Radius:
        """Half of epsilon: the random step takes the other half."""
        return epsilon / 2

    def start(
        self, images: torch.Tensor, epsilon: Radius, generator: torch.Generator
    ) -> torch.Tensor:
        """Half of epsilon along a random direction."""
        noise = torch.stack([torch.randn(images.shape[1:], generator=generator) for _ in images])
        return images + epsilon / 2 * self.ball.steepest(noise.to(images.device))
