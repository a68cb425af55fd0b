"""What an attack raises: cross-entropy, the same of rescaled logits, the logit difference ratio.

The difference of logits ratio (DLR): Croce & Hein, *Reliable Evaluation of Adversarial Robustness
with an Ensemble of Diverse Parameter-free Attacks*, section 4, https://arxiv.org/abs/2003.01690.
Rescaled logits: Gupta & Ajanthan, *Improved Gradient-based Adversarial Attacks for Quantized
Networks*, https://arxiv.org/abs/2003.13511; the rule here is another one, see `Rescaled`.
"""

from __future__ import annotations

import abc

import torch
from torch.nn import functional as F

from dqviz.attacks.errors import AttackError

TINY = 1e-12
"""Keeps a ratio of logits finite where all of them are equal, as in the authors' code."""


class Loss(abc.ABC):
    """A number for each image, larger the further the network is from the label given."""

    name: str
    least_classes: int = 2
    """The fewest classes for which it is defined."""
    aims: bool = False
    """Whether it needs something of the clean image's logits: see `aim`."""

    def aim(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """What the loss keeps of the clean images' logits (N, classes), shape (N,)."""
        return logits.new_zeros(len(logits))

    @abc.abstractmethod
    def of(self, logits: torch.Tensor, labels: torch.Tensor, aim: torch.Tensor) -> torch.Tensor:
        """The losses of logits (N, classes), shape (N,)."""

    def __call__(
        self, logits: torch.Tensor, labels: torch.Tensor, aim: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The losses, shape (N,); without an `aim` these logits are taken for the clean ones.

        Raises:
            AttackError: for fewer classes than the loss needs.
        """
        classes = logits.shape[1]
        if classes < self.least_classes:
            raise AttackError(
                f"the loss {self.name} needs at least {self.least_classes} classes; the network "
                f"has {classes} (cross_entropy and rescaled take 2)"
            )
        if aim is None:
            aim = self.aim(logits.detach(), labels)
        return self.of(logits, labels, aim)


class CrossEntropy(Loss):
    """Minus the logarithm of the label's softmax."""

    name = "cross_entropy"

    def of(self, logits: torch.Tensor, labels: torch.Tensor, aim: torch.Tensor) -> torch.Tensor:
        """The cross-entropies, shape (N,)."""
        return F.cross_entropy(logits, labels, reduction="none")


class Rescaled(Loss):
    """Cross-entropy of logits divided, image by image, so that the softmax does not saturate.

    The divisor is the distance between the two largest logits of the clean image, where that is
    above 1, else 1: the clean softmax then gives its runner-up at least e^-1 of the winner, and a
    gradient that float32 had rounded to 0 is there again. The divisor stays the same all along the
    attack, so that losses at its points can be compared, and logits are never enlarged.
    """

    name = "rescaled"
    aims = True

    def aim(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The divisors, shape (N,)."""
        largest = logits.topk(2, dim=1).values
        return (largest[:, 0] - largest[:, 1]).clamp_min(1)

    def of(self, logits: torch.Tensor, labels: torch.Tensor, aim: torch.Tensor) -> torch.Tensor:
        """The cross-entropies of the divided logits, shape (N,)."""
        return F.cross_entropy(logits / aim[:, None], labels, reduction="none")


class DLR(Loss):
    """-(z_y - max of the others) / (z_1 - z_3), where z_1 is the largest logit, z_3 the third.

    From -1 to 0 where the network is right, positive where it is wrong. It changes neither when
    logits are shifted nor when they are scaled. With two classes there is no z_3.
    """

    name = "dlr"
    least_classes = 3

    def of(self, logits: torch.Tensor, labels: torch.Tensor, aim: torch.Tensor) -> torch.Tensor:
        """The ratios, shape (N,)."""
        largest, ranks = logits.topk(3, dim=1)  # (N, 3)
        wins = ranks[:, 0] == labels
        other = torch.where(wins, largest[:, 1], largest[:, 0])
        return (other - _of_labels(logits, labels)) / (largest[:, 0] - largest[:, 2] + TINY)


class TargetedDLR(Loss):
    """-(z_y - z_t) / (z_1 - (z_3 + z_4) / 2) for a target class t; z_1 is the largest logit.

    The target is the clean image's `rank`-th most likely class other than its label: 1 for the
    likeliest. Positive where the target is above the label. With three classes there is no z_4.
    """

    name = "targeted dlr"
    least_classes = 4
    aims = True

    def __init__(self, *, rank: int) -> None:
        if rank < 1:
            raise AttackError(f"the rank of a target class is at least 1; got {rank}")
        self.rank = rank

    def aim(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The target classes, shape (N,), int64."""
        if self.rank >= logits.shape[1]:
            raise AttackError(
                f"there is no {self.rank}-th other class: the network has {logits.shape[1]} classes"
            )
        others = logits.scatter(1, labels[:, None], -torch.inf)
        return others.topk(self.rank, dim=1).indices[:, -1]

    def of(self, logits: torch.Tensor, labels: torch.Tensor, aim: torch.Tensor) -> torch.Tensor:
        """The ratios, shape (N,)."""
        largest = logits.topk(4, dim=1).values  # (N, 4)
        span = largest[:, 0] - (largest[:, 2] + largest[:, 3]) / 2
        return (_of_labels(logits, aim) - _of_labels(logits, labels)) / (span + TINY)


def _of_labels(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return logits.gather(1, labels[:, None])[:, 0]


def margins(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """How far the largest other logit is above the label's, shape (N,): positive where wrong."""
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return others.amax(1) - _of_labels(logits, labels)


_LOSSES: dict[str, Loss] = {loss.name: loss for loss in (CrossEntropy(), Rescaled(), DLR())}


def loss_named(name: str) -> Loss:
    """A loss by its name, `cross_entropy`, `rescaled` or `dlr`.

    Raises:
        AttackError: if there is no such loss.
    """
    if name not in _LOSSES:
        raise AttackError(f"loss must be one of {', '.join(_LOSSES)}; got {name!r}")
    return _LOSSES[name]
