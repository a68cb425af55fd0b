import math

import pytest
import torch
from scipy.stats import binomtest
from torch import nn

from dqviz.measure.accuracy import accuracy, correctness, mcnemar, paired_difference, wilson
from dqviz.measure.errors import MeasureError


class FirstPixels(nn.Module):
    """Logits are the first four pixels of the first row."""

    def forward(self, images):
        return images[:, 0, 0, :4]


def images_of(logits):
    return torch.tensor(logits, dtype=torch.float32)[:, None, None, :]


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (10, 10), (7, 10), (1, 1), (940, 1000)])
def test_wilson_equals_scipy(successes, n):
    found = wilson(successes, n)
    expected = binomtest(successes, n).proportion_ci(method="wilson")
    assert found.value == successes / n
    assert found.low == pytest.approx(expected.low, abs=1e-12)
    assert found.high == pytest.approx(expected.high, abs=1e-12)


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_impossible_counts(successes, n):
    with pytest.raises(MeasureError, match=f"got {successes} of {n}"):
        wilson(successes, n)


def test_accuracy_by_hand():
    images = images_of([[0.9, 0, 0, 0], [0, 0.9, 0, 0], [0, 0, 0.9, 0]])
    model = FirstPixels().eval()
    found = accuracy(model, images, torch.tensor([0, 1, 0]), batch_size=2)
    assert found == wilson(2, 3)


def test_logits_that_are_no_numbers_are_wrong():
    images = images_of([[math.nan, 0, 0, 0], [0, 1, 0, 0]])
    found = correctness(FirstPixels().eval(), images, torch.tensor([0, 1]))
    assert found.tolist() == [False, True]


def test_progress_and_cancelling():
    images, labels, seen = torch.zeros(5, 1, 1, 4), torch.zeros(5, dtype=torch.int64), []
    model = FirstPixels().eval()
    accuracy(model, images, labels, batch_size=2, progress=lambda *done: seen.append(done))
    assert seen == [(2, 5), (4, 5), (5, 5)]

    def cancel(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        accuracy(model, images, labels, batch_size=2, progress=cancel)


def test_bad_input_is_named():
    model = FirstPixels().eval()
    with pytest.raises(MeasureError, match=r"\(2, 1, 1, 4\).*\(3,\)"):
        accuracy(model, torch.zeros(2, 1, 1, 4), torch.zeros(3))
    with pytest.raises(MeasureError, match="training mode"):
        accuracy(FirstPixels(), torch.zeros(2, 1, 1, 4), torch.zeros(2))


def vectors(both, only_a, only_b, neither):
    a = [True] * (both + only_a) + [False] * (only_b + neither)
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return torch.tensor(a), torch.tensor(b)


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
    found = paired_difference(*vectors(*table))
    assert found.value == (table[1] - table[2]) / sum(table)
    assert found.low == pytest.approx(low, abs=1e-3)
    assert found.high == pytest.approx(high, abs=1e-3)


def test_paired_difference_covers_the_truth():
    generator = torch.Generator().manual_seed(0)
    inside = 0
    for _ in range(400):
        ability = torch.rand(120, generator=generator)  # what makes the two correlate
        a = torch.rand(120, generator=generator) < 0.5 + 0.45 * ability
        b = torch.rand(120, generator=generator) < 0.4 + 0.45 * ability
        found = paired_difference(a, b)
        inside += found.low <= 0.1 <= found.high
    assert 0.92 <= inside / 400 <= 0.99


def test_swapping_the_networks_mirrors_the_interval():
    a, b = vectors(50, 9, 4, 7)
    one, other = paired_difference(a, b), paired_difference(b, a)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
    assert (one.only_a, one.only_b, one.p_value) == (other.only_b, other.only_a, other.p_value)


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (5, 5), (12, 2), (0, 9), (300, 250)])
def test_mcnemar_equals_the_binomial_test(only_a, only_b):
    expected = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert mcnemar(only_a, only_b) == pytest.approx(expected, rel=1e-9)


def test_paired_difference_refuses_other_lengths():
    with pytest.raises(MeasureError, match=r"\(2,\) and \(3,\)"):
        paired_difference(torch.zeros(2), torch.zeros(3))
