"""The base of all attacks: arguments, batches, epsilons, progress, and who judges success.

A subclass says how one batch is hunted (see `Hunt`). Gradients are taken of one network and success
is judged on another, see `Networks`; the two are one unless `gradients_of` is given.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import nn

from dqviz.attacks.checks import require_images, require_labels
from dqviz.attacks.errors import AttackError
from dqviz.attacks.hunt import Batch, Hunt
from dqviz.attacks.losses import Loss, loss_named, margins
from dqviz.attacks.networks import Networks
from dqviz.attacks.norms import ball
from dqviz.attacks.radii import read_radii

Progress = Callable[[int, int], None]
"""Called with the steps done and the steps in all; what it raises stops the attack."""

DOUBTFUL = 0.05
"""Where gradients are taken of a copy: an image is judged on the network itself from where its
margin on the copy is within this share of the range of the copy's logits."""


@dataclasses.dataclass(frozen=True)
class AttackStep:
    """The state of an attack after one step.

    `step` counts from 1 over all restarts, up to `total`; `restart` from 0. `adversarial`
    (N, C, H, W) is the iterate, `loss` (N,) what the attack raises at the iterate before the step,
    NaN for images that the step left alone. `best` (N, C, H, W) is the attack's answer if it were
    stopped here: the iterate, or with restarts the one of highest loss among those finished.
    """

    step: int
    total: int
    restart: int
    adversarial: torch.Tensor
    loss: torch.Tensor
    best: torch.Tensor


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The adversarial images (N, C, H, W), and for an ensemble what broke each, (N,) int64."""

    adversarial: torch.Tensor
    broken_by: torch.Tensor | None = None


class Attack(abc.ABC):
    """An attack on one network within a ball of radius epsilon, clamped to images in [0, 1].

    The network is neither changed nor put into another mode. Random starts are drawn image by image
    from generators seeded by `seed`, so an image's start does not depend on how the images are
    split into batches.

    Args:
        model: images (N, C, H, W) in [0, 1] in, logits (N, classes) out.
        eps: the radius in pixel units (8/255), or several.
        norm: `linf` or `l2`.
        targeted: whether the labels given are classes to reach rather than to leave.
        seed: of the random starts.
        loss: what is raised: `cross_entropy`, `rescaled` or `dlr`; see `losses`.
        gradients_of: the network that gradients, and the losses that steer steps, are taken of;
            None for `model` itself. It should be nearly the same function: who is fooled is said by
            `model`, which is asked where the copy's margin is within `DOUBTFUL`.

    Raises:
        AttackError: if an argument does not fit, or a layer of the network is in training mode and
            would mix the images of a batch.
    """

    steps: int = 1
    """Steps of each restart."""
    restarts: int = 1
    """Runs from different starts."""

    def __init__(
        self,
        model: nn.Module,
        *,
        eps: float | Sequence[float] = 8 / 255,
        norm: str = "linf",
        targeted: bool = False,
        seed: int = 0,
        loss: str = "cross_entropy",
        gradients_of: nn.Module | None = None,
    ) -> None:
        self.ball = ball(norm)
        self.epsilons, self.takes_many = read_radii(eps, norm)
        self.networks = Networks(model, gradients_of)
        self.norm = norm
        self.targeted = targeted
        self.seed = seed
        self.loss = loss_named(loss)

    @abc.abstractmethod
    def hunt(self, batch: Batch) -> Hunt:
        """One batch under this attack."""

    @property
    def total(self) -> int:
        """The most steps that a batch takes, over all restarts."""
        return self.restarts * self.steps

    def __call__(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        *,
        early_stop: bool = False,
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> torch.Tensor | list[torch.Tensor]:
        """The adversarial images, (N, C, H, W); a list of them where `eps` was a sequence.

        Args:
            images: float32 (N, C, H, W) in [0, 1].
            labels: int64 (N,), the true classes, or the classes to reach if targeted.
            early_stop: leave an image alone once it fools the network (and from the outset if the
                clean one does). This serves accuracy only: it makes perturbations smaller.
                Otherwise the final iterate is returned, of the restart with the highest loss.
            batch_size: images attacked at once; None takes all.
            progress: called after each step.
        """
        results = self.each(
            images, labels, early_stop=early_stop, batch_size=batch_size, progress=progress
        )
        return results if self.takes_many else results[0]

    def each(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        *,
        early_stop: bool = False,
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> list[torch.Tensor]:
        """As calling the attack, but always a list, one result an epsilon."""
        found = self.outcomes(
            images, labels, early_stop=early_stop, batch_size=batch_size, progress=progress
        )
        return [outcome.adversarial for outcome in found]

    def outcomes(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        *,
        early_stop: bool = False,
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> list[Outcome]:
        """As `each`, with what broke each image where the attack is an ensemble."""
        require_images(images)
        require_labels(labels, images)
        if batch_size is not None and batch_size < 1:
            raise AttackError(f"batch_size must be at least 1; got {batch_size}")
        return self.run(images, labels, early_stop, batch_size or len(images), progress)

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
        total = len(self.epsilons) * len(batches) * self.total
        done, results = 0, []
        for epsilon in self.epsilons:
            generators = self.generators()
            parts = []
            for batch, classes in batches:
                hunt = self.hunt(Batch(batch, classes, epsilon, early_stop))
                step = 0
                for step, _ in enumerate(hunt.walk(generators), start=1):
                    if progress is not None:
                        progress(done + step, total)
                done += self.total
                if progress is not None and step < self.total:
                    progress(done, total)
                parts.append(Outcome(hunt.answer, hunt.broken_by))
            results.append(joined(parts))
        return results

    def iterate(
        self, images: torch.Tensor, labels: torch.Tensor, *, early_stop: bool = False
    ) -> Iterator[AttackStep]:
        """The attack step by step; to cancel it, stop asking. Arguments as for calling it.

        Raises:
            AttackError: also if `eps` holds several values.
        """
        require_images(images)
        require_labels(labels, images)
        if len(self.epsilons) != 1:
            raise AttackError(f"iterating takes a single eps; got {len(self.epsilons)}")
        batch = Batch(images, labels, self.epsilons[0], early_stop)
        return self.steps_of(self.hunt(batch), self.generators())

    def steps_of(self, hunt: Hunt, generators: Sequence[torch.Generator]) -> Iterator[AttackStep]:
        """The steps of a hunt of this attack."""
        for step, (restart, loss) in enumerate(hunt.walk(generators), start=1):
            yield AttackStep(step, self.total, restart, hunt.x, loss, hunt.answer)

    def generators(self) -> list[torch.Generator]:
        """One for each restart, with seeds that are far apart for neighbouring `seed`."""
        return [
            torch.Generator().manual_seed((self.seed * 1_000_003 + restart) % 2**63)
            for restart in range(self.restarts)
        ]

    def gradient(
        self,
        x: torch.Tensor,
        labels: torch.Tensor,
        *,
        loss: Loss | None = None,
        aim: torch.Tensor | None = None,
        exact: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The loss's gradient at x (N, C, H, W), the losses (N,), the logits: of `gradients_of`.

        Args:
            x: images.
            labels: (N,).
            loss: None takes the attack's own.
            aim: what the loss keeps of the clean images; None if x are those.
            exact: whether the network itself is asked instead.

        Raises:
            AttackError: if the network passes no gradient to its input, or one that is not finite.
        """
        return self.networks.gradient(x, labels, loss or self.loss, aim, exact=exact)

    def fooled(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Which images have reached the attack's goal by their logits, shape (N,)."""
        predicted = logits.argmax(1)
        return predicted == labels if self.targeted else predicted != labels

    def fools(
        self,
        x: torch.Tensor,
        labels: torch.Tensor,
        hint: torch.Tensor,
        *,
        broken: torch.Tensor | None = None,
        exact: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Which images x fool the network itself, (N,), given the logits of `gradients_of` there.

        Where that is a copy, the network is asked about those images only that fool the copy, or
        come within `DOUBTFUL` of it. Of an image that fools the network at another point already,
        (N,) bool `broken`, the copy is believed on either side of that doubt: only which of two
        points is kept hangs on it. Logits of the network itself, (N,) bool `exact`, need no second
        look.
        """
        fooled = self.fooled(hint, labels)
        if self.networks.are_one:
            return fooled
        margin = -margins(hint, labels) if self.targeted else margins(hint, labels)
        doubt = DOUBTFUL * (hint.amax(1) - hint.amin(1))
        known = torch.zeros_like(fooled) if broken is None else broken & (margin > doubt)
        if exact is not None:
            known = known | exact
        near = ((margin >= -doubt) & ~known).nonzero()[:, 0]
        if len(near) > 0:
            logits = self.networks.logits(x[near], labels[near])
            fooled[near] = self.fooled(logits, labels[near])
        return fooled


def joined(parts: list[Outcome]) -> Outcome:
    """The outcomes of batches as one."""
    broken = [part.broken_by for part in parts if part.broken_by is not None]
    return Outcome(
        torch.cat([part.adversarial for part in parts]), torch.cat(broken) if broken else None
    )


def split(
    images: torch.Tensor, labels: torch.Tensor, batch_size: int
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Images and labels in batches of at most `batch_size`."""
    parts = torch.split(images, batch_size), torch.split(labels, batch_size)
    return list(zip(*parts, strict=True))
