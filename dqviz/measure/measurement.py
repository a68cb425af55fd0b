"""The state of a measurement of amplification: what the passes add, and what is made of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import torch
from torch import nn

from dqviz.measure.activations import LayerView, halves, observe, observe_pairs
from dqviz.measure.centring import CentredNorms
from dqviz.measure.distances import (
    difference_norms,
    norms,
    ratio,
    signal_to_noise_db,
)
from dqviz.measure.errors import MeasureError
from dqviz.measure.flips import frozen_distances
from dqviz.measure.quantizer_noise import noise_metrics, noise_sums, root_sums
from dqviz.measure.rows import LOGITS

Values = dict[str, torch.Tensor]


@dataclasses.dataclass(frozen=True)
class Profile:
    """Every metric of every layer and sample.

    `layers` are in the order of execution, `logits` last. `values[layer][metric]` is (N,) float64
    on the processor; a layer has the metrics that make sense for it. The logits are (N, classes).
    """

    layers: tuple[str, ...]
    values: dict[str, Values]
    clean_logits: torch.Tensor
    adversarial_logits: torch.Tensor


class Measurement:
    """What has been measured so far: every pass adds some images.

    Passes keep raw norms and sums only, since small operations cost as much as large ones; ratios
    are taken once, in `finish`.
    """

    def __init__(
        self, model: nn.Module, reference: nn.Module | None, centred: CentredNorms
    ) -> None:
        self._model = model
        self._reference = reference
        self._centred = centred
        self._layers: list[str] = []
        self._steps: dict[str, float] = {}
        self._raw: dict[str, dict[str, list[torch.Tensor]]] = {}
        self._logits: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._expected: Values = {}

    def add(self, images: torch.Tensor, adversarial: torch.Tensor) -> torch.Tensor:
        """Measure the next images, (n, C, H, W) twice; returns their clean logits."""
        if self._reference is not None:
            self._expected = _received(self._reference, images)
        clean, perturbed = observe_pairs(self._model, images, adversarial, self._visit)
        raw = {"norm": norms(clean), "distance": difference_norms(clean, perturbed)}
        if self._reference is not None:
            raw["sqnr_db"] = signal_to_noise_db(self._expected[LOGITS], clean)
        self._keep(LOGITS, raw)
        self._centred.add(LOGITS, clean)
        self._centred.end_batch()
        self._logits.append((clean, perturbed))
        return clean

    def add_frozen(
        self,
        images: torch.Tensor,
        adversarial: torch.Tensor,
        adversarial_frozen: torch.Tensor | None,
        clean_logits: torch.Tensor,
        *,
        by_layer: bool,
        cancel: Callable[[], None],
    ) -> None:
        """Add the runs with frozen codes of the images just measured."""
        frozen = frozen_distances(
            self._model, images, adversarial, clean_logits, by_layer=by_layer, cancel=cancel
        )
        for layer, distance in frozen.items():
            self._keep(layer, {"logit_distance_frozen": distance})
        if adversarial_frozen is not None and frozen:
            own = frozen_distances(
                self._model, images, adversarial_frozen, clean_logits, by_layer=False, cancel=cancel
            )
            self._keep(LOGITS, {"logit_distance_frozen_crafted": own[LOGITS]})

    def finish(self) -> Profile:
        """Everything joined and put in relation: to the clean norm, the mean, the first layer."""
        layers = (*self._layers, LOGITS)
        raw = {
            layer: {name: torch.cat(parts).cpu() for name, parts in self._raw[layer].items()}
            for layer in layers
        }
        noise = self._noise_metrics(raw)
        values = {
            layer: self._layer_values(layer, raw[layer], noise.get(layer, {})) for layer in layers
        }
        first, real = values[layers[0]], values[LOGITS]["relative_distance"]
        for metrics in values.values():
            for suffix in ("", "_centred"):
                distance = f"relative_distance{suffix}"
                metrics[f"amplification{suffix}"] = ratio(metrics[distance], first[distance])
            for suffix in ("", "_crafted"):
                frozen = metrics.get(f"logit_distance_frozen{suffix}")
                if frozen is not None:
                    metrics[f"flip_contribution{suffix}"] = real - frozen
        clean, perturbed = (torch.cat(part).cpu() for part in zip(*self._logits, strict=True))
        return Profile(layers, values, clean, perturbed)

    def _visit(self, view: LayerView) -> None:
        if view.name not in self._raw:
            self._layers.append(view.name)
        clean, perturbed = halves(view.inputs)
        raw = {"distance_out": difference_norms(*halves(view.outputs))}
        if view.quantizer is None:
            raw |= {"norm": norms(clean), "distance": difference_norms(clean, perturbed)}
        else:
            step = self._steps[view.name] = float(view.quantizer.scale)
            raw["noise_sums"] = noise_sums(
                clean,
                perturbed,
                *halves(view.quantized),
                step=step,
                low=float(view.quantizer.low),
                high=float(view.quantizer.high),
            )
        if self._reference is not None:
            received = halves(view.quantized)[0]
            raw["sqnr_db"] = signal_to_noise_db(self._expect(view.name), received)
        self._keep(view.name, raw)
        self._centred.add(view.name, clean)

    def _expect(self, layer: str) -> torch.Tensor:
        if layer not in self._expected:
            raise MeasureError(
                f"the reference network has no layer {layer!r}; it has {', '.join(self._expected)}"
            )
        return self._expected.pop(layer)

    def _keep(self, layer: str, raw: Values) -> None:
        parts = self._raw.setdefault(layer, {})
        for name, values in raw.items():
            parts.setdefault(name, []).append(values)

    def _noise_metrics(self, raw: Mapping[str, Values]) -> dict[str, Values]:
        """The quantizers' metrics by layer, computed for all layers at once."""
        sums = {layer: parts["noise_sums"] for layer, parts in raw.items() if "noise_sums" in parts}
        if not sums:
            return {}
        steps = torch.cat([torch.full((len(sums[layer]), 1), self._steps[layer]) for layer in sums])
        metrics = noise_metrics(torch.cat(list(sums.values())), step=steps.double())
        by_layer = {name: column.chunk(len(sums)) for name, column in metrics.items()}
        return {
            layer: {name: columns[i] for name, columns in by_layer.items()}
            for i, layer in enumerate(sums)
        }

    def _layer_values(self, layer: str, raw: Values, noise: Values) -> Values:
        """What needs no other layer."""
        if "noise_sums" in raw:
            sums = raw.pop("noise_sums")
            norm, distance, received = (
                root_sums(sums, name) for name in ("clean_square", "in_square", "out_square")
            )
        else:
            norm, distance = raw.pop("norm"), raw.pop("distance")
            received = distance
        metrics = dict(noise)
        if "distance_out" in raw:
            metrics["linear_gain"] = ratio(raw.pop("distance_out"), received)
        centred = self._centred.norms(layer).cpu()
        metrics["relative_distance"] = ratio(distance, norm)
        metrics["relative_distance_centred"] = ratio(distance, centred)
        return metrics | raw


def _received(reference: nn.Module, images: torch.Tensor) -> Values:
    """What the linear map of each layer receives, and the logits, on clean images."""
    received: Values = {}

    def keep(view: LayerView) -> None:
        received[view.name] = view.quantized.clone()  # a later operation may work in place

    logits = observe(reference, images, keep)
    return {**received, LOGITS: logits}
