"""The Pareto front: what nothing else beats in cost and in gain at once."""

from __future__ import annotations

import math
from collections.abc import Sequence


def pareto_front(costs: Sequence[float], gains: Sequence[float]) -> list[int]:
    """The places of the points that no other one dominates, by rising cost.

    A point is dominated if another one costs no more and gains no less, and differs from it. Points
    that are equal in both stand and fall together, in the order given. A point of which either
    number is NaN is not compared.

    Args:
        costs: the less the better.
        gains: the more the better, one for each of `costs`.
    """
    known = [
        place
        for place, pair in enumerate(zip(costs, gains, strict=True))
        if not any(map(math.isnan, pair))
    ]
    front: list[int] = []
    best = -math.inf, math.inf
    for place in sorted(known, key=lambda i: (costs[i], -gains[i])):
        point = gains[place], costs[place]
        if point[0] > best[0] or point == best or not front:
            front.append(place)
            best = point
    return front
