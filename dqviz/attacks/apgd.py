"""Auto-PGD: projected gradient ascent that chooses its step sizes itself.

Croce & Hein: *Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse
Parameter-free Attacks*, https://arxiv.org/abs/2003.01690. The step-size rule is in `ascent`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

from dqviz.attacks.ascent import Ascent, checkpoints
from dqviz.attacks.base import Attack
from dqviz.attacks.errors import AttackError
from dqviz.attacks.hunt import Batch, Hunt
from dqviz.attacks.losses import Loss, TargetedDLR
from dqviz.attacks.norms import of_rows


class APGD(Attack):
    """Steps with momentum whose length is halved where they do not pay, from a random point.

    The answer for each image is the best point met: one that fools the network before one that does
    not, and of those the one of highest loss. So without `early_stop` 'the final iterate' is the
    best point, not the last. Every restart takes `steps` gradients and one pass more.

    Where gradients are taken of a copy (`gradients_of`), the losses that steer the step sizes and
    rank points are the copy's; whether a point fools is said by the network itself, but for further
    points of an image that it has called fooled where the copy is in no doubt. Images that no point
    fools by the middle of a run are left to the network itself from there, if the copy rounds its
    logits too: small steps raise the loss by less than bfloat16 tells apart.

    Args:
        model: see `Attack`, as for the other arguments.
        eps: the radius in pixel units, or several.
        steps: gradient steps of each restart, at least 1.
        random_start: whether to start at random rather than at the image.
        restarts: runs from different starts, for each target.
        loss: `cross_entropy`, `rescaled` or `dlr`.
        targets: 0, or how many of the other classes, the likeliest first, are aimed at one after
            the other with the targeted DLR; `loss` is then `dlr`. A network with fewer classes has
            fewer targets.
        norm: `linf` or `l2`.
        targeted: whether the labels are classes to reach.
        seed: of the random starts.
        gradients_of: the network that gradients are taken of; None for `model`.

    Raises:
        AttackError: if an argument does not fit.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        eps: float | Sequence[float] = 8 / 255,
        steps: int = 10,
        random_start: bool = True,
        restarts: int = 1,
        loss: str = "cross_entropy",
        targets: int = 0,
        norm: str = "linf",
        targeted: bool = False,
        seed: int = 0,
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
        if restarts < 1:
            raise AttackError(f"restarts must be at least 1; got {restarts}")
        if targets < 0 or (targets > 0 and (targeted or loss != "dlr")):
            raise AttackError(
                "targets is 0, or at least 1 with the loss dlr and labels that are to be left; "
                f"got {targets} with loss {loss!r} and targeted {targeted}"
            )
        self.steps = steps
        self.random_start = random_start
        self.losses: tuple[Loss, ...] = (self.loss,)
        if targets > 0:
            self.losses = tuple(TargetedDLR(rank=rank) for rank in range(1, targets + 1))
        self.starts = restarts if random_start else 1
        self.restarts = self.starts * len(self.losses)
        self.checkpoints = checkpoints(steps)
        self.middle = steps // 2
        """After how many steps of a run a copy that rounds is not enough."""

    def hunt(self, batch: Batch) -> AscentHunt:
        """One batch under this attack."""
        return AscentHunt(self, batch)


class AscentHunt(Hunt):
    """One batch of ascents; `best` (N, C, H, W) is each image's best point of all restarts.

    `fooling` (N,) says which of them fool the network, `exact` (N,) of which images the network
    itself is asked for losses and gradients.
    """

    attack: APGD

    def __init__(self, attack: APGD, batch: Batch) -> None:
        super().__init__(attack, batch)
        self.best = self.images
        self.best_loss = torch.full((len(self.images),), -math.inf, device=self.images.device)
        self.fooling = torch.zeros_like(self.labels, dtype=torch.bool)
        self.exact = torch.zeros_like(self.fooling)
        self.clean = self._clean_logits()
        if self.early_stop and len(self.moving) > 0:
            rows = self.moving
            fooled = attack.fools(self.images[rows], self.labels[rows], self.clean[rows])
            self.moving = rows[~fooled]
        self.standing = self.moving
        self.loss = attack.loss
        self.aim = torch.zeros_like(self.best_loss)

    def _clean_logits(self) -> torch.Tensor:
        """Those of the images to attack, (N, classes), zeros for the others."""
        rows = self.moving
        if len(rows) == 0:
            return self.images.new_zeros(len(self.images), 0)
        logits = self.attack.networks.source_logits(self.images[rows], self.labels[rows])
        return logits.new_zeros(len(self.images), logits.shape[1]).index_copy(0, rows, logits)

    def begin(self, restart: int, generator: torch.Generator) -> None:
        """Start anew, with the next target where there are several."""
        attack, start = self.attack, self.images
        if attack.random_start:
            points = [attack.ball.random_point(start.shape[1:], generator) for _ in start]
            start = start + self.epsilon * torch.stack(points).to(start.device)
        self.loss = attack.losses[restart // attack.starts]
        self.moving = self.standing
        if isinstance(self.loss, TargetedDLR) and self.loss.rank >= self.clean.shape[1] > 3:
            self.moving = self.moving[:0]  # there is no such class
        elif len(self.moving) > 0:
            self.aim = self.loss.aim(self.clean, self.labels)
        self.x = self.best.index_copy(0, self.moving, start[self.moving].clamp(0, 1))
        self.ascent = Ascent(self.x[self.moving], of_rows(self.epsilon, self.moving))
        self.exact = torch.zeros_like(self.fooling)

    def step(self) -> torch.Tensor:
        """Move every image that still moves; the losses before it, shape (N,)."""
        loss = torch.full_like(self.best_loss, math.nan)
        if len(self.moving) == 0:
            return loss
        ascent = self.ascent
        if ascent.steps == self.attack.middle and self.attack.networks.rounds:
            self._be_exact()
        gradient, losses, logits = self._asked(self._gradient)
        loss[self.moving] = losses
        sign = -1 if self.attack.targeted else 1
        ascent.note(sign * gradient, sign * losses)
        self._keep_best(sign * losses, logits)
        if len(self.moving) > 0:
            if ascent.steps in self.attack.checkpoints:
                ascent.check(self.attack.checkpoints[ascent.steps])
            rows = self.moving
            epsilon = of_rows(self.epsilon, rows)
            reached = ascent.advance(self.images[rows], epsilon, self.attack.ball)
            self.x = self.x.index_copy(0, rows, reached)
        return loss

    def end(self) -> None:
        """Look at the last points too, without their gradients."""
        if len(self.moving) == 0:
            return
        (logits,) = self._asked(self._logits)
        losses = self.loss(logits, self.labels[self.moving], self.aim[self.moving])
        self._keep_best(-losses if self.attack.targeted else losses, logits)

    def _be_exact(self) -> None:
        """Leave the images that still stand to the network itself, from their best points on."""
        standing = ~self.fooling[self.moving]
        self.exact = self.exact.index_copy(0, self.moving, standing)
        self.ascent.go_back(standing)
        self.x = self.x.index_copy(0, self.moving, self.ascent.x)

    def _asked(
        self, ask: Callable[[torch.Tensor, bool], tuple[torch.Tensor, ...]]
    ) -> tuple[torch.Tensor, ...]:
        """What is to be known of the moving images, of each from the network that it is left to.

        Args:
            ask: takes rows, and whether they are left to the network itself.
        """
        rows, exact = self.moving, self.exact[self.moving]
        if bool(exact.all()) or not bool(exact.any()):
            return ask(rows, bool(exact[0]))
        back = torch.argsort(torch.argsort(exact, stable=True))
        parts = zip(ask(rows[~exact], False), ask(rows[exact], True), strict=True)
        return tuple(torch.cat(pair)[back] for pair in parts)

    def _gradient(self, rows: torch.Tensor, exact: bool) -> tuple[torch.Tensor, ...]:
        aim = self.aim[rows]
        return self.attack.gradient(
            self.x[rows], self.labels[rows], loss=self.loss, aim=aim, exact=exact
        )

    def _logits(self, rows: torch.Tensor, exact: bool) -> tuple[torch.Tensor, ...]:
        networks = self.attack.networks
        ask = networks.logits if exact else networks.source_logits
        return (ask(self.x[rows], self.labels[rows]),)

    def _keep_best(self, losses: torch.Tensor, logits: torch.Tensor) -> None:
        """Keep the moving images' points that are better, and let rest who has been fooled."""
        rows = self.moving
        before = self.fooling[rows]
        fooling = self.attack.fools(
            self.x[rows], self.labels[rows], logits, broken=before, exact=self.exact[rows]
        )
        better = (fooling & ~before) | ((fooling == before) & (losses > self.best_loss[rows]))
        kept = rows[better]
        self.best = self.best.index_copy(0, kept, self.x[kept])
        self.best_loss[kept] = losses[better]
        self.fooling[kept] = fooling[better]
        if self.early_stop:
            self.moving = self.standing = rows[~fooling]
            self.ascent.keep(~fooling)

    @property
    def answer(self) -> torch.Tensor:
        """The best points met, of which the first is the random start: the clean images before."""
        return self.best

    @property
    def finished(self) -> bool:
        """Whether no image moves: all are fooled and rest, or there is no such target."""
        return len(self.moving) == 0
