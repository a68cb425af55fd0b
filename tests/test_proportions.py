"""Shares with intervals and their comparison, against scipy and published examples."""

import pytest
from scipy.stats import binomtest

from dqviz.proportions import mcnemar, paired, paired_of, wilson


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (10, 10), (7, 10), (1, 1), (940, 1000)])
def test_wilson_equals_scipy(successes, n):
    found = wilson(successes, n)
    expected = binomtest(successes, n).proportion_ci(method="wilson")
    assert found.value == successes / n
    assert found.low == pytest.approx(expected.low, abs=1e-12)
    assert found.high == pytest.approx(expected.high, abs=1e-12)


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_impossible_counts(successes, n):
    with pytest.raises(ValueError, match=f"got {successes} of {n}"):
        wilson(successes, n)


def counts(both, only_a, only_b, neither):
    return {"both": both, "only_a": only_a, "only_b": only_b, "neither": neither}


# Newcombe, Stat. Med. 17 (1998) 2635-2650, method 10. The third is the airway example of Fagerland,
# Lydersen and Laake, BMC Med. Res. Methodol. 14 (2014) 133: there the correlation is set to 0.
@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        ((36, 12, 2, 0), 0.0569, 0.3404),
        ((54, 0, 0, 0), -0.0664, 0.0664),
        ((1, 1, 7, 12), -0.507, -0.026),
    ],
)
def test_paired_difference_equals_published_examples(table, low, high):
    found = paired(**counts(*table))
    assert found.value == (table[1] - table[2]) / sum(table)
    assert found.low == pytest.approx(low, abs=1e-3)
    assert found.high == pytest.approx(high, abs=1e-3)


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (5, 5), (12, 2), (0, 9), (300, 250)])
def test_mcnemar_equals_the_binomial_test(only_a, only_b):
    expected = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert mcnemar(only_a, only_b) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("table", [(0, 0, 0, 0), (3, -1, 0, 4)])
def test_impossible_counts_are_refused(table):
    with pytest.raises(ValueError, match="at least one sample; got"):
        paired(**counts(*table))


def test_two_lists_are_counted():
    a = [True, True, True, False, False, True]
    b = [True, False, False, True, False, 1]
    assert paired_of(a, b) == paired(**counts(2, 2, 1, 1))
    with pytest.raises(ValueError, match="shorter"):
        paired_of(a, b[1:])
