import math

import pytest
import torch
from torch import nn

from dqviz.measure.accuracy import accuracy, correctness, paired_difference
from dqviz.measure.errors import MeasureError
from dqviz.proportions import paired, wilson


class FirstPixels(nn.Module):
    """Logits are the first four pixels of the first row."""

    def forward(self, images):
        return images[:, 0, 0, :4]


def images_of(logits):
    return torch.tensor(logits, dtype=torch.float32)[:, None, None, :]


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


def test_paired_difference_counts_the_images():
    found = paired_difference(*vectors(36, 12, 2, 1))
    assert found == paired(both=36, only_a=12, only_b=2, neither=1)


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


def test_paired_difference_refuses_other_lengths():
    with pytest.raises(MeasureError, match=r"\(2,\) and \(3,\)"):
        paired_difference(torch.zeros(2), torch.zeros(3))
