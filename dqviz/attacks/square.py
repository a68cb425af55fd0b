"""The Square attack: random squares, kept where they help. It takes logits only, no gradients.

Andriushchenko, Croce, Flammarion, Hein: *Square Attack: a Query-efficient Black-box Adversarial
Attack via Random Search*, https://arxiv.org/abs/1912.00049; the settings are those of AutoAttack
(https://arxiv.org/abs/2003.01690, section 5): initial share 0.8, the margin loss, and the schedule
scaled to the number of queries.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from dqviz.attacks.base import Attack
from dqviz.attacks.errors import AttackError
from dqviz.attacks.hunt import Batch, Hunt
from dqviz.attacks.losses import margins
from dqviz.attacks.norms import of_rows
from dqviz.attacks.squares import searches

CHUNK = 128
"""For how many queries an image's random numbers are drawn at a time."""


class Square(Attack):
    """Random search: from stripes (L-infinity) or tiles (L2), one square's change after the other.

    A change is kept if the margin of the best other class over the label's grows. Each image has
    squares of its own, drawn from a generator of its own. Only the network's logits are asked for,
    so `gradients_of` is not an argument, and what is returned as loss is the margin.

    Without `early_stop` the search goes on for images that fool the network already, to widen the
    margin: 'the final iterate' is the point of largest margin after all queries.

    Args:
        model: see `Attack`, as for the other arguments.
        eps: the radius in pixel units, or several.
        queries: passes through the network for each image, at least 1; the start is the first.
        norm: `linf` or `l2`.
        targeted: whether the labels are classes to reach.
        seed: of the random search.

    Raises:
        AttackError: if an argument does not fit.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        eps: float | Sequence[float] = 8 / 255,
        queries: int = 500,
        norm: str = "linf",
        targeted: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(model, eps=eps, norm=norm, targeted=targeted, seed=seed)
        if queries < 1:
            raise AttackError(f"queries must be at least 1; got {queries}")
        self.steps = queries
        self.search = searches(norm)

    def hunt(self, batch: Batch) -> SquareHunt:
        """One batch under this attack."""
        return SquareHunt(self, batch)


def share_of_pixels(proposal: int, queries: int) -> float:
    """The share of an image that a square covers, at a proposal (from 0) of so many queries."""
    scaled = int(proposal / queries * 10_000)
    halvings: int = sum(
        scaled > bound for bound in (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
    )
    return 0.8 * 0.5**halvings


class SquareHunt(Hunt):
    """One batch under random search; `margin` (N,) is how far each image's goal is reached.

    `fooling` (N,) says which of the points kept fool the network.
    """

    attack: Square

    def __init__(self, attack: Square, batch: Batch) -> None:
        super().__init__(attack, batch)
        self.margin = torch.full((len(self.images),), -math.inf, device=self.images.device)
        self.fooling = torch.zeros_like(self.labels, dtype=torch.bool)
        self.query = 0
        if self.early_stop and len(self.moving) > 0:
            rows = self.moving
            logits = attack.networks.logits(self.images[rows], self.labels[rows])
            self.moving = rows[~attack.fooled(logits, self.labels[rows])]

    def begin(self, restart: int, generator: torch.Generator) -> None:
        """Draw the first points, and a generator's seed for each image."""
        seeds = [int(torch.randint(2**62, (), generator=generator)) for _ in self.images]
        self.own = [torch.Generator().manual_seed(seed) for seed in seeds]
        shape = self.images.shape[1:]
        self.first = torch.stack([self.attack.search.start(shape, own) for own in self.own])

    def step(self) -> torch.Tensor:
        """One query for every image that still moves; its margins, shape (N,)."""
        loss = torch.full_like(self.margin, math.nan)
        rows = self.moving
        if len(rows) > 0:
            tried = self._proposal()
            logits = self.attack.networks.logits(tried, self.labels[rows])
            margin = margins(logits, self.labels[rows])
            loss[rows] = margin
            fooled = self.attack.fooled(logits, self.labels[rows])
            self._accept(tried, -margin if self.attack.targeted else margin, fooled)
            if self.early_stop:
                self.moving = rows[~fooled]
        self.query += 1
        return loss

    def _proposal(self) -> torch.Tensor:
        """The next points of the moving images."""
        rows, device = self.moving, self.images.device
        images, epsilon = self.images[rows], of_rows(self.epsilon, rows)
        search = self.attack.search
        if self.query == 0:
            return (images + epsilon * self.first[rows.cpu()].to(device)).clamp(0, 1)
        numbers = self._drawn()[rows.cpu(), (self.query - 1) % CHUNK].to(device)
        share = share_of_pixels(self.query - 1, self.attack.steps)
        return search.propose(self.x[rows], images, epsilon, numbers, share)

    def _drawn(self) -> torch.Tensor:
        """Each image's random numbers for this chunk of queries, (N, CHUNK, numbers)."""
        if (self.query - 1) % CHUNK == 0:
            shape = (CHUNK, self.attack.search.numbers(self.images.shape[1]))
            self._chunk = torch.zeros(len(self.images), *shape)
            for row in self.moving.tolist():
                self._chunk[row] = torch.rand(shape, generator=self.own[row])
        return self._chunk

    def _accept(self, tried: torch.Tensor, margin: torch.Tensor, fooled: torch.Tensor) -> None:
        better = margin > self.margin[self.moving]
        rows = self.moving[better]
        self.x = self.x.index_copy(0, rows, tried[better])
        self.margin[rows] = margin[better]
        self.fooling[rows] = fooled[better]

    @property
    def finished(self) -> bool:
        """Whether every image has been fooled, and rests."""
        return len(self.moving) == 0
