"""What stands in the plane of cost and accuracy, and where: one point a network at its bits."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from dqviz.charts.alt import number
from dqviz.charts.chart import ChartError
from dqviz.charts.study_rows import Mean, mean_over_seeds, networks_of
from dqviz.charts.tidy import bits_text, short_networks

COSTS = {
    "bit_operations": ("Bit operations (10⁹ an image)", 1e-9),
    "weight_bytes": ("Weights (kilobytes of 1000 bytes)", 1e-3),
}
"""What may stand on the horizontal axis, its title, and what its numbers are multiplied by."""

ONE = ["model", "weights", "weight_bits", "act_bits"]
BESIDE, MOST_BESIDE = 0.014, 0.12
"""How far apart points of equal cost stand, and all of them together, in shares of the panel."""

NARROWEST = 0.3
"""The panel shows at least so many powers of ten of cost."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Placed:
    """A network at some bits: its cost and its accuracy, in the units of the axes.

    `x` is where it stands, beside the others of the same cost.
    """

    cost: float
    x: float
    accuracy: float
    low: float
    high: float
    collapsed: bool
    mean: Mean

    @property
    def network(self) -> str:
        """MODEL/WEIGHTS."""
        return self.mean.address.network

    @property
    def bits(self) -> tuple[int, int]:
        """Of the weights and the activations."""
        return self.mean.address.weight_bits, self.mean.address.act_bits


def placed_points(
    rows: pd.DataFrame, table: pd.DataFrame, cost: str
) -> tuple[list[Placed], list[str]]:
    """The points, cheapest first, and the names of those whose cost is not known.

    Args:
        rows: accuracies that may stand side by side.
        table: where the costs are looked up.
        cost: one of `COSTS`.

    Raises:
        ChartError: if a network at its bits has several costs.
    """
    costs, scale = _costs(table, cost), COSTS[cost][1]
    short, points, unknown = short_networks(networks_of(rows)), [], []
    for of, part in rows.groupby(ONE, sort=False):
        mean = mean_over_seeds(part, "value")
        if tuple(of) not in costs:
            bits = bits_text(mean.address.weight_bits, mean.address.act_bits)
            unknown.append(f"{short[mean.address.network]} {bits}")
            continue
        points.append(
            Placed(
                cost=scale * costs[tuple(of)],
                x=math.nan,
                accuracy=100 * mean.value,
                low=100 * mean.low,
                high=100 * mean.high,
                collapsed=bool(part["collapsed"].all()),
                mean=mean,
            )
        )
    return _side_by_side(sorted(points, key=lambda p: p.cost)), unknown


def _costs(table: pd.DataFrame, cost: str) -> dict[tuple[Any, ...], float]:
    """The cost of each network at its bits."""
    found: dict[tuple[Any, ...], float] = {}
    for of, part in table[table["metric"] == cost].groupby(ONE):
        values = sorted(set(part["value"].dropna()))
        if len(values) > 1:
            first = part.iloc[0]
            bits = bits_text(int(first["weight_bits"]), int(first["act_bits"]))
            raise ChartError(
                f"{first['model']}/{first['weights']} {bits} has several numbers of {cost!r}: "
                f"{', '.join(map(number, values))} (the images' size, or the bits of the first and "
                "last layer, differ)"
            )
        found |= {tuple(of): value for value in values}
    return found


def _side_by_side(points: Sequence[Placed]) -> list[Placed]:
    """The points with their places; whiskers of equal cost would hide one another."""
    wide, placed = decades(points), []
    for cost in dict.fromkeys(p.cost for p in points):
        equal = [p for p in points if p.cost == cost]
        step = min(BESIDE, MOST_BESIDE / len(equal)) * wide
        for rank, point in enumerate(equal):
            shift = step * (rank - (len(equal) - 1) / 2)
            placed.append(dataclasses.replace(point, x=cost * 10**shift))
    return placed


def decades(points: Sequence[Placed]) -> float:
    """How many powers of ten the panel shows."""
    logs = [math.log10(p.cost) for p in points]
    return max(max(logs, default=0.0) - min(logs, default=0.0), NARROWEST)


def cost_rows(table: pd.DataFrame, rows: pd.DataFrame, cost: str) -> pd.DataFrame:
    """The cost of each network that is shown, once, without the attack that changes nothing."""
    found = table[table["metric"] == cost].drop_duplicates(ONE).merge(rows[ONE].drop_duplicates())
    return found.assign(attack="", epsilon=math.nan, collapsed=False)
