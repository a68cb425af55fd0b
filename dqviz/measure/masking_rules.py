"""The rules by which an attack's result is marked as sound, doubtful or unsound.

Carlini et al.: *On Evaluating Adversarial Robustness*, section 3, https://arxiv.org/abs/1902.06705;
Pintor et al.: *Indicators of Attack Failure*, https://arxiv.org/abs/2106.09947. The thresholds are
this project's own and stand here in one place.
"""

from __future__ import annotations

import dataclasses

import torch

from dqviz.measure.accuracy import PairedDifference, Proportion, paired_difference, wilson

GREEN, AMBER, RED = "green", "amber", "red"
MARKS = (GREEN, AMBER, RED)

UNSEEN = 0.10
"""If the data cannot rule out a fault of ten points, there are too few images: amber."""

NOTHING, LITTLE = 0.0, 0.05
"""Differences of accuracy that a check tolerates: none, or five points."""

STRAY, SHARE = 0.01, 0.05
"""Shares of images that a check tolerates: stray ones, or one in twenty."""


@dataclasses.dataclass(frozen=True)
class Check:
    """One check of an attack on one network.

    `value` with its 95 % interval [low, high] is the evidence: a difference of accuracies on the
    same images, or a share of images. It is tolerated up to `limit`. `other` names what the attack
    is compared with, such as a step count, and is empty where there is nothing. `count` is the
    number of images.
    """

    name: str
    mark: str
    value: float
    low: float
    high: float
    limit: float
    count: int
    other: str = ""


def by_difference(
    name: str,
    attacked: torch.Tensor,
    compared: torch.Tensor,
    *,
    limit: float = NOTHING,
    other: str = "",
) -> Check:
    """Marks an attack by another one that should not do better on the same images.

    Red if the accuracy that the attack leaves is significantly above the other's by more than
    `limit`; amber if it is not, and a difference of ten points more is not excluded; else green, so
    that ties are.

    Args:
        name: of the check.
        attacked: (N,) bool, the images still classified correctly under the attack.
        compared: (N,) bool, those under the other one.
        limit: the tolerated difference.
        other: what the attack is compared with.
    """
    if len(attacked) == 0:
        return _without_images(name, limit, other)
    found: PairedDifference = paired_difference(attacked, compared)
    return Check(
        name=name,
        mark=_mark(found.value, found.low, found.high, limit),
        value=found.value,
        low=found.low,
        high=found.high,
        limit=limit,
        count=found.n,
        other=other,
    )


def by_share(name: str, faulty: torch.Tensor, *, limit: float = SHARE, other: str = "") -> Check:
    """Marks an attack by the share of images on which something went wrong.

    Red if the share is significantly above `limit`; amber if it lies above it, or may lie ten
    points above it; else green.

    Args:
        name: of the check.
        faulty: (N,) bool.
        limit: the tolerated share.
        other: what the attack is compared with.
    """
    if len(faulty) == 0:
        return _without_images(name, limit, other)
    found: Proportion = wilson(int(faulty.sum()), len(faulty))
    mark = _mark(found.value, found.low, found.high, limit)
    if mark == GREEN and found.value > limit:
        mark = AMBER
    return Check(
        name=name,
        mark=mark,
        value=found.value,
        low=found.low,
        high=found.high,
        limit=limit,
        count=found.n,
        other=other,
    )


def by_proof(name: str, faulty: torch.Tensor) -> Check:
    """Marks an attack by a fault that one image proves: red if there is one, else green."""
    share = by_share(name, faulty, limit=NOTHING)
    if share.count == 0:
        return share
    return dataclasses.replace(share, mark=RED if bool(faulty.any()) else GREEN)


def _mark(value: float, low: float, high: float, limit: float) -> str:
    if low > limit:
        return RED
    return AMBER if high > limit + UNSEEN else GREEN


def _without_images(name: str, limit: float, other: str) -> Check:
    nothing = float("nan")
    return Check(name, AMBER, nothing, nothing, nothing, limit, 0, other)
