"""An ensemble of three attacks, each on the images that still stand, in the spirit of AutoAttack.

Croce & Hein: *Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse
Parameter-free Attacks*, section 5, https://arxiv.org/abs/2003.01690. AutoAttack has the FAB attack
too, 100 steps and 5,000 queries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import nn

from dqviz.attacks.apgd import APGD, AscentHunt
from dqviz.attacks.base import Attack
from dqviz.attacks.hunt import Batch, Hunt
from dqviz.attacks.square import Square, SquareHunt

TARGETS = 9
"""The most classes that targeted APGD aims at for each image."""

BREAKERS = ("none", "clean", "apgd_ce", "apgd_dlr", "square")
"""What broke an image, by its number in `broken_by`: nothing, it was wrong from the outset (or its
goal reached), or an attack."""

FIRST = BREAKERS.index("apgd_ce")


class Standard(Attack):
    """APGD on cross-entropy, then on the targeted DLR, then Square, on what the one before left.

    The second one needs four classes. With three it is APGD on the untargeted DLR, and with two on
    the cross-entropy of rescaled logits; also where the labels are classes to reach.

    The answer for each image is that of the attack that broke it; for one that none broke, the best
    point of the first attack. Without `early_stop` each attack runs to its end, and images that are
    wrong from the outset are attacked by the first one too.

    Args:
        model: see `Attack`, as for the other arguments.
        eps: the radius in pixel units, or several.
        steps: gradient steps of each run of APGD, at least 1.
        restarts: runs of APGD from different starts, for each target.
        queries: of Square for each image, at least 1.
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
        steps: int = 100,
        restarts: int = 1,
        queries: int = 5000,
        norm: str = "linf",
        targeted: bool = False,
        seed: int = 0,
        gradients_of: nn.Module | None = None,
    ) -> None:
        super().__init__(
            model, eps=eps, norm=norm, targeted=targeted, seed=seed, gradients_of=gradients_of
        )

        def apgd(loss: str, targets: int = 0) -> APGD:
            return APGD(
                model,
                eps=eps,
                steps=steps,
                restarts=restarts,
                loss=loss,
                targets=targets,
                norm=norm,
                targeted=targeted,
                gradients_of=gradients_of,
            )

        self.steps = steps
        self.first = apgd("cross_entropy")
        self.likeliest = apgd("dlr", 0 if targeted else TARGETS)
        self.ratio, self.rescaled = apgd("dlr"), apgd("rescaled")
        self.square = Square(model, eps=eps, queries=queries, norm=norm, targeted=targeted)
        self.restarts = sum(attack.restarts for attack in self.stages(4))

    @property
    def total(self) -> int:
        """The most steps that a batch takes, Square's queries among them."""
        return sum(attack.total for attack in self.stages(4))

    def stages(self, classes: int) -> tuple[APGD, APGD, Square]:
        """The three attacks on a network with so many classes."""
        second = self.rescaled if classes < 3 else self.ratio if classes < 4 else self.likeliest
        return self.first, second, self.square

    def hunt(self, batch: Batch) -> Hunt:
        """One batch under this attack."""
        return StandardHunt(self, batch)


class StandardHunt(Hunt):
    """One batch under the three attacks, `moving` those that still stand, one attack at a time."""

    attack: Standard

    def __init__(self, attack: Standard, batch: Batch) -> None:
        super().__init__(attack, batch)
        self.breakers = torch.zeros_like(self.labels)
        self.kept = self.images
        self.stages = attack.stages(4)
        rows = self.moving
        if len(rows) > 0:
            logits = attack.networks.logits(self.images[rows], self.labels[rows])
            self.stages = attack.stages(logits.shape[1])
            wrong = attack.fooled(logits, self.labels[rows])
            self.breakers[rows[wrong]] = BREAKERS.index("clean")
            self.moving = rows[~wrong] if self.early_stop else rows
        self.inner: AscentHunt | SquareHunt | None = None

    def walk(self, generators: Sequence[torch.Generator]) -> Iterator[tuple[int, torch.Tensor]]:
        """All steps of all three attacks: the number of the run, counted over all, the losses."""
        first = 0
        stages: Sequence[APGD | Square] = self.stages
        for code, stage in enumerate(stages, start=FIRST):
            batch = Batch(self.images, self.labels, self.epsilon, self.early_stop, self.moving)
            self.inner = stage.hunt(batch)
            for restart, loss in self.inner.walk(generators[first : first + stage.restarts]):
                self.x = self._merged(self.inner.x, self.moving)
                yield first + restart, loss
            self._judge(code)
            # A stage that replaces another leaves the rest of that one's generators unused.
            first += self.attack.stages(4)[code - FIRST].restarts

    def _judge(self, code: int) -> None:
        """At an attack's end: its answers, and which images still stand."""
        self.kept = self.answer
        if self.inner is not None:
            broken = self.moving[self.inner.fooling[self.moving]]
            known = self.breakers[broken]
            self.breakers[broken] = torch.where(known > 0, known, code)
            self.moving = self.moving[~self.inner.fooling[self.moving]]
        self.inner = None

    def _merged(self, points: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return self.kept.index_copy(0, rows, points[rows])

    @property
    def answer(self) -> torch.Tensor:
        """What is kept, and the current attack's answer where that fools, or it is the first."""
        if self.inner is None:
            return self.kept
        is_first = self.kept is self.images
        rows = self.moving if is_first else self.moving[self.inner.fooling[self.moving]]
        return self._merged(self.inner.answer, rows)

    @property
    def broken_by(self) -> torch.Tensor:
        """What broke each image, (N,) int64: a number of `BREAKERS`."""
        return self.breakers

    def begin(self, restart: int, generator: torch.Generator) -> None:
        """Nothing: the attacks begin themselves."""

    def step(self) -> torch.Tensor:
        """Nothing: the attacks take their steps themselves."""
        raise NotImplementedError
