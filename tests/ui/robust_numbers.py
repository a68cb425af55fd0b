"""Made-up results of attacks: accuracies image by image, smallest epsilons, checks of an attack.

Each image has an epsilon that flips it, so that all numbers agree: a network is right on the images
whose epsilon is larger. It falls with fewer bits and stronger attacks, and is larger for `dq`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from dqviz.charts.breakers import BREAKERS
from dqviz.proportions import wilson
from dqviz.specs import ExperimentSpec

COUNT = 40
"""So many images are told apart, whatever the specification says."""

WEAKER = {"fgsm": 1.6, "rfgsm": 1.7, "bim": 1.2, "pgd": 1.15, "mifgsm": 1.25, "square": 1.8}
"""How much more epsilon an attack needs than the ensemble."""

ESTIMATOR_FACTORS = {"identity": 1.05, "clipped": 1.0, "unquantized": 1.1, "none": 6.0}
COLLAPSED_BELOW = 3
ROUNDED_FROM = 0.5 / 255
CHECKS = ("unbounded", "steps", "noise", "gradients")
VARIANTS = ("attack", "steps", "noise", "square")


def flips_at(spec: ExperimentSpec) -> np.ndarray:
    """The epsilon (pixel units) that flips each image; 0 where it is wrong to begin with."""
    bits = min(spec.quant.act_bits, spec.quant.weight_bits)
    wrong = COUNT * 4 // 5 if spec.quant.act_bits < COLLAPSED_BELOW else 2
    scale = 1.4 if spec.model.id.endswith("dq") else 1.0
    scale *= WEAKER.get(spec.attack.name, 1.0) * (1 - 1.5 * 2.0 ** -min(bits, 16))
    scale *= ESTIMATOR_FACTORS[spec.quant.estimator] if bits < 32 else 1.0
    scale *= 1.5 if spec.crafted_on is not None else 1.0
    scale *= 1 - 0.002 * spec.attack.steps
    levels = scale * np.linspace(0.05, 3.0, COUNT)
    levels[:wrong] = 0
    return levels / 255


def accuracy_samples(spec: ExperimentSpec, network: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Which images are classified correctly, and what broke them under an ensemble."""
    flips = flips_at(spec)
    for epsilon in spec.attack.epsilons:
        place = {**network, "attack": spec.attack.name, "epsilon": epsilon, "layer": "network"}
        for metric, right in _right(flips, epsilon).items():
            yield {**place, "metric": metric, "value": right.astype(float)}
        if spec.attack.name == "standard":
            kinds = np.full(COUNT, BREAKERS.index("apgd_ce"))
            kinds[1::7], kinds[2::11] = BREAKERS.index("apgd_dlr"), BREAKERS.index("square")
            kinds[flips > epsilon], kinds[flips == 0] = 0, BREAKERS.index("clean")
            yield {**place, "metric": "broken_by", "value": kinds.astype(float)}


def _right(flips: np.ndarray, epsilon: float) -> dict[str, np.ndarray]:
    found = {"clean_accuracy": flips > 0, "robust_accuracy": flips > epsilon}
    if epsilon >= ROUNDED_FROM:
        found["robust_accuracy_uint8"] = flips > 0.95 * epsilon
    return found


def accuracy_rows(spec: ExperimentSpec) -> Iterator[dict[str, Any]]:
    """The accuracies at every epsilon."""
    for epsilon in spec.attack.epsilons:
        place = {"attack": spec.attack.name, "epsilon": epsilon, "estimator": spec.quant.estimator}
        for metric, right in _right(flips_at(spec), epsilon).items():
            yield from share_rows(metric, int(right.sum()), COUNT, **place)


def share_rows(metric: str, count: int, n: int, **more: Any) -> Iterator[dict[str, Any]]:
    """A share of the whole network with its interval."""
    share = wilson(count, n)
    for statistic in ("value", "low", "high"):
        yield {**network_row(metric, statistic, getattr(share, statistic)), **more}


def network_row(metric: str, statistic: str, value: float) -> dict[str, Any]:
    """One number of a whole network."""
    place = {"layer": "network", "depth": -1, "metric": metric}
    return {**place, "statistic": statistic, "value": value}


def smallest_samples(spec: ExperimentSpec, network: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The smallest epsilon of each image; infinite where it is above the largest allowed."""
    bound = max(spec.attack.epsilons)
    flips = flips_at(spec)
    place = {"attack": spec.attack.name, "epsilon": bound, "layer": "network"}
    value = np.where(flips > bound, np.inf, flips)
    yield {**network, **place, "metric": "smallest_epsilon", "value": value}


def smallest_rows(spec: ExperimentSpec) -> Iterator[dict[str, Any]]:
    """The median of the smallest epsilons."""
    place = {"attack": spec.attack.name, "epsilon": max(spec.attack.epsilons)}
    yield {**network_row("smallest_epsilon", "median", float(np.median(flips_at(spec)))), **place}


def masking_rows(spec: ExperimentSpec) -> Iterator[dict[str, Any]]:
    """Four checks: all hold, but for a gradient of none; then one is red and one cannot tell."""
    place = {"attack": spec.attack.name, "epsilon": spec.attack.epsilons[0]}
    masked = spec.quant.estimator == "none" and not spec.quant.is_full_precision
    for name in CHECKS:
        mark = {"gradients": 2, "noise": 1}.get(name, 0) if masked else 0
        value = 0.9 if mark == 2 else 0.0
        numbers = {"value": value, "low": value - 0.05, "high": value + 0.05, "limit": 0.02}
        for statistic, number in (numbers | {"count": 38, "mark": mark}).items():
            other = {"unbounded": "100", "steps": "50"}.get(name, "")
            more = {"other": other, "variant": ""}
            yield {**network_row(name, statistic, number), **place, **more}
    for variant in VARIANTS:
        left = int((flips_at(spec) > place["epsilon"]).sum())
        count = {"noise": 36, "square": 30}.get(variant, left)
        yield from share_rows("survival", count, 38, **place, variant=variant, other="")
