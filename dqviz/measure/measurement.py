"""The state of a measurement of amplification: what the passes add, and what is made of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import nn

from dqviz.measure.activations import LayerView, observe_pairs
from dqviz.measure.clean import CleanMeasurement, Parts, Values
from dqviz.measure.distances import difference_norms, ratio
from dqviz.measure.quantizer_noise import noise_metrics, noise_sums, root_sums
from dqviz.measure.rows import LOGITS


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
    """What has been measured of one perturbation so far: every batch adds some images.

    It keeps raw norms and sums only, since small operations cost as much as large ones; ratios
    are taken once, in `finish`.
    """

    def __init__(self) -> None:
        self._steps: dict[str, float] = {}
        self._raw = Parts()
        self._logits: list[tuple[torch.Tensor, torch.Tensor]] = []

    def see(self, clean: LayerView, perturbed: LayerView) -> None:
        """Measure a layer, the same images clean and perturbed."""
        raw = {"distance_out": difference_norms(clean.outputs, perturbed.outputs)}
        if clean.quantizer is None:
            raw["distance"] = difference_norms(clean.inputs, perturbed.inputs)
        else:
            step = self._steps[clean.name] = float(clean.quantizer.scale)
            raw["noise_sums"] = noise_sums(
                clean.inputs,
                perturbed.inputs,
                clean.quantized,
                perturbed.quantized,
                step=step,
                low=float(clean.quantizer.low),
                high=float(clean.quantizer.high),
            )
        self._raw.keep(clean.name, raw)

    def end(self, clean: torch.Tensor, perturbed: torch.Tensor) -> None:
        """To be called after the pass with the logits, (n, classes) twice."""
        self._raw.keep(LOGITS, {"distance": difference_norms(clean, perturbed)})
        self._logits.append((clean, perturbed))

    def add_frozen(self, distances: Iterable[tuple[str, Values]]) -> None:
        """Distances at the logits with frozen codes of the images just measured: for each metric
        (n,) by the layer that is frozen, `logits` for all of them."""
        for metric, by_layer in distances:
            for layer, distance in by_layer.items():
                self._raw.keep(layer, {metric: distance})

    def finish(self, clean_values: Mapping[str, Values]) -> Profile:
        """Everything joined and put in relation: to the clean norm, the mean, the first layer.

        Args:
            clean_values: what `CleanMeasurement.values` gave.
        """
        raw = {layer: {**clean_values[layer], **own} for layer, own in self._raw.joined().items()}
        layers = tuple(raw)
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
        metrics["relative_distance"] = ratio(distance, norm)
        metrics["relative_distance_centred"] = ratio(distance, raw.pop("norm_centred"))
        return metrics | raw


def measured_passes(
    model: nn.Module,
    images: torch.Tensor,
    adversarial: Sequence[torch.Tensor],
    clean: CleanMeasurement,
    measurements: Sequence[Measurement],
) -> Iterator[int]:
    """The passes of a batch, two versions of its images in each: clean ones and a perturbation's,
    then perturbations two by two, the last beside the clean ones if it has no other.

    A pass takes as many images whoever stands beside whom, since how the sums of a convolution are
    taken, and so their last bits, depends on how many there are.

    Yields:
        After each pass, how many perturbed images were measured in it.
    """
    versions = [images, *adversarial]
    clean.begin(images)
    for place in range(0, len(versions), 2):
        pair = (place, place + 1) if place + 1 < len(versions) else (0, place)

        def visit(view: LayerView, pair: tuple[int, int] = pair, first: bool = place == 0) -> None:
            halves = view.halves()
            compared = halves[0] if first else clean.layers[view.name]
            for member, half in zip(pair, halves, strict=True):
                if member > 0:
                    measurements[member - 1].see(compared, half)
            if first:
                clean.see(compared)

        logits = observe_pairs(model, versions[pair[0]], versions[pair[1]], visit)
        if place == 0:
            clean.end(logits[0])
        perturbed = [(m, own) for m, own in zip(pair, logits, strict=True) if m > 0]
        for member, own in perturbed:
            measurements[member - 1].end(clean.logits, own)
        yield len(images) * len(perturbed)
