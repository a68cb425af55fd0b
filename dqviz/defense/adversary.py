"""Adversarial training: the network learns from images attacked on itself, in the very same step.

Madry et al.: *Towards Deep Learning Models Resistant to Adversarial Attacks*, section 2.1,
https://arxiv.org/abs/1706.06083, with PGD for the inner maximisation. Tramèr et al.: *Ensemble
Adversarial Training: Attacks and Defenses*, https://arxiv.org/abs/1705.07204, for R+FGSM.

The attack sees the network in eval mode, that is with BatchNorm's running statistics. So the pass
that crafts leaves those statistics alone, an image's perturbation does not depend on its
batch-mates, and the function attacked is the one that is measured in the end. What the running
statistics lag behind costs the attack little: they move by a tenth at every step.
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import nn

from dqviz.attacks import PGD, RFGSM, Attack
from dqviz.defense.errors import TrainError
from dqviz.specs.checks import check_types

NAMES = ("rfgsm", "pgd")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adversary:
    """Who attacks the training images, and how many of them.

    `epsilon` is the radius of the L-infinity ball in pixel units, images being in [0, 1]. `steps`
    and `alpha` (the length of a step in pixel units; None takes 2.5 epsilon / steps) are PGD's;
    R+FGSM takes one step. `share` is the part of every batch that is attacked, rounded to whole
    images; the rest is learnt clean.

    Raises:
        TrainError: for a value that cannot be.
        SpecError: for one of the wrong type.
    """

    name: str = "rfgsm"
    epsilon: float = 8 / 255
    steps: int = 1
    alpha: float | None = None
    share: float = 1.0

    def __post_init__(self) -> None:
        check_types(self)
        if self.name not in NAMES:
            raise TrainError(f"adversary.name must be {' or '.join(NAMES)}; got {self.name!r}")
        if not 0 < self.epsilon <= 1:
            raise TrainError(
                "adversary.epsilon must be above 0 and at most 1, in pixel units, such as "
                f"'8/255'; got {self.epsilon}"
            )
        if not 1 <= self.steps <= 1000:
            raise TrainError(f"adversary.steps must be 1 to 1000; got {self.steps}")
        if self.name == "rfgsm" and (self.steps, self.alpha) != (1, None):
            raise TrainError(
                "adversary.steps and alpha are for pgd, rfgsm takes one step of half of epsilon; "
                f"got steps {self.steps} and alpha {self.alpha}"
            )
        if self.alpha is not None and not 0 < self.alpha <= 1:
            raise TrainError(
                f"adversary.alpha must be above 0 and at most 1, in pixel units; got {self.alpha}"
            )
        if not 0 < self.share <= 1:
            raise TrainError(f"adversary.share must be above 0 and at most 1; got {self.share}")

    @property
    def words(self) -> str:
        """Who attacked what, for a card."""
        part = "" if self.share == 1 else f"{100 * self.share:g} % of the "
        steps = "" if self.name == "rfgsm" else f"-{self.steps}"
        title = {"rfgsm": "R+FGSM", "pgd": "PGD"}[self.name]
        return f"{part}images attacked by {title}{steps} at {255 * self.epsilon:g}/255"

    def attack(self, model: nn.Module, *, seed: int) -> Attack:
        """The attack on a network in eval mode, its random start decided by `seed`."""
        if self.name == "rfgsm":
            return RFGSM(model, eps=self.epsilon, seed=seed)
        return PGD(model, eps=self.epsilon, steps=self.steps, alpha=self.alpha, seed=seed)


def attacked(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    adversary: Adversary,
    seed: int,
) -> torch.Tensor:
    """The batch with its first images attacked on `model`, which is left as it was.

    A batch is in random order, so its first images are a random choice.

    Args:
        model: the network being trained, in either mode; it is attacked in eval mode.
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes.
        adversary: who attacks.
        seed: of the random starts.

    Returns:
        (N, C, H, W) in [0, 1], channels last.

    Raises:
        AttackError: if the network's gradient is not finite.
    """
    count = max(round(adversary.share * len(images)), 1)
    training = model.training
    model.eval()
    try:
        attack = adversary.attack(model, seed=seed)
        (first,) = attack.each(images[:count], labels[:count])
    finally:
        model.train(training)
    mixed = torch.cat([first, images[count:]])
    return mixed.contiguous(memory_format=torch.channels_last)


def pixel_units(value: object, *, name: str) -> float:
    """A length in pixel units: a number, or a text such as `8/255`.

    Raises:
        TrainError: if it is neither.
    """
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        top, _, bottom = str(value).partition("/")
        length = float(top) / float(bottom or 1)
    except (ValueError, ZeroDivisionError):
        length = math.nan
    if not math.isfinite(length):
        raise TrainError(f"{name} must be a number or a fraction such as '8/255'; got {value!r}")
    return length
