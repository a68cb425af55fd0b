import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, rankdata

from dqviz.measure.amplification import Profile
from dqviz.measure.errors import MeasureError
from dqviz.measure.failure import area_under_curve, failure_prediction, margin, midranks


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=40).filter(
        lambda pairs: len({failed for _, failed in pairs}) == 2
    )
)
def test_the_area_is_the_mann_whitney_statistic(pairs):
    scores = torch.tensor([score for score, _ in pairs], dtype=torch.float32)
    failed = torch.tensor([failed for _, failed in pairs])
    found = area_under_curve(scores, failed)
    statistic = mannwhitneyu(scores[failed].numpy(), scores[~failed].numpy()).statistic
    pairs_compared = int(failed.sum()) * int((~failed).sum())
    assert found.value == pytest.approx(statistic / pairs_compared, abs=1e-12)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.high - found.low > 0.05  # never certain with so few


def test_midranks_equal_scipy():
    values = torch.tensor([3.0, 1.0, 3.0, 2.0, 1.0, 1.0])
    assert midranks(values).tolist() == rankdata(values.numpy()).tolist()


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.5])
def test_the_interval_covers_the_truth(shift):
    generator = torch.Generator().manual_seed(5)
    truth = 0.5 * (1 + math.erf(shift / 2))  # of two normals that lie `shift` apart
    failed = torch.arange(60) < 20
    inside = 0
    for _ in range(300):
        scores = torch.randn(60, generator=generator) + shift * failed
        found = area_under_curve(scores, failed)
        inside += found.low <= truth <= found.high
    assert 0.91 <= inside / 300 <= 0.995


def test_one_outcome_only_has_no_area_and_says_why():
    scores = torch.tensor([1.0, 2.0, 3.0])
    none = area_under_curve(scores, torch.tensor([False] * 3))
    every = area_under_curve(scores, torch.tensor([True] * 3))
    assert math.isnan(none.value)
    assert "no prediction flipped among 3 images" in none.reason
    assert "every prediction flipped" in every.reason


def test_undefined_scores_are_left_out_and_counted():
    scores = torch.tensor([math.nan, 2.0, 1.0])
    found = area_under_curve(scores, torch.tensor([True, True, False]))
    assert (found.value, found.left_out, found.positives) == (1.0, 1, 1)
    assert found.reason is None


def test_shapes_must_agree():
    with pytest.raises(MeasureError, match=r"\(2,\) and \(3,\)"):
        area_under_curve(torch.zeros(2), torch.zeros(3, dtype=torch.bool))


def test_margin_by_hand():
    assert margin(torch.tensor([[1.0, 5.0, 3.5], [2.0, 2.0, 0.0]])).tolist() == [1.5, 0.0]
    with pytest.raises(MeasureError, match=r"\(4, 1\)"):
        margin(torch.zeros(4, 1))


def profile_of(clean, adversarial, scores):
    values = {name: {"amplification_centred": score} for name, score in scores.items()}
    return Profile(tuple(scores), values, torch.tensor(clean), torch.tensor(adversarial))


def test_rows_of_a_profile_by_hand():
    clean = [[3.0, 0.0], [2.0, 0.0], [1.0, 0.0], [0.5, 0.0]]
    adversarial = [[3.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 1.0]]  # the narrow two flip
    scores = {
        "first": torch.ones(4),
        "second": torch.tensor([4.0, 3.0, 2.0, 1.0]),  # the wrong way round
        "logits": torch.tensor([1.0, 3.0, 2.0, 4.0]),  # one pair of four in the wrong order
    }
    found = failure_prediction(profile_of(clean, adversarial, scores))
    values = {(row.layer, row.metric): row.value for row in found.rows if row.statistic == "value"}
    assert values == {
        ("second", "failure_auc_amplification"): 0.0,
        ("logits", "failure_auc_amplification"): 0.75,
        ("network", "failure_auc_amplification"): 0.75,
        ("network", "failure_auc_margin"): 1.0,
    }
    assert found.reason is None


def test_nothing_flipped_gives_rows_without_numbers():
    scores = {"first": torch.ones(2), "logits": torch.ones(2)}
    same = [[1.0, 0.0], [0.0, 1.0]]
    found = failure_prediction(profile_of(same, same, scores))
    assert all(math.isnan(row.value) for row in found.rows if row.statistic != "nan_count")
    assert "no prediction flipped" in found.reason
