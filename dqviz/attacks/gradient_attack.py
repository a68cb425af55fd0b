"""Attacks by plain gradient steps: start, step, project, clamp, restart, keep the best.

Madry et al.: *Towards Deep Learning Models Resistant to Adversarial Attacks*, section 2.1,
https://arxiv.org/abs/1706.06083. A subclass says where an attack starts, how many steps it takes,
how long they are and where they point.
"""

from __future__ import annotations

import abc
import math

import torch

from dqviz.attacks.base import Attack
from dqviz.attacks.hunt import Batch, Hunt
from dqviz.attacks.norms import Radius, of_rows


class GradientAttack(Attack):
    """An attack whose every step goes along the gradient. Arguments as for `Attack`."""

    moves_at_start: bool = False
    """Whether `start` differs from the images."""

    @abc.abstractmethod
    def step_size(self, epsilon: Radius) -> Radius:
        """The length of a step, in pixel units."""

    def start(
        self, images: torch.Tensor, epsilon: Radius, generator: torch.Generator
    ) -> torch.Tensor:
        """The first iterate, before clamping to [0, 1]: the images themselves."""
        return images

    def hunt(self, batch: Batch) -> Hunt:
        """One batch under this attack."""
        return GradientHunt(self, batch)

    def moved(
        self,
        x: torch.Tensor,
        images: torch.Tensor,
        gradient: torch.Tensor,
        *,
        size: Radius,
        epsilon: Radius,
    ) -> torch.Tensor:
        """x after a step along the gradient, brought back to the ball and then to [0, 1]."""
        towards = -size if self.targeted else size
        perturbation = x - images + towards * self.ball.steepest(gradient)
        return (images + self.ball.project(perturbation, epsilon)).clamp_(0, 1)


class GradientHunt(Hunt):
    """One batch on its way along gradients.

    `best` (N, C, H, W) is each image's iterate of highest loss, by the network itself, among the
    restarts finished (if `has_best`).
    """

    attack: GradientAttack

    def __init__(self, attack: GradientAttack, batch: Batch) -> None:
        super().__init__(attack, batch)
        self.size = attack.step_size(self.epsilon)
        self.best = self.images
        self.has_best = False
        self.score = torch.full((len(self.images),), -math.inf, device=self.images.device)
        self.aim = torch.zeros_like(self.score)
        if attack.loss.aims:
            logits = attack.networks.source_logits(self.images, self.labels)
            self.aim = attack.loss.aim(logits, self.labels)
        if self.early_stop and attack.moves_at_start:
            self._rest(attack.fooled(self._logits(), self.labels[self.moving]))

    def begin(self, restart: int, generator: torch.Generator) -> None:
        """Go to a restart's first iterate; images already done with stay where they are."""
        start = self.attack.start(self.images, self.epsilon, generator).clamp(0, 1)
        base = self.best if self.has_best else self.x
        self.x = base.index_copy(0, self.moving, start[self.moving])

    def step(self) -> torch.Tensor:
        """Move every image that still moves; the losses before it, shape (N,)."""
        loss = torch.full_like(self.score, math.nan)
        if len(self.moving) == 0:
            return loss
        rows = self.moving
        x, labels = self.x[rows], self.labels[rows]
        gradient, losses, logits = self.attack.gradient(x, labels, aim=self.aim[rows])
        loss[rows] = losses
        if self.early_stop:
            gradient = gradient[self._rest(self.attack.fools(x, labels, logits))]
        if len(self.moving) > 0:
            self._move(self.direction(gradient))
        return loss

    def direction(self, gradient: torch.Tensor) -> torch.Tensor:
        """Where the moving images go, given their gradients, which it may change: along them."""
        return gradient

    def _move(self, gradient: torch.Tensor) -> None:
        rows = self.moving
        moved = self.attack.moved(
            self.x[rows],
            self.images[rows],
            gradient,
            size=of_rows(self.size, rows),
            epsilon=of_rows(self.epsilon, rows),
        )
        self.x = self.x.index_copy(0, rows, moved)

    def end(self) -> None:
        """With several restarts: keep each image's iterate if its loss is the highest so far."""
        if self.attack.restarts == 1:
            return
        if len(self.moving) > 0:
            rows, logits = self.moving, self._logits()
            losses = self.attack.loss(logits, self.labels[rows], self.aim[rows])
            score = -losses if self.attack.targeted else losses
            better = score > self.score[rows]
            self.best = self.best.index_copy(0, rows[better], self.x[rows[better]])
            self.score[rows[better]] = score[better]
            if self.early_stop:
                self._rest(self.attack.fooled(logits, self.labels[rows]))
        self.has_best = True

    @property
    def answer(self) -> torch.Tensor:
        """The iterate, or with restarts the best of those finished."""
        return self.best if self.has_best else self.x

    def _logits(self) -> torch.Tensor:
        """The network's own logits of the moving images."""
        rows = self.moving
        return self.attack.networks.logits(self.x[rows], self.labels[rows])

    def _rest(self, resting: torch.Tensor) -> torch.Tensor:
        """Let images that fool the network rest, their iterate kept; which of the moving go on."""
        rows = self.moving[resting]
        self.best = self.best.index_copy(0, rows, self.x[rows])
        self.moving = self.moving[~resting]
        return ~resting
