"""The basic iterative method: FGSM in small steps, from the image itself.

Kurakin, Goodfellow, Bengio: *Adversarial Examples in the Physical World*, section 2.2,
https://arxiv.org/abs/1607.02533.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from dqviz.attacks.errors import AttackError
from dqviz.attacks.gradient_attack import GradientAttack
from dqviz.attacks.norms import Radius


class BIM(GradientAttack):
    """`steps` gradient steps of length `alpha`, each brought back to the ball and to [0, 1].

    Args:
        model: see `Attack`, as for the other arguments.
        eps: the radius in pixel units, or several.
        alpha: the length of a step in pixel units; None takes 2.5 * eps / steps.
        steps: gradient steps, at least 1.
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
        norm: str = "linf",
        targeted: bool = False,
        seed: int = 0,
        loss: str = "cross_entropy",
        gradients_of: nn.Module | None = None,
    ) -> None:
        super().__init__(
            model,
            eps=eps,
            norm=norm,
            targeted=targeted,
            seed=seed,
            loss=loss,
            gradients_of=gradients_of,
        )
        if steps < 1:
            raise AttackError(f"steps must be at least 1; got {steps}")
        if alpha is not None and not (math.isfinite(alpha) and alpha > 0):
            raise AttackError(f"alpha must be positive, in pixel units; got {alpha}")
        self.alpha = alpha
        self.steps = steps

    def step_size(self, epsilon: Radius) -> Radius:
        """`alpha`, or 2.5 * epsilon / steps."""
        return 2.5 * epsilon / self.steps if self.alpha is None else self.alpha
