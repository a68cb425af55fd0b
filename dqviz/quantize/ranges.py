"""From a histogram to a quantizer's range, and from a range to a scale and a zero point."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dqviz.quantize.errors import QuantizeError
from dqviz.quantize.histogram import Histogram, Spread
from dqviz.quantize.own import OwnRange
from dqviz.specs import RANGES

_CANDIDATES = 128
"""Fractions of an end of the range that the mean-square search tries."""
_COARSE = 24
"""The same for each of two ends that are tried together."""


def choose_range(
    histogram: Spread, *, bits: int, method: str = "percentile", percentile: float = 99.9
) -> tuple[float, float]:
    """The interval that an activation's codes shall cover; it always includes 0.

    Args:
        histogram: of the activation's values; a layer's own range is returned as it is.
        bits: of the quantizer; only `mse` depends on it.
        method: `minmax` covers all values seen. `percentile` leaves out what lies above the given
            percentile, and below 100 minus it. `mse` takes the range of least mean squared
            rounding and clipping error, found among 128 fractions of either end (Banner et al.,
            https://arxiv.org/abs/1810.05723, section 3, with the histogram for the density).
        percentile: in percent, above 50 and at most 100.

    Returns:
        (low, high), low <= 0 <= high. Where a percentile would leave nothing but 0, because nearly
        all values are 0, the whole range seen is returned.

    Raises:
        QuantizeError: if the method or the percentile is unknown or out of bounds.
    """
    if method not in RANGES:
        raise QuantizeError(f"ranges must be one of {', '.join(RANGES)}; got {method!r}")
    if isinstance(histogram, OwnRange):
        return histogram.low, histogram.high
    whole = (min(histogram.low, 0.0), max(histogram.high, 0.0))
    if method == "minmax":
        return whole
    if method == "mse":
        return _least_squares(histogram, whole, bits)
    if not 50 < percentile <= 100:
        raise QuantizeError(f"percentile must be above 50 and at most 100; got {percentile}")
    low = min(_quantile(histogram, 1 - percentile / 100), 0.0)
    high = max(_quantile(histogram, percentile / 100), 0.0)
    bin_width = (histogram.high - histogram.low) / len(histogram.counts)
    # Between the edges of a bin a quantile is a guess: within one bin of 0 there is nothing but 0.
    nothing = -bin_width <= low and high <= bin_width
    return whole if nothing else (low, high)


def affine_parameters(low: float, high: float, bits: int) -> tuple[float, int, int, int]:
    """The affine grid that covers a range: (scale, zero_point, quant_min, quant_max).

    Codes run from 0 to 2^bits - 1; the zero point is a code, so 0 is represented exactly, and the
    range moves by at most half a step for it. A range that is the single point 0, or narrower than
    1e-38, gets scale 1.

    Raises:
        QuantizeError: if the range does not include 0 or is not finite, if bits are not 1 to 8, or
            if 1 bit meets a range with two signs, of which it would lose one.
    """
    if not (np.isfinite(low) and np.isfinite(high) and low <= 0 <= high):
        raise QuantizeError(f"a range must be finite and include 0; got {low} to {high}")
    if not 1 <= bits <= 8:
        raise QuantizeError(f"activations take 1 to 8 bits; got {bits}")
    if bits == 1 and low < 0 < high:
        raise QuantizeError(f"1 bit cannot hold both signs of the range {low} to {high}")
    quant_max = 2**bits - 1
    scale = float(np.float32((high - low) / quant_max))
    if scale < np.finfo(np.float32).tiny:
        return 1.0, 0, 0, quant_max
    zero_point = int(np.clip(np.rint(-low / scale), 0, quant_max))
    return scale, zero_point, 0, quant_max


def _quantile(histogram: Histogram, share: float) -> float:
    """The value below which this share of the elements lies, straight lines within bins."""
    cumulative = np.concatenate([[0.0], np.cumsum(histogram.counts, dtype=np.float64)])
    return float(np.interp(share * cumulative[-1], cumulative, histogram.edges))


def _least_squares(
    histogram: Histogram, whole: tuple[float, float], bits: int
) -> tuple[float, float]:
    """Search one end after the other, from the best pair where the range has two signs."""
    low, high = whole
    if low < 0 < high:
        low, high = _best_pair(histogram, whole, bits)
    fractions = np.arange(1, _CANDIDATES + 1) / _CANDIDATES
    if whole[1] > 0:
        ends = whole[1] * fractions
        high = float(ends[squared_errors(histogram, np.full_like(ends, low), ends, bits).argmin()])
    if whole[0] < 0:
        ends = whole[0] * fractions
        low = float(ends[squared_errors(histogram, ends, np.full_like(ends, high), bits).argmin()])
    return low, high


def _best_pair(histogram: Histogram, whole: tuple[float, float], bits: int) -> tuple[float, float]:
    """Both ends at once on a coarse grid: the zero point is whole, so the ends are not apart."""
    fractions = np.arange(1, _COARSE + 1) / _COARSE
    lows, highs = (g.ravel() for g in np.meshgrid(whole[0] * fractions, whole[1] * fractions))
    best = squared_errors(histogram, lows, highs, bits).argmin()
    return float(lows[best]), float(highs[best])


def squared_errors(
    histogram: Histogram,
    low: npt.NDArray[np.float64],
    high: npt.NDArray[np.float64],
    bits: int,
) -> npt.NDArray[np.float64]:
    """The mean squared error of quantizing to each of K ranges; low, high and result are (K,).

    A bin stands for its centre, and the bin that holds 0 for 0: after a ReLU most of it is just 0.
    """
    edges = histogram.edges
    centres = (edges[:-1] + edges[1:]) / 2
    centres[(edges[:-1] <= 0) & (edges[1:] >= 0)] = 0.0
    scale = np.maximum((high - low) / (2**bits - 1), np.finfo(np.float64).tiny)[:, None]
    zero_point = np.rint(-low[:, None] / scale)
    codes = np.clip(np.rint(centres / scale) + zero_point, 0, 2**bits - 1)  # (K, bins)
    squared = np.square((codes - zero_point) * scale - centres)
    result: npt.NDArray[np.float64] = squared @ histogram.counts / histogram.counts.sum()
    return result
