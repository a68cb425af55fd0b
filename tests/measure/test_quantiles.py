"""Quantiles with infinite values, and the median's interval against the binomial distribution."""

from __future__ import annotations

import math

import pytest
import torch

from dqviz.measure import MeasureError
from dqviz.measure.quantiles import median_rank, quantiles


def test_quantiles_are_values_themselves():
    found = quantiles(torch.tensor([5.0, 1.0, 2.0, 4.0, 3.0, 6.0, 8.0, 7.0, 10.0, 9.0]))
    assert found == {
        **{"q10": 1.0, "q25": 3.0, "median": 5.0, "q75": 8.0, "q90": 9.0},
        **{"low": 2.0, "high": 9.0},  # the table of ten values: second and ninth
    }


def test_infinite_values_stay():
    found = quantiles(torch.tensor([0.0, 1.0, math.inf, math.inf]))
    assert (found["q25"], found["median"], found["q75"]) == (0.0, 1.0, math.inf)


@pytest.mark.parametrize("n", [6, 9, 10, 25, 100, 1001])
def test_the_interval_covers_95_percent_and_no_narrower_one_does(n):
    k = median_rank(n)

    def coverage(left_out):
        return 1 - 2 * sum(math.comb(n, i) for i in range(left_out + 1)) / 2**n

    assert coverage(k) >= 0.95
    assert coverage(k + 1) < 0.95


def test_few_values_are_all_within():
    assert [median_rank(n) for n in range(1, 6)] == [0] * 5
    assert quantiles(torch.tensor([2.0])) == dict.fromkeys(
        ("q10", "q25", "median", "q75", "q90", "low", "high"), 2.0
    )


def test_what_is_no_number_is_refused():
    with pytest.raises(MeasureError, match="got 1 NaN among 2"):
        quantiles(torch.tensor([math.nan, 1.0]))
    with pytest.raises(MeasureError, match="got 0 NaN among 0"):
        quantiles(torch.tensor([]))
