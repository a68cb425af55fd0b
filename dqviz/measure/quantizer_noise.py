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

import dataclasses

import torch

from dqviz.measure.distances import ratio, sample_rows

ELEMENT_CLASSES = ("zero", "inside", "clipped")
"""By the clean input u: exactly zero; beyond the representable range; all else."""

_QUANTITIES = 6
_BLOCK_ELEMENTS = 65536  # so that the temporaries of a block stay in a core's cache


@dataclasses.dataclass(frozen=True)
class ElementSums:
    """Sums over the elements of a sample, by element class: each (N, 3) float64.

    The last dimension follows `ELEMENT_CLASSES`. `spread` sums f (1 - f), `flips` counts the
    elements whose code changed, `count` all elements. The others are in units of the activation,
    or of its square.
    """

    count: torch.Tensor
    in_l1: torch.Tensor
    in_square: torch.Tensor
    out_l1: torch.Tensor
    out_square: torch.Tensor
    spread: torch.Tensor
    flips: torch.Tensor


def predicted_square(shift: torch.Tensor, step: float) -> torch.Tensor:
    """t^2 + s^2 f (1 - f), f = frac(|t| / s): the expected square of a quantizer's output noise.

    Args:
        shift: t, any shape.
        step: s > 0, in the same units.
    """
    fraction = (shift.abs() / step).frac()
    return shift.square() + step**2 * fraction * (1 - fraction)


def element_sums(
    clean: torch.Tensor,
    perturbed: torch.Tensor,
    clean_quantized: torch.Tensor,
    perturbed_quantized: torch.Tensor,
    *,
    step: float,
    low: float,
    high: float,
) -> ElementSums:
    """Sum the quantizer's noise over each sample's elements, by element class.

    Args:
        clean: u, (N, ...).
        perturbed: u', the same shape, as the two that follow.
        clean_quantized: Q(u).
        perturbed_quantized: Q(u').
        step: s, the distance of two codes, in units of the activation.
        low: the smallest value Q returns; below it an element is clipped.
        high: the largest value Q returns.
    """
    rows = [
        sample_rows(tensor, like=clean)
        for tensor in (clean, perturbed, clean_quantized, perturbed_quantized)
    ]
    samples, elements = rows[0].shape
    sums = torch.zeros(samples, 3, _QUANTITIES, dtype=torch.float64, device=clean.device)
    counts = torch.zeros(samples, 3, dtype=torch.float64, device=clean.device)
    width = max(1, min(elements, _BLOCK_ELEMENTS))
    height = max(1, _BLOCK_ELEMENTS // width)
    for top in range(0, samples, height):
        for left in range(0, elements, width):
            block = [row[top : top + height, left : left + width] for row in rows]
            classes = _class_indicators(block[0], low, high)
            quantities = _quantities(*block, step=step)
            # (rows, 3, width) @ (rows, width, 6) -> (rows, 3, 6)
            sums[top : top + height] += torch.bmm(classes, quantities.transpose(1, 2))
            counts[top : top + height] += classes.sum(dim=2)
    in_l1, in_square, out_l1, out_square, flips, spread = sums.unbind(dim=2)
    return ElementSums(counts, in_l1, in_square, out_l1, out_square, spread, flips)


def _class_indicators(clean: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """(rows, width) in, (rows, 3, width) out: one where an element is of the class, else zero."""
    classes = clean.new_empty(clean.shape[0], 3, clean.shape[1])
    zero, inside, clipped = classes.unbind(dim=1)
    torch.eq(clean, 0, out=zero)
    torch.gt(clean, high, out=clipped)
    if clean.numel() > 0 and float(clean.amin()) < low:
        clipped += clean < low
    torch.add(zero, clipped, out=inside).eq_(0)
    return classes


def _quantities(
    clean: torch.Tensor,
    perturbed: torch.Tensor,
    clean_quantized: torch.Tensor,
    perturbed_quantized: torch.Tensor,
    *,
    step: float,
) -> torch.Tensor:
    """(rows, width) four times in, (rows, 6, width) out, in the order of `element_sums`."""
    quantities = clean.new_empty(clean.shape[0], _QUANTITIES, clean.shape[1])
    in_l1, in_square, out_l1, out_square, flips, spread = quantities.unbind(dim=1)
    torch.sub(perturbed, clean, out=in_l1).abs_()
    torch.mul(in_l1, in_l1, out=in_square)
    torch.sub(perturbed_quantized, clean_quantized, out=out_l1).abs_()
    torch.mul(out_l1, out_l1, out=out_square)
    torch.sign(out_l1, out=flips)  # two codes differ exactly where the values differ
    torch.div(in_l1, step, out=spread).frac_()
    torch.addcmul(spread, spread, spread, value=-1, out=spread)  # f - f^2
    return quantities


def noise_metrics(
    sums: ElementSums, *, step: float, norm: torch.Tensor, absolute_sum: torch.Tensor
) -> dict[str, torch.Tensor]:
    """The quantizer's metrics of a layer, each (N,) float64; see the module's text for the units.

    `quantizer_noise_in`, `_out` and `_predicted`, `quantizer_gain` (out over in; NaN without noise)
    for all elements and, suffixed `_zero`, `_inside`, `_clipped`, for each class; all of them again
    with `_l1` at the end (the prediction for L1 being a gain of exactly 1). Further
    `bucket_flip_rate`, the share of elements whose code changed, over all elements and within each
    class, and `element_share_zero`, `_inside`, `_clipped`.

    Args:
        sums: what `element_sums` returned.
        step: the quantizer's step.
        norm: ||u||_2 of each sample, (N,).
        absolute_sum: ||u||_1 of each sample, (N,).
    """
    predicted = sums.in_square + step**2 * sums.spread
    total = sums.count.sum(dim=1)
    metrics: dict[str, torch.Tensor] = {}
    for suffix, columns in _selections():
        squares = [part[:, columns].sum(dim=1) for part in (sums.in_square, sums.out_square)]
        noise_in, noise_out = (square.sqrt() for square in squares)
        noise_predicted = predicted[:, columns].sum(dim=1).sqrt()
        in_l1, out_l1 = sums.in_l1[:, columns].sum(dim=1), sums.out_l1[:, columns].sum(dim=1)
        count, flips = sums.count[:, columns].sum(dim=1), sums.flips[:, columns].sum(dim=1)
        metrics |= {
            f"quantizer_noise_in{suffix}": ratio(noise_in, norm),
            f"quantizer_noise_out{suffix}": ratio(noise_out, norm),
            f"quantizer_noise_predicted{suffix}": ratio(noise_predicted, norm),
            f"quantizer_gain{suffix}": ratio(noise_out, noise_in),
            f"quantizer_noise_in{suffix}_l1": ratio(in_l1, absolute_sum),
            f"quantizer_noise_out{suffix}_l1": ratio(out_l1, absolute_sum),
            f"quantizer_noise_predicted{suffix}_l1": ratio(in_l1, absolute_sum),
            f"quantizer_gain{suffix}_l1": ratio(out_l1, in_l1),
            f"bucket_flip_rate{suffix}": ratio(flips, count),
        }
        if suffix:
            metrics[f"element_share{suffix}"] = ratio(count, total)
    return metrics


def _selections() -> list[tuple[str, slice]]:
    classes = [(f"_{name}", slice(i, i + 1)) for i, name in enumerate(ELEMENT_CLASSES)]
    return [("", slice(0, 3)), *classes]
