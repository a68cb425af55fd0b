"""The radii of an attack, checked: how far a perturbation may go, in pixel units."""

from __future__ import annotations

import math
from collections.abc import Iterable

from dqviz.attacks.errors import AttackError
from dqviz.specs import SMALLEST


def read_radii(eps: object, norm: str) -> tuple[tuple[float, ...], bool]:
    """The radii, and whether they were given as a sequence.

    Args:
        eps: a number, or several.
        norm: `linf` or `l2`.

    Raises:
        AttackError: if there is none, or one is no number, below 0, too small to tell from 0, or
            for `linf` above 1.
    """
    epsilons, takes_many = _numbers(eps)
    for epsilon in epsilons:
        _check(epsilon, norm)
    if not epsilons:
        raise AttackError("at least one eps is needed; got none")
    return epsilons, takes_many


def _numbers(eps: object) -> tuple[tuple[float, ...], bool]:
    try:
        if isinstance(eps, Iterable) and not isinstance(eps, str):
            return tuple(float(epsilon) for epsilon in eps), True
        return (float(eps),), False  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise AttackError(
            f"eps is a number in pixel units, such as 8 / 255, or a list of them; got {eps!r}"
        ) from None


def _check(epsilon: float, norm: str) -> None:
    if not (math.isfinite(epsilon) and epsilon >= 0):
        raise AttackError(f"eps must be 0 or more, in pixel units; got {epsilon}")
    if 0 < epsilon < SMALLEST:
        raise AttackError(
            f"a perturbation is lost in rounding below an eps of {SMALLEST:g}; got {epsilon}"
        )
    if norm == "linf" and epsilon > 1:
        raise AttackError(
            f"an L-infinity eps above 1 exceeds the pixel range; got {epsilon} (write 8/255, not 8)"
        )
