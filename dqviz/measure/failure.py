"""Does amplification predict failure? Areas under the ROC curve, beside that of the clean margin.

The area is the Mann-Whitney statistic: the chance that a sample whose prediction flipped has the
larger score than one whose did not, ties counting half. The interval is the score interval of
Newcombe, Stat. Med. 25 (2006) 559-573 (method 5): the areas that lie at most 1.96 standard errors
from the measured one, by the error that Hanley and McNeil (Radiology 143, 1982, 29-36) give at that
area. Unlike DeLong's it keeps a width when the separation is perfect.
"""

from __future__ import annotations

import dataclasses
import math

import torch

from dqviz.measure.errors import MeasureError
from dqviz.measure.measurement import Profile
from dqviz.measure.rows import NETWORK, Row, value_rows
from dqviz.proportions import Z95


@dataclasses.dataclass(frozen=True)
class Area:
    """An area under the ROC curve with its 95 % interval; NaN with a `reason` where there is none.

    `positives` and `negatives` count the samples that failed and that did not; `left_out` those
    whose score was not a number.
    """

    value: float
    low: float
    high: float
    positives: int
    negatives: int
    left_out: int
    reason: str | None


def area_under_curve(scores: torch.Tensor, failed: torch.Tensor) -> Area:
    """The area under the ROC curve of `scores` against `failed`.

    Args:
        scores: (N,), larger meaning failure is expected. NaN is left out and counted.
        failed: (N,) bool.

    Raises:
        MeasureError: if the shapes differ.
    """
    if scores.shape != failed.shape or scores.dim() != 1:
        raise MeasureError(
            "expected one score and one outcome a sample; got shapes "
            f"{tuple(scores.shape)} and {tuple(failed.shape)}"
        )
    known = ~scores.isnan()
    kept, outcome = scores[known].double().cpu(), failed[known].bool().cpu()
    positives = int(outcome.sum())
    negatives = len(outcome) - positives
    left_out = int((~known).sum())
    if positives == 0 or negatives == 0:
        which = "no prediction flipped" if positives == 0 else "every prediction flipped"
        reason = f"{which} among {len(outcome)} images, so there is nothing to tell apart"
        nan = math.nan
        return Area(nan, nan, nan, positives, negatives, left_out, reason)
    rank_sum = float(midranks(kept)[outcome].sum())
    value = (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)
    low, high = area_interval(value, positives, negatives)
    return Area(value, low, high, positives, negatives, left_out, None)


def midranks(values: torch.Tensor) -> torch.Tensor:
    """Ranks from 1, ties sharing the mean of theirs: (N,) in, (N,) float64 out."""
    ordered = values.sort().values
    smaller = torch.searchsorted(ordered, values)
    up_to_equal = torch.searchsorted(ordered, values, right=True)
    return (smaller + up_to_equal + 1).double() / 2


def area_interval(value: float, positives: int, negatives: int) -> tuple[float, float]:
    """The 95 % score interval of an area (Newcombe's method 5)."""
    return (
        _solve(value, positives, negatives, towards=0.0),
        _solve(value, positives, negatives, towards=1.0),
    )


def _solve(value: float, positives: int, negatives: int, *, towards: float) -> float:
    """The area between `value` and `towards` that lies 1.96 of its own standard errors away."""
    near, far = value, towards
    for _ in range(60):
        middle = (near + far) / 2
        error = math.sqrt(_area_variance(middle, positives, negatives))
        if abs(middle - value) <= Z95 * error:
            near = middle
        else:
            far = middle
    return near


def _area_variance(area: float, positives: int, negatives: int) -> float:
    extra = (positives + negatives) / 2 - 1
    spread = 1 + extra * ((1 - area) / (2 - area) + area / (1 + area))
    return area * (1 - area) * spread / (positives * negatives)


def margin(logits: torch.Tensor) -> torch.Tensor:
    """Largest minus second largest logit: (N, classes >= 2) in, (N,) float64 out, 0 or more."""
    if logits.dim() != 2 or logits.shape[1] < 2:
        raise MeasureError(f"expected logits (N, 2 or more classes); got {tuple(logits.shape)}")
    top = logits.double().topk(2, dim=1).values
    return top[:, 0] - top[:, 1]


@dataclasses.dataclass(frozen=True)
class FailurePrediction:
    """Areas under the curve as rows, and why they are NaN where they are (else None)."""

    rows: list[Row]
    reason: str | None


def failure_prediction(profile: Profile) -> FailurePrediction:
    """How well amplification tells the images whose prediction flipped from the others.

    A prediction flips when the largest logit of the perturbed image is not that of the clean one;
    labels play no part. Scores: `amplification_centred` of a layer, and minus the margin between
    the two largest clean logits, so that above one half means 'predicts failure' for both.

    Returns:
        `failure_auc_amplification` of every layer but the first (where it is 1 by definition) and
        of the logits, the latter also as layer `network` beside `failure_auc_margin`; statistics
        `value`, `low`, `high` (95 %) and `nan_count`, the samples whose score was undefined.
    """
    flipped = profile.clean_logits.argmax(dim=1) != profile.adversarial_logits.argmax(dim=1)
    rows: list[Row] = []
    for depth, layer in enumerate(profile.layers[1:], start=1):
        area = area_under_curve(profile.values[layer]["amplification_centred"], flipped)
        rows += _area_rows(layer, depth, "failure_auc_amplification", area)
    rows += _area_rows(NETWORK, -1, "failure_auc_amplification", area)
    beside = area_under_curve(-margin(profile.clean_logits), flipped)
    rows += _area_rows(NETWORK, -1, "failure_auc_margin", beside)
    return FailurePrediction(rows, area.reason or beside.reason)


def _area_rows(layer: str, depth: int, metric: str, area: Area) -> list[Row]:
    statistics = {
        "value": area.value,
        "low": area.low,
        "high": area.high,
        "nan_count": float(area.left_out),
    }
    return value_rows(layer, depth, metric, statistics.items())
