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

import torch

from dqviz.measure.distances import block_elements, ratio, sample_rows

ELEMENT_CLASSES = ("zero", "inside", "clipped")
"""By the clean input u: exactly zero; beyond the representable range; all else."""

QUANTITIES = ("in_l1", "in_square", "out_l1", "out_square", "flips", "spread", "count")
"""What is summed over elements: |t|, t^2, |Q(u') - Q(u)|, its square, whether the code changed,
f (1 - f), and one."""


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
) -> torch.Tensor:
    """Sum the quantizer's noise over each sample's elements, by element class.

    Args:
        clean: u, (N, ...).
        perturbed: u', the same shape, as the two that follow.
        clean_quantized: Q(u).
        perturbed_quantized: Q(u').
        step: s, the distance of two codes, in units of the activation.
        low: the smallest value Q returns; below it an element is clipped.
        high: the largest value Q returns.

    Returns:
        (N, 7, 4) float64, in the order of `QUANTITIES` by that of `ELEMENT_CLASSES`, and last all
        elements. The first four quantities are in units of the activation or of its square.
    """
    rows = [
        sample_rows(tensor, like=clean)
        for tensor in (clean, perturbed, clean_quantized, perturbed_quantized)
    ]
    samples, elements = rows[0].shape
    block_size = block_elements()
    width = max(1, min(elements, block_size))
    height = max(1, min(samples, block_size // width))
    quantities = clean.new_empty(height, len(QUANTITIES) - 1, width)
    classes = clean.new_ones(height, 4, width)
    sums = torch.zeros(samples, len(QUANTITIES), 4, dtype=torch.float64, device=clean.device)
    clips_below = bool((rows[0].amin() < low).item()) if clean.numel() else False
    for top in range(0, samples, height):
        for left in range(0, elements, width):
            block = [row[top : top + height, left : left + width] for row in rows]
            used = (slice(0, block[0].shape[0]), slice(None), slice(0, block[0].shape[1]))
            _fill_quantities(quantities[used], *block, step=step)
            _fill_classes(classes[used], block[0], low if clips_below else None, high)
            # (rows, 6, width) @ (rows, width, 4) -> (rows, 6, 4)
            part = torch.bmm(quantities[used], classes[used].transpose(1, 2))
            sums[top : top + height, :-1] += part
            sums[top : top + height, -1] += classes[used].sum(dim=2)
    return sums


def _fill_classes(
    classes: torch.Tensor, clean: torch.Tensor, low: float | None, high: float
) -> None:
    """Of (rows, 4, width) fill all but the last: one where an element is of the class, else 0."""
    zero, inside, clipped, _ = classes.unbind(dim=1)
    torch.eq(clean, 0, out=zero)
    torch.gt(clean, high, out=clipped)
    if low is not None:
        clipped += clean < low
    torch.add(zero, clipped, out=inside).eq_(0)


def _fill_quantities(
    quantities: torch.Tensor,
    clean: torch.Tensor,
    perturbed: torch.Tensor,
    clean_quantized: torch.Tensor,
    perturbed_quantized: torch.Tensor,
    *,
    step: float,
) -> None:
    """Fill (rows, 6, width) from (rows, width) four times, in the order of `QUANTITIES`."""
    in_l1, in_square, out_l1, out_square, flips, spread = quantities.unbind(dim=1)
    torch.sub(perturbed, clean, out=in_l1).abs_()
    torch.mul(in_l1, in_l1, out=in_square)
    torch.sub(perturbed_quantized, clean_quantized, out=out_l1).abs_()
    torch.mul(out_l1, out_l1, out=out_square)
    torch.sign(out_l1, out=flips)  # two codes differ exactly where the values differ
    torch.mul(in_l1, 1 / step, out=spread).frac_()
    torch.addcmul(spread, spread, spread, value=-1, out=spread)  # f - f^2


def noise_metrics(
    sums: torch.Tensor, *, step: float, norm: torch.Tensor, absolute_sum: torch.Tensor
) -> dict[str, torch.Tensor]:
    """The quantizer's metrics of a layer, each (N,) float64; see the module's text for the units.

    `quantizer_noise_in`, `_out` and `_predicted`, `quantizer_gain` (out over in; NaN without noise)
    for all elements and, suffixed `_zero`, `_inside`, `_clipped`, for each class; all of them again
    with `_l1` at the end (the prediction for L1 being a gain of exactly 1). Further
    `bucket_flip_rate`, the share of elements whose code changed, over all elements and within each
    class, and `element_share_zero`, `_inside`, `_clipped`.

    Args:
        sums: what `element_sums` returned, (N, 7, 4).
        step: the quantizer's step.
        norm: ||u||_2 of each sample, (N,).
        absolute_sum: ||u||_1 of each sample, (N,).
    """
    metrics: dict[str, torch.Tensor] = {}
    for column, suffix in enumerate([*(f"_{name}" for name in ELEMENT_CLASSES), ""]):
        quantities = dict(zip(QUANTITIES, sums[:, :, column].unbind(dim=1), strict=True))
        in_l1, out_l1 = quantities["in_l1"], quantities["out_l1"]
        noise_in, noise_out = quantities["in_square"].sqrt(), quantities["out_square"].sqrt()
        predicted = (quantities["in_square"] + step**2 * quantities["spread"]).sqrt()
        metrics |= {
            f"quantizer_noise_in{suffix}": ratio(noise_in, norm),
            f"quantizer_noise_out{suffix}": ratio(noise_out, norm),
            f"quantizer_noise_predicted{suffix}": ratio(predicted, norm),
            f"quantizer_gain{suffix}": ratio(noise_out, noise_in),
            f"quantizer_noise_in{suffix}_l1": ratio(in_l1, absolute_sum),
            f"quantizer_noise_out{suffix}_l1": ratio(out_l1, absolute_sum),
            f"quantizer_noise_predicted{suffix}_l1": ratio(in_l1, absolute_sum),
            f"quantizer_gain{suffix}_l1": ratio(out_l1, in_l1),
            f"bucket_flip_rate{suffix}": ratio(quantities["flips"], quantities["count"]),
        }
        if suffix:
            elements = sums[:, QUANTITIES.index("count"), -1]
            metrics[f"element_share{suffix}"] = ratio(quantities["count"], elements)
    return metrics
