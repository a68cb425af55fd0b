"""The rule of the verdicts, against Student's interval from another library."""

import math

import numpy as np
import pytest
import scipy.stats

from dqviz.paper.effects import Effect
from dqviz.paper.verdicts import (
    FAILS,
    HOLDS,
    POINTS,
    RATIO,
    UNKNOWN,
    interval_text,
    judge,
    judge_equal,
    kind_means,
)


def effects(*values):
    return [
        Effect(unit=f"pair {n}", seed=n % 2, value=value, networks=(f"a{n}", f"b{n}"))
        for n, value in enumerate(values)
    ]


@pytest.mark.parametrize("count", [3, 4, 8])
def test_the_interval_is_students(count):
    values = np.random.default_rng(0).normal(2, 3, count)
    verdict = judge(effects(*values), scale=POINTS, larger=True)
    low, high = scipy.stats.t.interval(
        0.95, count - 1, loc=values.mean(), scale=scipy.stats.sem(values)
    )
    assert verdict.value == pytest.approx(values.mean())
    assert (verdict.low, verdict.high) == pytest.approx((low, high), rel=1e-3)
    assert (verdict.pairs, verdict.seeds) == (count, 2)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((5, 6, 7), HOLDS),
        ((-5, -6, -7), FAILS),
        ((0.1, 0, -0.1), FAILS),  # less than is worth speaking of
        ((-5, 0, 9), UNKNOWN),
        ((0.2, 0.21, 0.22), HOLDS),  # small and certain
    ],
)
def test_a_claim_holds_fails_or_cannot_be_told(values, expected):
    assert judge(effects(*values), scale=POINTS, larger=True).verdict == expected
    mirrored = judge(effects(*(-v for v in values)), scale=POINTS, larger=False)
    assert mirrored.verdict == expected


def test_ratios_have_a_smallest_effect_of_their_own():
    tiny = effects(0.01, -0.01, 0.012)
    assert judge(tiny, scale=RATIO, larger=True).verdict == FAILS
    assert judge(effects(0.5, -0.5, 0.1), scale=RATIO, larger=True).verdict == UNKNOWN


@pytest.mark.parametrize("count", [0, 1, 2])
def test_below_three_pairs_nothing_is_said_of_the_method(count):
    verdict = judge(effects(*[9.0] * count), scale=POINTS, larger=True)
    assert verdict.verdict == UNKNOWN
    assert "at least 3 are needed" in verdict.why
    assert math.isnan(verdict.low)
    assert "interval" not in interval_text(verdict)


def test_effects_that_are_no_number_do_not_count():
    found = judge(effects(5, 6, 7, math.nan), scale=POINTS, larger=True)
    assert (found.verdict, found.pairs) == (HOLDS, 3)
    assert interval_text(found).startswith("+6.0 points (95 % interval +3.5 to +8.5)")


def test_seeds_of_one_kind_count_as_one_effect():
    values = {"a": [9, 10, 11, math.nan], "b": [1, 3], "c": [-4]}
    found = [
        Effect(
            unit=unit,
            seed=seed,
            value=value,
            networks=(f"data/{unit}/net{seed}",),
            low=0,
            high=1,
            n=5,
        )
        for unit, own in values.items()
        for seed, value in enumerate(own)
    ]
    means = kind_means(found)
    found_means = [(e.unit, e.value, e.n) for e in means]
    assert found_means == [("data/a", 10, 15), ("data/b", 2, 10), ("data/c", -4, 5)]
    assert means[1].networks == ("data/b/net0", "data/b/net1")
    assert all(math.isnan(bound) for e in means for bound in (e.low, e.high))
    assert judge(found[:6], scale=POINTS, larger=True).verdict == HOLDS
    assert judge(means[:2], scale=POINTS, larger=True).verdict == UNKNOWN  # of two kinds alone


def test_equality_needs_no_statistics():
    assert judge_equal(effects(0.0), scale=RATIO).verdict == HOLDS
    assert judge_equal(effects(0.0, 1e-9), scale=RATIO).verdict == FAILS
    assert judge_equal([], scale=RATIO).verdict == UNKNOWN
