"""The step-size rule of APGD: momentum, checkpoints, halving, back to the best point.

Croce & Hein: *Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse
Parameter-free Attacks*, section 3 and algorithm 1, https://arxiv.org/abs/2003.01690.
"""

from __future__ import annotations

import math

import torch

from dqviz.attacks.norms import Ball, Radius

MOMENTUM = 0.75
"""The share of the new step; the rest goes on as before. The first step has none of the latter."""

RHO = 0.75
"""Steps are too long if at most this share of those since the last checkpoint raised the loss."""


def checkpoints(steps: int) -> dict[int, int]:
    """After how many steps the step size is looked at, and how many steps that is after the last.

    w_j = ceil(p_j * steps), p_0 = 0, p_1 = 0.22, p_j+1 = p_j + max(p_j - p_j-1 - 0.03, 0.06).
    """
    found: dict[int, int] = {}
    before, share, last = 0.0, 0.22, 0
    while share <= 1:
        at = math.ceil(share * steps - 1e-9)
        if at > last:
            found[at] = at - last
            last = at
        before, share = share, share + max(share - before - 0.03, 0.06)
    return found


class Ascent:
    """Images on their way up a loss, each with a step size of its own.

    All tensors have one row for each image that still moves.

    Args:
        start: the first points, (N, C, H, W).
        epsilon: the radii; the first step is twice as long.
    """

    def __init__(self, start: torch.Tensor, epsilon: Radius) -> None:
        rows = len(start)
        self.x = self.previous = start
        self.size = (2 * epsilon) * start.new_ones(rows, 1, 1, 1)
        self.gradient = self.best_gradient = torch.zeros_like(start)
        self.best_x = start
        self.loss = self.best = start.new_full((rows,), -math.inf)
        self.best_before = self.best
        self.rises = start.new_zeros(rows)
        self.halved = torch.ones(rows, dtype=torch.bool, device=start.device)
        self.steps = 0

    def note(self, gradient: torch.Tensor, losses: torch.Tensor) -> None:
        """Take the gradient (N, C, H, W) and the loss (N,) at x, and keep the best so far."""
        if self.steps > 1:
            self.rises = self.rises + (losses > self.loss)
        elif self.steps == 0:
            self.best_before = losses
        better = losses > self.best
        column = better.view(-1, 1, 1, 1)
        self.best_x = torch.where(column, self.x, self.best_x)
        self.best_gradient = torch.where(column, gradient, self.best_gradient)
        self.best = torch.where(better, losses, self.best)
        self.gradient, self.loss = gradient, losses

    def check(self, length: int) -> None:
        """At a checkpoint: halve the steps that are too long, and go back to their best points.

        A step is too long if the loss rose in at most `RHO` of the `length` steps since the last
        checkpoint; or if the step size was left as it was there and the best loss has not risen
        since. The very first step, twice epsilon long, is not counted as a rise, which it nearly
        always is (the authors' code compares one pair fewer there too): with ten steps it would
        keep the others too long.
        """
        oscillates = self.rises <= RHO * length
        stuck = ~self.halved & (self.best_before >= self.best)
        self.halved = oscillates | stuck
        column = self.halved.view(-1, 1, 1, 1)
        self.size = torch.where(column, self.size / 2, self.size)
        self.x = torch.where(column, self.best_x, self.x)
        self.gradient = torch.where(column, self.best_gradient, self.gradient)
        self.best_before = self.best
        self.rises = torch.zeros_like(self.rises)

    def go_back(self, rows: torch.Tensor) -> None:
        """Put some images, (N,) bool, back to their best points, whose losses are not believed."""
        self.x = torch.where(rows.view(-1, 1, 1, 1), self.best_x, self.x)
        self.best = self.best.masked_fill(rows, -math.inf)
        self.best_before = self.best_before.masked_fill(rows, -math.inf)

    def advance(self, images: torch.Tensor, epsilon: Radius, ball: Ball) -> torch.Tensor:
        """Take a step with momentum within the ball around the images; the points reached."""
        share = MOMENTUM if self.steps > 0 else 1.0

        def inside(x: torch.Tensor) -> torch.Tensor:
            return (images + ball.project(x - images, epsilon)).clamp_(0, 1)

        stepped = inside(self.x + self.size * ball.steepest(self.gradient))
        reached = inside(
            self.x + share * (stepped - self.x) + (1 - share) * (self.x - self.previous)
        )
        self.previous, self.x = self.x, reached
        self.steps += 1
        return reached

    def keep(self, going: torch.Tensor) -> None:
        """Leave out the images that do not go on, (N,) bool."""
        if bool(going.all()):
            return
        for name, value in vars(self).items():
            if isinstance(value, torch.Tensor):
                setattr(self, name, value[going])
