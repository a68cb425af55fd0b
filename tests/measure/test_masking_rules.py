"""When a check is red, amber or green."""

import pytest
import torch

from dqviz.measure.masking_rules import AMBER, GREEN, RED, by_difference, by_proof, by_share


def flags(true, n):
    return torch.arange(n) < true


@pytest.mark.parametrize(
    ("attacked", "compared", "n", "mark"),
    [
        (50, 50, 100, GREEN),  # a tie
        (40, 60, 100, GREEN),  # the other one does worse
        (60, 40, 100, RED),
        (58, 50, 100, RED),  # eight images more, and not one fewer
        (53, 50, 100, GREEN),  # three images may be chance
        (5, 5, 10, AMBER),  # ten points cannot be excluded
        (8, 2, 10, RED),
    ],
)
def test_a_difference_is_red_only_if_it_is_significant(attacked, compared, n, mark):
    check = by_difference("x", flags(attacked, n), flags(compared, n))
    assert check.mark == mark, check
    assert check.value == pytest.approx((attacked - compared) / n)
    assert check.low <= check.value <= check.high
    assert check.count == n


def test_differences_are_paired():
    one = torch.arange(100) % 2 == 0
    paired = by_difference("x", one | (torch.arange(100) < 20), one)
    crossed = by_difference("x", one | (torch.arange(100) < 20), ~one)
    assert paired.value == crossed.value == pytest.approx(0.1)
    assert (paired.mark, crossed.mark) == (RED, AMBER)


def test_a_tolerated_difference_is_no_fault():
    more, less = flags(60, 1000), flags(30, 1000)
    assert by_difference("x", more, less).mark == RED
    assert by_difference("x", more, less, limit=0.05).mark == GREEN


@pytest.mark.parametrize(
    ("faulty", "n", "mark"),
    [(0, 100, GREEN), (4, 100, GREEN), (8, 100, AMBER), (20, 100, RED), (0, 8, AMBER)],
)
def test_a_share_is_red_only_if_it_is_significantly_too_large(faulty, n, mark):
    check = by_share("x", flags(faulty, n), limit=0.05)
    assert check.mark == mark, check
    assert check.value == faulty / n


@pytest.mark.parametrize(("faulty", "mark"), [(0, GREEN), (1, RED)])
def test_what_one_image_proves_needs_no_more(faulty, mark):
    assert by_proof("x", flags(faulty, 8)).mark == mark


def test_without_images_nothing_is_known():
    nothing = torch.zeros(0, dtype=torch.bool)
    for check in (
        by_share("x", nothing),
        by_proof("x", nothing),
        by_difference("x", nothing, nothing),
    ):
        assert (check.mark, check.count) == (AMBER, 0)
