"""Axes that stay legible: thinned names, round ticks, panels that do not overlap."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqviz.charts import axes


@given(st.integers(1, 400), st.integers(4, 40))
def test_thinned_labels_are_few_and_hold_the_last(count, most):
    chosen = axes.thinned(count, most)
    assert chosen[-1] == count - 1
    assert len(chosen) <= most + 1
    gaps = [b - a for a, b in itertools.pairwise(chosen)]
    assert not gaps or min(gaps) == gaps[0]


@given(st.floats(1e-9, 1e6), st.floats(1.0, 1e9))
def test_log_ticks_lie_within_and_are_few(low, factor):
    ticks = axes.log_ticks(low, low * factor)
    assert 1 <= len(ticks) <= 12
    assert all(low * 0.99 <= tick <= low * factor * 1.01 for tick in ticks)
    assert ticks == sorted(set(ticks))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.02, "0.02"), (5000.0, "5000"), (1e7, "10⁷"), (2e-8, "2·10⁻⁸"), (150.0, "150")],
)
def test_tick_text(value, text):
    assert axes.tick_text(value) == text


def test_a_logarithmic_axis_holds_its_values():
    axis = axes.value_axis("x (ratio)", [0.02, 0.5, math.nan, 0.0], log=True)
    low, high = axis["range"]
    assert low < math.log10(0.02)
    assert high > math.log10(0.5)


def test_a_logarithmic_axis_without_positive_values_still_has_a_range():
    low, high = axes.value_axis("x (ratio)", [0.0, math.nan], log=True)["range"]
    assert low < high


def test_panels_do_not_overlap():
    domains = axes.stacked((2, 1, 1))
    for upper, lower in itertools.pairwise(domains):
        assert lower[1] < upper[0]
    assert domains[0][1] == 1.0
    assert domains[-1][0] == pytest.approx(0, abs=1e-6)
