"""Made-up tables and numbers by image of attacks, for tests of the charts of robustness."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dqviz.proportions import wilson
from tests.charts.tables import DQ, EPSILON, VANILLA, of, table

QUANTIZED = {"weight_bits": 8, "act_bits": 4}
FULL = {"weight_bits": 32, "act_bits": 32}
COUNT = 40


def share(metric: str, count: int, network: str, **more: Any) -> list[dict[str, Any]]:
    """The rows of an accuracy of `count` of forty images."""
    told = wilson(count, COUNT)
    place = {**of(network, **more), "layer": "network", "depth": -1, "metric": metric}
    parts = {"value": told.value, "low": told.low, "high": told.high}
    return [{**place, "statistic": s, "value": v} for s, v in parts.items()]


def accuracies(
    network: str, clean: int, robust: int, *, rounded: int | None = None, **more: Any
) -> list[dict[str, Any]]:
    """The accuracies of a network at one epsilon, by how many of forty images are right."""
    more = {
        "n_samples": COUNT,
        "clean_accuracy": clean / COUNT,
        "clean_accuracy_full": 0.95,
        **more,
    }
    rows = share("clean_accuracy", clean, network, **more)
    rows += share("robust_accuracy", robust, network, **more)
    if rounded is not None:
        rows += share("robust_accuracy_uint8", rounded, network, **more)
    return rows


def curve_table(**more: Any) -> pd.DataFrame:
    """Two networks, quantized and not, at three epsilons; the last two also rounded."""
    rows = []
    for network, lead in ((VANILLA, 0), (DQ, 4)):
        for bits in (QUANTIZED, FULL):
            for place, levels in enumerate((0.25, 1, 2)):
                robust = 30 - 10 * place + lead
                rounded = robust + 1 if place else None
                at = {"epsilon": levels / 255, **bits, **more}
                rows += accuracies(network, 38, robust, rounded=rounded, **at)
    return table(rows)


def bits_table() -> pd.DataFrame:
    """Two networks over activation bits at one epsilon; at 2 bits they have collapsed."""
    rows = []
    for network, lead in ((VANILLA, 0), (DQ, 4)):
        for act_bits, clean, robust in ((32, 38, 24), (8, 38, 22), (4, 36, 20), (2, 12, 8)):
            bits = {"weight_bits": 8, "act_bits": act_bits}
            rows += accuracies(network, clean, robust + lead, rounded=robust + lead, **bits)
    return table(rows)


def images(
    network: str, metric: str, right: Iterable[int], *, count: int = COUNT, **more: Any
) -> pd.DataFrame:
    """Which of the images a network classifies correctly."""
    chosen = set(right)
    return numbers(network, metric, [float(i in chosen) for i in range(count)], **more)


def numbers(network: str, metric: str, values: Sequence[float], **more: Any) -> pd.DataFrame:
    """A number an image of a whole network."""
    place = {**QUANTIZED, "attack": "fgsm", "epsilon": EPSILON, "layer": "network", **more}
    return pd.DataFrame(
        {**of(network), **place, "metric": metric, "image": range(len(values)), "value": values}
    )


def pair(
    *, dq: Iterable[int] = range(4, 30), vanilla: Iterable[int] = range(20), **more: Any
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """DQ and vanilla at 8/4 bits: rows and images; both are right on 38 clean images.

    `dq` and `vanilla` are the attacked images on which each of them is right.
    """
    right = {DQ: set(dq), VANILLA: set(vanilla)}
    rows, found = [], []
    for network, robust in right.items():
        rows += accuracies(network, 38, len(robust), rounded=len(robust), **QUANTIZED, **more)
        clean = range(38) if network == DQ else range(2, 40)
        found.append(images(network, "clean_accuracy", clean))
        found += [
            images(network, metric, robust)
            for metric in ("robust_accuracy", "robust_accuracy_uint8")
        ]
    return table(rows), pd.concat(found)


BROKEN = [0] * 20 + [1] * 2 + [2] * 12 + [3] * 5 + [4] * 1
"""What broke each of forty images: 20 stand, 2 were wrong, then 12, 5 and 1 by three attacks."""


def ensemble(**more: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One network under the ensemble."""
    at = {**QUANTIZED, "attack": "standard", **more}
    rows = accuracies(VANILLA, 38, 20, **at)
    return table(rows), numbers(VANILLA, "broken_by", BROKEN, attack="standard")


TRANSFER = {(32, 32): 10, (32, 4): 20, (4, 32): 8, (4, 4): 30, (2, 2): 5, (2, 32): 6, (32, 2): 7}
TRANSFER |= {(4, 2): 6, (2, 4): 29}
"""Images right, by the activation bits crafted on and those evaluated on."""


def transfer_table(found: dict[tuple[int, int], int] = TRANSFER, **more: Any) -> pd.DataFrame:
    """One network at three bit-widths; 2 bits have collapsed."""
    rows = []
    for (source, target), robust in found.items():
        bits = FULL if target == 32 else {"weight_bits": 8, "act_bits": target}
        label = VANILLA if source == 32 else f"{VANILLA} W8 A{source}"
        clean = 12 if target == 2 else 38
        where = {"crafted_on": "itself" if source == target else label, **bits, **more}
        rows += accuracies(VANILLA, clean, robust, **where)
    return table(rows)


def transfer_images(found: dict[tuple[int, int], int] = TRANSFER) -> pd.DataFrame:
    """The images to the numbers of `transfer_table`: the first ones are right."""
    parts = []
    for (source, target), robust in found.items():
        bits = FULL if target == 32 else {"weight_bits": 8, "act_bits": target}
        label = VANILLA if source == 32 else f"{VANILLA} W8 A{source}"
        crafted_on = "itself" if source == target else label
        part = images(VANILLA, "robust_accuracy", range(robust), **bits)
        parts.append(part.assign(crafted_on=crafted_on))
    return pd.concat(parts)


def smallest(**more: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Vanilla: flips at 0 (wrong), 1, 2, 3/255; DQ twice that, its last image not up to 5/255."""
    levels = {VANILLA: [0, 1, 2, 3], DQ: [0, 2, 4, np.inf]}
    rows, found = [], []
    for network, values in levels.items():
        at = {**QUANTIZED, "epsilon": 5 / 255, "attack": "pgd"}
        place = {**of(network, **at, **more), "layer": "network", "depth": -1}
        rows.append({**place, "metric": "smallest_epsilon", "statistic": "median", "value": 1.5})
        spread = [v / 255 for v in values for _ in range(10)]
        found.append(numbers(network, "smallest_epsilon", spread, attack="pgd", epsilon=5 / 255))
    return table(rows), pd.concat(found)
