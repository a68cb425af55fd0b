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


@dataclasses.dataclass(frozen=True)
class NoiseSums:
    """Sums over the elements of each of N samples, float64.

    `by_class` is (N, 7, 4), in the order of `QUANTITIES` by that of `ELEMENT_CLASSES`, and last all
    elements; the first four quantities are in units of the activation or of its square.
    `clean_l1` and `clean_square` are ||u||_1 and ||u||_2^2, (N,).
    """

    by_class: torch.Tensor
    clean_l1: torch.Tensor
    clean_square: torch.Tensor

    def all_elements(self, quantity: str) -> torch.Tensor:
        """One of `QUANTITIES` over all elements, (N,)."""
        return self.by_class[:, QUANTITIES.index(quantity), -1]

    @classmethod
    def join(cls, parts: list[NoiseSums]) -> NoiseSums:
        """The sums of several batches, one after the other, on the processor."""
        columns = zip(*[(p.by_class, p.clean_l1, p.clean_square) for p in parts], strict=True)
        by_class, clean_l1, clean_square = (torch.cat(column).cpu() for column in columns)
        return cls(by_class, clean_l1, clean_square)


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
    ) -> NoiseSums:
        """The sums of one layer and one batch.

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
        width = max(1, min(elements, block_elements()))
        height = max(1, min(samples, block_elements() // width))
        quantities, classes, spare = self._blocks(clean, height, width)
        sums = clean.new_zeros(samples, len(QUANTITIES), len(ELEMENT_CLASSES)).double()
        clean_l1, clean_square = sums.new_zeros(2, samples).unbind()
        for left in range(0, elements, width):
            columns = slice(left, left + width)
            for top in range(0, samples, height):
                block = slice(top, top + height)
                parts = [row[block, columns] for row in rows]
                used = (slice(0, parts[0].shape[0]), slice(None), slice(0, parts[0].shape[1]))
                _fill_quantities(quantities[used], *parts, step=step)
                _fill_classes(classes[used], parts[0], low, high)
                # (rows, 7, width) @ (rows, width, 3) -> (rows, 7, 3)
                sums[block] += torch.bmm(quantities[used], classes[used].transpose(1, 2))
                clean_square[block] += torch.linalg.vector_norm(parts[0], dim=1).double().square()
                clean_l1[block] += torch.abs(parts[0], out=spare[used[0], used[2]]).sum(dim=1)
        whole = torch.cat([sums, sums.sum(dim=2, keepdim=True)], dim=2)
        return NoiseSums(whole, clean_l1, clean_square)

    def _blocks(
        self, like: torch.Tensor, height: int, width: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(height, 7, width) with ones in the last row, (height, 3, width) and (height, width)."""
        kinds = (len(QUANTITIES), len(ELEMENT_CLASSES), 1)
        needed = height * sum(kinds) * width
        memory = self._memory
        if memory is None or memory.numel() < needed or memory.device != like.device:
            memory = self._memory = like.new_empty(needed)
        pieces = torch.split(memory[:needed], [height * rows * width for rows in kinds])
        quantities, classes, spare = (
            piece.view(height, rows, width) for piece, rows in zip(pieces, kinds, strict=True)
        )
        quantities[:, QUANTITIES.index("count")] = 1
        return quantities, classes, spare.squeeze(1)


def _fill_classes(classes: torch.Tensor, clean: torch.Tensor, low: float, high: float) -> None:
    """Fill (rows, 3, width): one where an element of (rows, width) is of the class, else 0."""
    zero, inside, clipped = classes.unbind(dim=1)
    torch.eq(clean, 0, out=zero)
    torch.gt(clean, high, out=clipped)
    if clean.amin() < low:  # after a ReLU nothing is
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
    """Fill all but the count of (rows, 7, width) from (rows, width) four times."""
    in_l1, in_square, out_l1, out_square, flips, spread, _ = quantities.unbind(dim=1)
    torch.sub(perturbed, clean, out=in_l1).abs_()
    torch.mul(in_l1, in_l1, out=in_square)
    torch.sub(perturbed_quantized, clean_quantized, out=out_l1).abs_()
    torch.mul(out_l1, out_l1, out=out_square)
    torch.sign(out_l1, out=flips)  # two codes differ exactly where the values differ
    torch.mul(in_l1, 1 / step, out=spread).frac_()
    torch.addcmul(spread, spread, spread, value=-1, out=spread)  # f - f^2


def noise_metrics(sums: NoiseSums, *, step: float) -> dict[str, torch.Tensor]:
    """The quantizer's metrics of a layer, each (N,) float64; see the module's text for the units.

    `quantizer_noise_in`, `_out` and `_predicted`, `quantizer_gain` (out over in; NaN without noise)
    for all elements and, suffixed `_zero`, `_inside`, `_clipped`, for each class; all of them again
    with `_l1` at the end (the prediction for L1 being a gain of exactly 1). Further
    `bucket_flip_rate`, the share of elements whose code changed, over all elements and within each
    class, and `element_share_zero`, `_inside`, `_clipped`.

    Args:
        sums: what a `NoiseSummer` returned.
        step: the quantizer's step.
    """
    norm, absolute_sum = sums.clean_square.sqrt()[:, None], sums.clean_l1[:, None]  # (N, 1)
    quantities = dict(zip(QUANTITIES, sums.by_class.unbind(dim=1), strict=True))  # (N, 4) each
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
