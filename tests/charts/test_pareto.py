"""The Pareto front against its definition, pair by pair."""

import itertools
import math
import random

import pytest

from dqviz.charts.pareto import pareto_front


def by_definition(costs, gains):
    """Every point that no other one dominates, by comparing each with each."""
    points = list(enumerate(zip(costs, gains, strict=True)))

    def dominates(one, other):
        return one[0] <= other[0] and one[1] >= other[1] and one != other

    return {i for i, p in points if not any(dominates(q, p) for _, q in points)}


@pytest.mark.parametrize("seed", range(20))
def test_it_is_what_nothing_dominates(seed):
    random_numbers = random.Random(seed)
    costs, gains = ([random_numbers.randrange(6) for _ in range(12)] for _ in range(2))
    front = pareto_front(costs, gains)
    assert set(front) == by_definition(costs, gains)
    assert len(set(front)) == len(front)
    for one, other in itertools.pairwise(front):
        assert costs[one] <= costs[other]
        assert gains[one] <= gains[other]


@pytest.mark.parametrize(
    ("costs", "gains", "front"),
    [
        ([], [], []),
        ([3], [0.5], [0]),
        ([1, 2, 3], [0.5, 0.4, 0.6], [0, 2]),
        ([1, 1, 1], [0.2, 0.5, 0.4], [1]),  # as cheap: the best one
        ([3, 2, 1], [0.5, 0.5, 0.5], [2]),  # as good: the cheapest
        ([2, 1, 2, 1], [0.9, 0.5, 0.9, 0.5], [1, 3, 0, 2]),  # equal ones stand together
        ([3, 1, 1], [0.5, 0.9, 0.9], [1, 2]),  # and fall together
        ([2, 1], [0.5, -math.inf], [1, 0]),
        ([1, 2, math.nan], [math.nan, 0.5, 0.9], [1]),
        ([math.nan], [math.nan], []),
    ],
)
def test_ties_duplicates_and_what_is_no_number(costs, gains, front):
    assert pareto_front(costs, gains) == front


def test_points_need_both_numbers():
    with pytest.raises(ValueError, match="shorter"):
        pareto_front([1, 2], [0.5])
