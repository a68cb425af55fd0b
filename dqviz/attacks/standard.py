"""An ensemble of three attacks, each on the images that still stand, in the spirit of AutoAttack.

Croce & Hein: *Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse
Parameter-free Attacks*, section 5, https://arxiv.org/abs/2003.01690. AutoAttack has the FAB attack
too, 100 steps and 5,000 queries.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import nn

from dqviz.attacks.apgd import APGD, AscentHunt
from dqviz.attacks.base import Attack, Outcome, Progress, joined, split
from dqviz.attacks.hunt import Batch, Hunt
from dqviz.attacks.square import Square, SquareHunt

TARGETS = 9
"""The most classes that targeted APGD aims at for each image."""

BREAKERS = ("none", "clean", "apgd_ce", "apgd_dlr", "square")
"""What broke an image, by its number in `broken_by`: nothing, it was wrong from the outset (or its
goal reached), or an attack."""

FIRST = BREAKERS.index("apgd_ce")

MOST_BATCHES = 8
"""How many batches are attacked as one where few of their images still stand."""


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

    def hunt(self, batch: Batch) -> StandardHunt:
        """One batch under this attack."""
        return StandardHunt(self, batch)

    def run(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        early_stop: bool,
        batch_size: int,
        progress: Progress | None,
    ) -> list[Outcome]:
        """One result an epsilon, one attack after the other on all images.

        Between attacks batches of which few images still stand are put together.
        """
        batches = split(images, labels, batch_size)
        each = len(batches) * self.total
        results: list[Outcome] = []
        for epsilon in self.epsilons:
            before, done = each * len(results), 0
            hunts = [self.hunt(Batch(*batch, epsilon, early_stop)) for batch in batches]
            for step in self.walk(hunts, batch_size, self.generators()):
                done = step.done
                if progress is not None:
                    progress(before + done, each * len(self.epsilons))
            if progress is not None and done < each:
                progress(before + each, each * len(self.epsilons))
            results.append(joined([Outcome(hunt.answer, hunt.broken_by) for hunt in hunts]))
        return results

    def walk(
        self,
        hunts: Sequence[StandardHunt],
        batch_size: int,
        generators: Sequence[torch.Generator],
    ) -> Iterator[Taken]:
        """All steps of all three attacks on all batches, which judge after each attack.

        Args:
            hunts: the batches, of one epsilon.
            batch_size: how many images that still stand may be attacked as one batch.
            generators: one for each run of an attack.
        """
        known = [hunt.stages for hunt in hunts if len(hunt.moving) > 0]
        stages: Sequence[APGD | Square] = known[0] if known else self.stages(4)
        first = done = 0
        for code, (stage, longest) in enumerate(zip(stages, self.stages(4), strict=True), FIRST):
            for group in grouped(hunts, batch_size):
                inner = stage.hunt(together(group))
                steps = inner.walk(generators[first : first + stage.restarts])
                for step, (restart, loss) in enumerate(steps, start=1):
                    yield Taken(inner, first + restart, loss, done + step * len(group))
                done += longest.total * len(group)
                parts = [len(hunt.images) for hunt in group]
                answers, fooling = (torch.split(x, parts) for x in (inner.answer, inner.fooling))
                for hunt, answer, fools in zip(group, answers, fooling, strict=True):
                    hunt.judge(code, answer, fools)
            # A stage that replaces another leaves the rest of that one's generators unused.
            first += longest.restarts


class Taken(NamedTuple):
    """A step: of which hunt, the number of its run, the losses, and how many steps of single
    batches are done."""

    inner: AscentHunt | SquareHunt
    restart: int
    loss: torch.Tensor
    done: int


def grouped(hunts: Sequence[StandardHunt], batch_size: int) -> list[list[StandardHunt]]:
    """The batches in order, put together where what still stands of them fits into one."""
    groups: list[list[StandardHunt]] = []
    standing = 0
    for hunt in hunts:
        standing += len(hunt.moving)
        if not groups or standing > batch_size or len(groups[-1]) == MOST_BATCHES:
            groups.append([])
            standing = len(hunt.moving)
        groups[-1].append(hunt)
    return groups


def together(hunts: Sequence[StandardHunt]) -> Batch:
    """Several batches as one, of which those images are attacked that still stand."""
    starts = itertools.accumulate((len(hunt.images) for hunt in hunts), initial=0)
    return Batch(
        torch.cat([hunt.images for hunt in hunts]),
        torch.cat([hunt.labels for hunt in hunts]),
        hunts[0].epsilon,
        hunts[0].early_stop,
        torch.cat([hunt.moving + start for hunt, start in zip(hunts, starts, strict=False)]),
    )


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
        for step in self.attack.walk([self], len(self.images), generators):
            self.inner = step.inner
            self.x = self._merged(step.inner.x, self.moving)
            yield step.restart, step.loss

    def judge(self, code: int, answer: torch.Tensor, fooling: torch.Tensor) -> None:
        """Take an attack's answers (N, C, H, W), and leave what fools (N,) out of the next."""
        self.kept = self._with(answer, fooling)
        self.inner = None
        broken = self.moving[fooling[self.moving]]
        known = self.breakers[broken]
        self.breakers[broken] = torch.where(known > 0, known, code)
        self.moving = self.moving[~fooling[self.moving]]

    def _with(self, answer: torch.Tensor, fooling: torch.Tensor) -> torch.Tensor:
        """What is kept, and an attack's answers where they fool, or it is the first."""
        is_first = self.kept is self.images
        return self._merged(answer, self.moving if is_first else self.moving[fooling[self.moving]])

    def _merged(self, points: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return self.kept.index_copy(0, rows, points[rows])

    @property
    def answer(self) -> torch.Tensor:
        """What is kept, and the current attack's answer where that fools, or it is the first."""
        inner = self.inner
        return self.kept if inner is None else self._with(inner.answer, inner.fooling)

    @property
    def broken_by(self) -> torch.Tensor:
        """What broke each image, (N,) int64: a number of `BREAKERS`."""
        return self.breakers

    def begin(self, restart: int, generator: torch.Generator) -> None:
        """Nothing: the attacks begin themselves."""

    def step(self) -> torch.Tensor:
        """Nothing: the attacks take their steps themselves."""
        raise NotImplementedError
