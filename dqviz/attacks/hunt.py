"""The state of one batch under attack: its iterate, who still moves, the best of the restarts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from dqviz.attacks.checks import require_logits

if TYPE_CHECKING:
    from dqviz.attacks.base import Attack


class Hunt:
    """One batch under attack.

    `x` (N, C, H, W) is the iterate, `moving` the rows that still take steps, `best` each image's
    iterate of highest loss among the restarts finished (if `has_best`).
    """

    def __init__(
        self,
        attack: Attack,
        images: torch.Tensor,
        labels: torch.Tensor,
        epsilon: float,
        early_stop: bool,
    ) -> None:
        self.attack = attack
        self.images = images
        self.labels = labels
        self.epsilon = epsilon
        self.early_stop = early_stop
        self.size = attack.step_size(epsilon)
        self.x = images
        self.best = images
        self.has_best = False
        self.score = torch.full((len(images),), -math.inf, device=images.device)
        self.moving = torch.arange(len(images), device=images.device)
        if early_stop and attack.moves_at_start:
            self._drop(self._logits())

    def begin(self, generator: torch.Generator) -> None:
        """Go to a restart's first iterate; images already done with stay where they are."""
        start = self.attack.start(self.images, self.epsilon, generator).clamp(0, 1)
        base = self.best if self.has_best else self.x
        self.x = base.index_copy(0, self.moving, start[self.moving])

    def step(self) -> torch.Tensor:
        """Move every image that still moves; the cross-entropies before it, shape (N,)."""
        loss = torch.full_like(self.score, math.nan)
        if len(self.moving) == 0:
            return loss
        rows = self.moving
        gradient, losses, logits = self.attack.gradient(self.x[rows], self.labels[rows])
        loss[rows] = losses
        if self.early_stop:
            gradient = gradient[self._drop(logits)]
        if len(self.moving) > 0:
            rows = self.moving
            moved = self.attack.moved(
                self.x[rows], self.images[rows], gradient, size=self.size, epsilon=self.epsilon
            )
            self.x = self.x.index_copy(0, rows, moved)
        return loss

    def keep_better(self) -> None:
        """At a restart's end: keep each image's iterate if its loss is the highest so far."""
        if len(self.moving) > 0:
            rows, logits = self.moving, self._logits()
            losses = F.cross_entropy(logits, self.labels[rows], reduction="none")
            score = -losses if self.attack.targeted else losses
            better = score > self.score[rows]
            self.best = self.best.index_copy(0, rows[better], self.x[rows[better]])
            self.score[rows[better]] = score[better]
            if self.early_stop:
                self._drop(logits)
        self.has_best = True

    def _logits(self) -> torch.Tensor:
        with torch.no_grad():
            logits: torch.Tensor = self.attack.model(self.x[self.moving])
        require_logits(logits, self.labels[self.moving])
        return logits

    def _drop(self, logits: torch.Tensor) -> torch.Tensor:
        """Let images that fool the network rest, their iterate kept; which of the moving go on."""
        resting = self.attack.fooled(logits, self.labels[self.moving])
        rows = self.moving[resting]
        self.best = self.best.index_copy(0, rows, self.x[rows])
        self.moving = self.moving[~resting]
        return ~resting
