"""The fast gradient sign method: one step of full length.

Goodfellow, Shlens, Szegedy: *Explaining and Harnessing Adversarial Examples*, section 4,
https://arxiv.org/abs/1412.6572.
"""

from __future__ import annotations

import torch

from dqviz.attacks.base import Outcome, Progress, split
from dqviz.attacks.gradient_attack import GradientAttack
from dqviz.attacks.norms import Radius


class FGSM(GradientAttack):
    """x + eps * sign(gradient), or for `l2` x + eps * gradient / ||gradient||, clamped to [0, 1].

    One gradient serves all epsilons of a sequence. Arguments as for `Attack`.
    """

    def step_size(self, epsilon: Radius) -> Radius:
        """Epsilon."""
        return epsilon

    def run(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        early_stop: bool,
        batch_size: int,
        progress: Progress | None,
    ) -> list[Outcome]:
        """One result an epsilon, of arguments already checked."""
        batches = split(images, labels, batch_size)
        parts: list[list[torch.Tensor]] = [[] for _ in self.epsilons]
        for done, (batch, classes) in enumerate(batches, start=1):
            gradient, _, logits = self.gradient(batch, classes)
            if early_stop:
                gradient[self.fools(batch, classes, logits)] = 0
            for part, epsilon in zip(parts, self.epsilons, strict=True):
                part.append(self.moved(batch, batch, gradient, size=epsilon, epsilon=epsilon))
            if progress is not None:
                progress(done, len(batches))
        return [Outcome(torch.cat(part)) for part in parts]
