"""Histograms of every layer's input, from one pass in full precision: they serve every bit-width.

The counts are kept on a fine grid around zero whose bins are a power of two wide. When a batch
exceeds the grid, its bins are merged in pairs, which is exact; so the result does not depend on how
the images are split into batches. At the end the fine bins are dealt out to `bins` equal bins
between the smallest and the largest value seen.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from dqviz.models.graph import LAYERS, fold_batchnorm
from dqviz.models.normalize import explain_small_images
from dqviz.quantize.errors import QuantizeError
from dqviz.quantize.own import OwnRange

_HALF_GRID = 8192
"""Fine bins on either side of zero."""
_CHUNK = 1 << 24
"""Elements counted at once: torch counts in float32, which is exact up to here."""


@dataclasses.dataclass(frozen=True)
class Histogram:
    """How often a layer's input took which value.

    `counts` (int64, shape (bins,)) are the numbers of elements in equal bins from `low`, the
    smallest value seen, to `high`, the largest.
    """

    low: float
    high: float
    counts: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise QuantizeError(
                f"a histogram's range must be finite and in order; got {self.low} to {self.high}"
            )
        if self.counts.ndim != 1 or self.counts.size == 0 or self.counts.min() < 0:
            raise QuantizeError("a histogram needs a row of counts of 0 or more")
        if self.counts.sum() == 0:
            raise QuantizeError("a histogram without a single element says nothing about a range")

    @property
    def edges(self) -> npt.NDArray[np.float64]:
        """The bins' borders, shape (bins + 1,)."""
        return np.linspace(self.low, self.high, self.counts.size + 1)


Spread = Histogram | OwnRange
"""What is known of a layer's input: how its values were distributed, or its own range."""


def to_json(spreads: Mapping[str, Spread]) -> dict[str, Any]:
    """Histograms and own ranges by layer as plain JSON values."""
    return {name: _plain(spread) for name, spread in spreads.items()}


def _plain(spread: Spread) -> dict[str, Any]:
    if isinstance(spread, OwnRange):
        return dataclasses.asdict(spread)
    return {"low": spread.low, "high": spread.high, "counts": spread.counts.tolist()}


def from_json(document: Mapping[str, Any]) -> dict[str, Spread]:
    """What `to_json` wrote: an entry without `counts` is a layer's own range.

    Raises:
        QuantizeError: if an entry lacks `low`, `high` or `counts`, or they are no histogram.
    """
    spreads: dict[str, Spread] = {}
    for name, entry in document.items():
        try:
            if "counts" not in entry and "weight_bits" in entry:
                spreads[name] = OwnRange(**entry)
                continue
            counts = np.asarray(entry["counts"], dtype=np.int64)
            spreads[name] = Histogram(float(entry["low"]), float(entry["high"]), counts)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise QuantizeError(
                f"the histogram of layer {name!r} cannot be read: {error}"
            ) from None
    return spreads


def collect_histograms(
    model: nn.Module, images: torch.Tensor, *, bins: int = 1024, batch_size: int = 64
) -> dict[str, Histogram]:
    """One histogram for the input of every convolution and linear layer, by the layer's name.

    The network runs once over the images in full precision, on a copy.

    Args:
        model: a network that `dqviz.models.graph.trace` accepts.
        images: float32 (N, C, H, W) in [0, 1].
        bins: bins of each histogram.
        batch_size: images run at once; it bounds the memory used.

    Raises:
        QuantizeError: if there are no images, or some layer's input is not finite.
        ModelError: if the images are too small for the network.
    """
    if images.dim() != 4 or images.shape[0] == 0:
        raise QuantizeError(
            "calibration needs images of shape (N, C, H, W) with N at least 1; "
            f"got {tuple(images.shape)}"
        )
    if bins < 1 or batch_size < 1:
        raise QuantizeError(f"bins and batch_size must be at least 1; got {bins} and {batch_size}")
    network = fold_batchnorm(model)
    grids = {
        str(node.target): _Grid(str(node.target))
        for node in network.graph.nodes
        if node.op == "call_module" and isinstance(network.get_submodule(node.target), LAYERS)
    }
    for name, grid in grids.items():
        network.get_submodule(name).register_forward_pre_hook(grid.record)
    with torch.no_grad():
        for batch in torch.split(images, batch_size):
            try:
                network(batch)
            except RuntimeError as error:
                explain_small_images(error, batch.shape)
                raise
    return {name: grid.histogram(bins) for name, grid in grids.items()}


class _Grid:
    """Counts of one layer's inputs, in bins of a width that is a power of two."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.exponent: int | None = None
        self.counts = np.zeros(2 * _HALF_GRID, dtype=np.int64)
        self.low = math.inf
        self.high = -math.inf

    def record(self, _: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        values = inputs[0].detach().float().flatten()
        low, high = (float(bound) for bound in torch.aminmax(values))
        if not (math.isfinite(low) and math.isfinite(high)):
            raise QuantizeError(
                f"the input of layer {self.name!r} holds NaN or infinity on the calibration images"
            )
        self.low, self.high = min(self.low, low), max(self.high, high)
        self._grow(max(-low, high))
        assert self.exponent is not None
        bound = 2.0**self.exponent
        for chunk in torch.split(values, _CHUNK):
            counted = torch.histc(chunk, bins=2 * _HALF_GRID, min=-bound, max=bound)
            self.counts += counted.cpu().numpy().astype(np.int64)

    def _grow(self, magnitude: float) -> None:
        """Merge bins in pairs until the grid, from -2^exponent to 2^exponent, holds the value."""
        needed = max(math.frexp(magnitude)[1], -60) if magnitude > 0 else -60
        if self.exponent is None:
            self.exponent = needed
        while self.exponent < needed:
            pairs = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.zeros_like(self.counts)
            self.counts[_HALF_GRID // 2 : _HALF_GRID // 2 + _HALF_GRID] = pairs
            self.exponent += 1

    def histogram(self, bins: int) -> Histogram:
        """The fine bins dealt out by their centres to `bins` bins from low to high."""
        assert self.exponent is not None
        width = 2.0**self.exponent / _HALF_GRID
        centres = (np.arange(2 * _HALF_GRID) - _HALF_GRID + 0.5) * width
        span = self.high - self.low
        place = (centres - self.low) / span * bins if span > 0 else np.zeros_like(centres)
        target = np.clip(np.floor(place), 0, bins - 1).astype(np.int64)
        counts = np.bincount(target, weights=self.counts, minlength=bins).astype(np.int64)
        return Histogram(self.low, self.high, counts)
