"""What clean images give: measured once, however many perturbations are compared with it."""

from __future__ import annotations

import torch
from torch import nn

from dqviz.measure.activations import LayerView, observe
from dqviz.measure.centring import CentredNorms
from dqviz.measure.distances import norms, signal_to_noise_db
from dqviz.measure.errors import MeasureError
from dqviz.measure.rows import LOGITS

HELD_BYTES = 512 * 2**20
"""How much of a batch's clean activations may be held for the passes that follow the first."""

Values = dict[str, torch.Tensor]


class Parts:
    """Raw numbers of every layer, collected batch by batch."""

    def __init__(self) -> None:
        self._parts: dict[str, dict[str, list[torch.Tensor]]] = {}

    def keep(self, layer: str, raw: Values) -> None:
        """Take the next batch's, each (n, ...), of the quantities that a layer has, if any."""
        parts = self._parts.setdefault(layer, {})
        for name, values in raw.items():
            parts.setdefault(name, []).append(values)

    def joined(self) -> dict[str, Values]:
        """By layer, in the order in which they came first: (N, ...) each, on the processor."""
        return {
            layer: {name: torch.cat(parts).cpu() for name, parts in raw.items()}
            for layer, raw in self._parts.items()
        }


class CleanMeasurement:
    """What has been measured of the clean images so far, whatever perturbs them.

    Args:
        reference: the same network in full precision, to compare with.
        centred: collects the norms around the mean.
        hold: whether `layers` holds a copy of every view of the batch, for other passes.
    """

    def __init__(
        self, reference: nn.Module | None, centred: CentredNorms, *, hold: bool = False
    ) -> None:
        self._reference = reference
        self._centred = centred
        self._hold = hold
        self._raw = Parts()
        self._expected: Values = {}
        self.layers: dict[str, LayerView] = {}
        self.logits = torch.empty(0)

    def begin(self, images: torch.Tensor) -> None:
        """To be called before the pass of the next images, (n, C, H, W)."""
        self.layers = {}
        if self._reference is not None:
            self._expected = _received(self._reference, images)

    def see(self, view: LayerView) -> None:
        """Measure a layer of the clean images."""
        raw = {}
        if view.quantizer is None:  # else the quantizer's noise sums hold the norm
            raw["norm"] = norms(view.inputs)
        if self._reference is not None:
            raw["sqnr_db"] = signal_to_noise_db(self._expect(view.name), view.quantized)
        self._raw.keep(view.name, raw)
        self._centred.add(view.name, view.inputs)
        if self._hold:
            self.layers[view.name] = view.copy()

    def end(self, logits: torch.Tensor) -> None:
        """To be called after the pass with the clean logits, (n, classes)."""
        raw = {"norm": norms(logits)}
        if self._reference is not None:
            raw["sqnr_db"] = signal_to_noise_db(self._expected[LOGITS], logits)
        self._raw.keep(LOGITS, raw)
        self._centred.add(LOGITS, logits)
        self._centred.end_batch()
        self.logits = logits

    def values(self) -> dict[str, Values]:
        """By layer, (N,) float64 each: `norm_centred`, and where there are such, `norm` and
        `sqnr_db`."""
        return {
            layer: {**raw, "norm_centred": self._centred.norms(layer).cpu()}
            for layer, raw in self._raw.joined().items()
        }

    def _expect(self, layer: str) -> torch.Tensor:
        if layer not in self._expected:
            raise MeasureError(
                f"the reference network has no layer {layer!r}; it has {', '.join(self._expected)}"
            )
        return self._expected.pop(layer)


def may_be_held(model: nn.Module, images: torch.Tensor, batch_size: int) -> bool:
    """Whether the clean activations of a batch stay within `HELD_BYTES`; a pass of one image."""
    sizes: list[int] = []
    observe(model, images[:1], lambda view: sizes.append(view.nbytes))
    return min(batch_size, len(images)) * sum(sizes) <= HELD_BYTES


def _received(reference: nn.Module, images: torch.Tensor) -> Values:
    """What the linear map of each layer receives, and the logits, on clean images."""
    received: Values = {}

    def keep(view: LayerView) -> None:
        received[view.name] = view.quantized.clone()  # a later operation may work in place

    logits = observe(reference, images, keep)
    return {**received, LOGITS: logits}
