"""What a quantizer does to the noise that reaches it, measured and predicted.

With u the clean input of a quantizer Q of step s, u' the perturbed one and t = u' - u, noise in is
t and noise out is Q(u') - Q(u). For u uniform within its bucket the expected square of the output
is t^2 + s^2 f (1 - f), f = frac(|t| / s): rounding moves by floor(|t| / s) or one more step, the
latter with probability f. So the root-mean-square gain is never below 1 there and the mean absolute
gain is exactly 1. A gain below 1 arises where u sits at a bucket's centre (the zeros after a ReLU)
or beyond the clipping range, so those elements are told apart.

Units: everything is divided by the norm of the *whole* clean input of that layer and sample,
||u||_2, or ||u||_1 for the names that end in `_l1`. So `quantizer_noise_in` is the layer's
relative_distance, out over in is the gain, and the squares (the `_l1` values themselves) of the
three element classes add up to those of all elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dqviz.measure.compiled import CHUNK, as_array, compiled, has_loops
from dqviz.measure.distances import ratio, sample_rows

ELEMENT_CLASSES = ("zero", "inside", "clipped")
"""By the clean input u: exactly zero; beyond the representable range; all else."""

QUANTITIES = (
    "in_l1",
    "in_square",
    "out_l1",
    "out_square",
    "flips",
    "spread",
    "clean_l1",
    "clean_square",
    "count",
)
"""What is summed over elements: |t|, t^2, |Q(u') - Q(u)|, its square, whether the code changed,
f (1 - f), |u|, u^2, and one."""


def predicted_square(shift: torch.Tensor, step: float) -> torch.Tensor:
    """t^2 + s^2 f (1 - f), f = frac(|t| / s): the expected square of a quantizer's output noise.

    Args:
        shift: t, any shape.
        step: s > 0, in the same units.
    """
    fraction = (shift.abs() / step).frac()
    return shift.square() + step**2 * fraction * (1 - fraction)


def noise_sums(
    clean: torch.Tensor,
    perturbed: torch.Tensor,
    clean_quantized: torch.Tensor,
    perturbed_quantized: torch.Tensor,
    *,
    step: float,
    low: float,
    high: float,
) -> torch.Tensor:
    """The quantizer's noise, summed over each sample's elements, by element class.

    Args:
        clean: u, (N, ...).
        perturbed: u', the same shape, as the two that follow.
        clean_quantized: Q(u).
        perturbed_quantized: Q(u').
        step: s, the distance of two codes, in units of the activation.
        low: the smallest value Q returns; below it an element is clipped.
        high: the largest value Q returns; above it too.

    Returns:
        (N, 9, 4) float64, in the order of `QUANTITIES` by that of `ELEMENT_CLASSES`, and last all
        elements; in units of the activation or of its square.
    """
    values = (clean, perturbed, clean_quantized, perturbed_quantized)
    rows = [sample_rows(tensor, like=clean) for tensor in values]
    if all(map(has_loops, rows)):
        sums = np.zeros((len(clean), len(QUANTITIES), len(ELEMENT_CLASSES) + 1))
        grid = (np.float32(1 / step), np.float32(low), np.float32(high))
        _add_noise(*map(as_array, rows), *grid, sums)
        return torch.from_numpy(sums)
    by_class = _noise_sums_by_array(rows, step=step, low=low, high=high)
    return torch.cat([by_class, by_class.sum(dim=2, keepdim=True)], dim=2)


@compiled
def _add_noise(
    clean: NDArray[np.float32],
    perturbed: NDArray[np.float32],
    clean_quantized: NDArray[np.float32],
    perturbed_quantized: NDArray[np.float32],
    per_step: np.float32,
    low: np.float32,
    high: np.float32,
    out: NDArray[np.float64],
) -> None:
    """(N, elements) four times; `out` (N, 9, 4)."""
    one, nought = np.float32(1), np.float32(0)
    nothing = (nought, nought, nought, nought, nought, nought, nought, nought, nought)
    samples, elements = clean.shape
    for sample in range(samples):
        for start in range(0, elements, CHUNK):
            part = slice(start, start + CHUNK)
            u, shifted = clean[sample, part], perturbed[sample, part]
            q, q_shifted = clean_quantized[sample, part], perturbed_quantized[sample, part]
            zero = inside = clipped = nothing
            for i in range(len(u)):
                is_zero = one if u[i] == 0 else nought
                is_clipped = one if (u[i] < low or u[i] > high) else nought
                shift, moved = abs(shifted[i] - u[i]), abs(q_shifted[i] - q[i])
                zero = _added(zero, is_zero, u[i], shift, moved, per_step)
                clipped = _added(clipped, is_clipped, u[i], shift, moved, per_step)
                inside = _added(inside, one - is_zero - is_clipped, u[i], shift, moved, per_step)
            for k in range(9):
                out[sample, k, 0] += zero[k]
                out[sample, k, 1] += inside[k]
                out[sample, k, 2] += clipped[k]
                out[sample, k, 3] += zero[k] + inside[k] + clipped[k]


@compiled
def _added(sums: Any, weight: Any, u: Any, shift: Any, moved: Any, per_step: Any) -> Any:
    """Nine sums in the order of `QUANTITIES`, with one more element that counts `weight`.

    All are float32: what the element adds is weighted, so that no class needs a branch.
    """
    fraction = shift * per_step
    fraction -= np.floor(fraction)
    # Two codes differ exactly where the values differ; a value that is NaN stays NaN.
    flipped = np.float32(1) if moved > 0 else moved
    return (
        sums[0] + weight * shift,
        sums[1] + weight * (shift * shift),
        sums[2] + weight * moved,
        sums[3] + weight * (moved * moved),
        sums[4] + weight * flipped,
        sums[5] + weight * (fraction - fraction * fraction),
        sums[6] + weight * abs(u),
        sums[7] + weight * (u * u),
        sums[8] + weight,
    )


def _noise_sums_by_array(
    rows: Sequence[torch.Tensor], *, step: float, low: float, high: float
) -> torch.Tensor:
    """The same with array operations, for every device: (N, elements) four times in, in the order
    of `noise_sums`, and (N, 9, 3) float64 out."""
    clean, perturbed, clean_quantized, perturbed_quantized = rows
    shift, moved = (perturbed - clean).abs(), (perturbed_quantized - clean_quantized).abs()
    fraction = (shift / step).frac()
    quantities = (
        shift,
        shift.square(),
        moved,
        moved.square(),
        moved.sign(),
        fraction - fraction.square(),
        clean.abs(),
        clean.square(),
        torch.ones_like(clean),
    )
    zero, clipped = clean == 0, (clean < low) | (clean > high)
    classes = torch.stack([zero, ~(zero | clipped), clipped], dim=2).to(clean.dtype)
    return (torch.stack(quantities, dim=1) @ classes).double()


def noise_metrics(sums: torch.Tensor, *, step: float | torch.Tensor) -> dict[str, torch.Tensor]:
    """The quantizer's metrics of a layer, each (N,) float64; see the module's text for the units.

    `quantizer_noise_in`, `_out` and `_predicted`, `quantizer_gain` (out over in; NaN without noise)
    for all elements and, suffixed `_zero`, `_inside`, `_clipped`, for each class; all of them again
    with `_l1` at the end (the prediction for L1 being a gain of exactly 1). Further
    `bucket_flip_rate`, the share of elements whose code changed, over all elements and within each
    class, and `element_share_zero`, `_inside`, `_clipped`.

    Args:
        sums: what `noise_sums` returned, (N, 9, 4).
        step: the quantizer's step; (N, 1) where the samples come from several quantizers.
    """
    quantities = dict(zip(QUANTITIES, sums.unbind(dim=1), strict=True))  # (N, 4) each
    norm = quantities["clean_square"][:, -1:].sqrt()  # (N, 1), as the next
    absolute_sum = quantities["clean_l1"][:, -1:]
    in_l1, out_l1, count = quantities["in_l1"], quantities["out_l1"], quantities["count"]
    noise_in, noise_out = quantities["in_square"].sqrt(), quantities["out_square"].sqrt()
    predicted = (quantities["in_square"] + step**2 * quantities["spread"]).sqrt()
    l1_in = ratio(in_l1, absolute_sum)
    tables = {
        "quantizer_noise_in{}": ratio(noise_in, norm),
        "quantizer_noise_out{}": ratio(noise_out, norm),
        "quantizer_noise_predicted{}": ratio(predicted, norm),
        "quantizer_gain{}": ratio(noise_out, noise_in),
        "quantizer_noise_in{}_l1": l1_in,
        "quantizer_noise_out{}_l1": ratio(out_l1, absolute_sum),
        "quantizer_noise_predicted{}_l1": l1_in,
        "quantizer_gain{}_l1": ratio(out_l1, in_l1),
        "bucket_flip_rate{}": ratio(quantities["flips"], count),
    }
    suffixes = [*(f"_{name}" for name in ELEMENT_CLASSES), ""]
    metrics = {
        pattern.format(suffix): column
        for pattern, table in tables.items()
        for suffix, column in zip(suffixes, table.unbind(dim=1), strict=True)
    }
    shares = ratio(count[:, :-1], count[:, -1:]).unbind(dim=1)
    for name, share in zip(ELEMENT_CLASSES, shares, strict=True):
        metrics[f"element_share_{name}"] = share
    return metrics


def root_sums(sums: torch.Tensor, quantity: str) -> torch.Tensor:
    """The root of a sum of squares over all elements, (N,): of one of `QUANTITIES`."""
    return sums[:, QUANTITIES.index(quantity), -1].sqrt()
