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


class NoiseSummer:
    """Sums the quantizer's noise over each sample's elements, by element class.

    Block by block, each small enough for the cores' caches, in memory that is used again: the work
    is many simple passes over the elements, and memory is what such passes wait for.
    """

    def __init__(self) -> None:
        self._memory: torch.Tensor | None = None

    def __call__(
        self,
        clean: torch.Tensor,
        perturbed: torch.Tensor,
        clean_quantized: torch.Tensor,
        perturbed_quantized: torch.Tensor,
        *,
        step: float,
        low: float,
        high: float,
    ) -> torch.Tensor:
        """The sums of one layer and one batch.

        Args:
            clean: u, (N, ...).
            perturbed: u', the same shape, as the two that follow.
            clean_quantized: Q(u).
            perturbed_quantized: Q(u').
            step: s, the distance of two codes, in units of the activation.
            low: the smallest value Q returns; below it an element is clipped.
            high: the largest value Q returns; above it too.

        Returns:
            (N, 9, 4) float64, in the order of `QUANTITIES` by that of `ELEMENT_CLASSES`, and last
            all elements; in units of the activation or of its square.
        """
        rows = [
            sample_rows(tensor, like=clean)
            for tensor in (clean, perturbed, clean_quantized, perturbed_quantized)
        ]
        samples, elements = rows[0].shape
        width = max(1, min(elements, block_elements()))
        height = max(1, min(samples, block_elements() // width))
        lefts = range(0, elements, width)
        sums = clean.new_empty(len(lefts), samples, len(QUANTITIES), len(ELEMENT_CLASSES))
        for part, left in zip(sums, lefts, strict=True):
            columns = [row[:, left : left + width] for row in rows]
            work = self._work(clean, height, columns[0].shape[1])
            blocks = zip(*(column.split(height) for column in (*columns, part)), strict=True)
            for *block, out in blocks:
                if len(out) < height:
                    work = self._work(clean, len(out), columns[0].shape[1])
                work.fill(*block, step=step, low=low, high=high)
                # (rows, 9, width) @ (rows, width, 3) -> (rows, 9, 3)
                torch.bmm(work.quantities, work.classes.transpose(1, 2), out=out)
        by_class = sums.double().sum(dim=0)
        return torch.cat([by_class, by_class.sum(dim=2, keepdim=True)], dim=2)

    def _work(self, like: torch.Tensor, height: int, width: int) -> _Work:
        """Room for a block of (height, width) elements, in the memory used before."""
        kinds = (len(QUANTITIES), len(ELEMENT_CLASSES))
        needed = height * sum(kinds) * width
        memory = self._memory
        if memory is None or memory.numel() < needed or memory.device != like.device:
            memory = self._memory = like.new_empty(needed)
        pieces = torch.split(memory[:needed], [height * rows * width for rows in kinds])
        quantities, classes = (
            piece.view(height, rows, width) for piece, rows in zip(pieces, kinds, strict=True)
        )
        return _Work(quantities, classes)


class _Work:
    """A block's `quantities` (rows, 9, width) and `classes` (rows, 3, width), ones and zeros."""

    def __init__(self, quantities: torch.Tensor, classes: torch.Tensor) -> None:
        self.quantities, self.classes = quantities, classes
        *self._filled, count = quantities.unbind(dim=1)
        count.fill_(1)
        self._classes = classes.unbind(dim=1)

    def fill(
        self,
        clean: torch.Tensor,
        perturbed: torch.Tensor,
        clean_quantized: torch.Tensor,
        perturbed_quantized: torch.Tensor,
        *,
        step: float,
        low: float,
        high: float,
    ) -> None:
        """Take the next block, (rows, width) each."""
        in_l1, in_square, out_l1, out_square, flips, spread, clean_l1, clean_square = self._filled
        torch.sub(perturbed, clean, out=in_l1).abs_()
        torch.mul(in_l1, in_l1, out=in_square)
        torch.sub(perturbed_quantized, clean_quantized, out=out_l1).abs_()
        torch.mul(out_l1, out_l1, out=out_square)
        torch.sign(out_l1, out=flips)  # two codes differ exactly where the values differ
        torch.mul(in_l1, 1 / step, out=spread).frac_()
        torch.addcmul(spread, spread, spread, value=-1, out=spread)  # f - f^2
        torch.abs(clean, out=clean_l1)
        torch.mul(clean, clean, out=clean_square)
        zero, inside, clipped = self._classes
        torch.clamp(clean, low, high, out=inside)
        torch.ne(inside, clean, out=clipped)
        torch.eq(clean, 0, out=zero)
        torch.add(zero, clipped, out=inside).eq_(0)


def noise_metrics(sums: torch.Tensor, *, step: float) -> dict[str, torch.Tensor]:
    """The quantizer's metrics of a layer, each (N,) float64; see the module's text for the units.

    `quantizer_noise_in`, `_out` and `_predicted`, `quantizer_gain` (out over in; NaN without noise)
    for all elements and, suffixed `_zero`, `_inside`, `_clipped`, for each class; all of them again
    with `_l1` at the end (the prediction for L1 being a gain of exactly 1). Further
    `bucket_flip_rate`, the share of elements whose code changed, over all elements and within each
    class, and `element_share_zero`, `_inside`, `_clipped`.

    Args:
        sums: what a `NoiseSummer` returned, (N, 9, 4).
        step: the quantizer's step.
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
