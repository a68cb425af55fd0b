"""How a perturbation grows through a network: distances and quantizer noise by layer and sample.

Measured at the input of every convolution and linear layer, before its quantizer, and at the
logits. See `distances` and `quantizer_noise` for the definitions and their units, `flips` for the
frozen codes. Lin, Gan, Han: *Defensive Quantization*, https://arxiv.org/abs/1904.08444, for the
question.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import nn

from dqviz.measure.activations import (
    LayerView,
    Progress,
    halves,
    observe,
    observe_pairs,
    require_pairs,
)
from dqviz.measure.centring import CentredNorms, centred_norms
from dqviz.measure.distances import absolute_sums, norms, ratio, signal_to_noise_db
from dqviz.measure.errors import MeasureError
from dqviz.measure.flips import frozen_distances
from dqviz.measure.quantizer_noise import element_sums, noise_metrics
from dqviz.measure.rows import LOGITS, Row
from dqviz.measure.summaries import summaries

FLIPS = ("rate", "all", "layers")
"""How far bucket flips are followed: their rate; their contribution with the codes of all layers
frozen (two forward passes more); and one layer at a time as well (a pass a layer more)."""


@dataclasses.dataclass(frozen=True)
class Profile:
    """Every metric of every layer and sample.

    `layers` are in the order of execution, `logits` last. `values[layer][metric]` is (N,) float64
    on the processor; a layer has the metrics that make sense for it. The logits are (N, classes).
    """

    layers: tuple[str, ...]
    values: dict[str, dict[str, torch.Tensor]]
    clean_logits: torch.Tensor
    adversarial_logits: torch.Tensor


def amplification(
    model: nn.Module,
    images: torch.Tensor,
    adversarial: torch.Tensor,
    *,
    reference: nn.Module | None = None,
    batch_size: int = 64,
    flips: str = "rate",
    adversarial_frozen: torch.Tensor | None = None,
    progress: Progress | None = None,
) -> list[Row]:
    """The rows of `measure_profile`: mean, median, 10 and 90 % quantiles, and NaN counted."""
    return profile_rows(
        measure_profile(
            model,
            images,
            adversarial,
            reference=reference,
            batch_size=batch_size,
            flips=flips,
            adversarial_frozen=adversarial_frozen,
            progress=progress,
        )
    )


def measure_profile(
    model: nn.Module,
    images: torch.Tensor,
    adversarial: torch.Tensor,
    *,
    reference: nn.Module | None = None,
    batch_size: int = 64,
    flips: str = "rate",
    adversarial_frozen: torch.Tensor | None = None,
    progress: Progress | None = None,
) -> Profile:
    """Measure how the difference of two sets of images goes through a network.

    Every layer and the logits have `relative_distance`, `relative_distance_centred`,
    `amplification` and `amplification_centred` (the distance over that of the first layer's input).
    Layers have `linear_gain`, ||A d|| / ||d|| of their linear map A on the difference d of what it
    receives, after the quantizer. Layers with a quantizer have the metrics of `noise_metrics`.

    `sqnr_db` compares with `reference` on the clean images: what the linear map receives, after
    the quantizer, and the logits. `flip_contribution` is the relative distance at the logits of the
    real run minus that of the run with frozen codes (so above zero where flips enlarge the
    distance), which is itself `logit_distance_frozen`: in the row of a layer with only that layer's
    codes frozen, in the row `logits` with all frozen. `adversarial_frozen`, crafted on
    `freeze_codes(model, images)`, adds `logit_distance_frozen_crafted`, the frozen run under its
    own attack, and `flip_contribution_crafted`, the real run under its own minus that.

    Args:
        model: images in [0, 1] in, logits out; quantized or not, in eval mode.
        images: (N, C, H, W), clean.
        adversarial: the same shape, the perturbed versions of the same images.
        reference: the same network in full precision, with the same layer names.
        batch_size: images a step; each step runs clean and perturbed images as one batch of twice
            as many. The result depends on it only by rounding.
        flips: one of `FLIPS`.
        adversarial_frozen: the same shape as `images`, with `flips` other than `rate`.
        progress: called between steps with images done and images in all; may raise to cancel.

    Raises:
        MeasureError: if shapes, options or the reference's layers do not fit.
    """
    require_pairs(images, adversarial)
    if flips not in FLIPS:
        raise MeasureError(f"flips must be one of {', '.join(FLIPS)}; got {flips!r}")
    if adversarial_frozen is not None:
        require_pairs(images, adversarial_frozen)
    if batch_size < 1:
        raise MeasureError(f"batch_size must be at least 1; got {batch_size}")
    report = progress or (lambda done, total: None)
    centred = centred_norms(model, images, batch_size=batch_size, progress=report)
    measurement = _Measurement(model, reference, centred)
    for start in range(0, len(images), batch_size):
        part = slice(start, start + batch_size)
        clean_logits = measurement.step(images[part], adversarial[part])
        if flips != "rate":

            def cancel(done: int = start) -> None:
                report(done, len(images))

            others = None if adversarial_frozen is None else adversarial_frozen[part]
            measurement.step_frozen(
                images[part],
                adversarial[part],
                others,
                clean_logits,
                by_layer=flips == "layers",
                cancel=cancel,
            )
        report(min(start + batch_size, len(images)), len(images))
    return measurement.finish()


def sample_distances(
    model: nn.Module,
    images: torch.Tensor,
    adversarial: torch.Tensor,
    *,
    metric: str = "relative_distance_centred",
    batch_size: int = 64,
    progress: Progress | None = None,
) -> dict[str, torch.Tensor]:
    """One metric by layer (`logits` last), (N,) float64 each, of the layers that have it.

    Arguments and errors as `measure_profile`; a metric that no layer has is refused.
    """
    profile = measure_profile(model, images, adversarial, batch_size=batch_size, progress=progress)
    measured = {name for metrics in profile.values.values() for name in metrics}
    if metric not in measured:
        raise MeasureError(f"no metric {metric!r} here; expected one of {', '.join(measured)}")
    return {
        layer: profile.values[layer][metric]
        for layer in profile.layers
        if metric in profile.values[layer]
    }


def profile_rows(profile: Profile) -> list[Row]:
    """A profile's rows: each metric of each layer summarised over the samples."""
    names = [
        (layer, depth, metric)
        for depth, layer in enumerate(profile.layers)
        for metric in profile.values[layer]
    ]
    table = torch.stack([profile.values[layer][metric] for layer, _, metric in names])
    return [
        Row(*name, statistic, value)
        for name, statistics in zip(names, summaries(table), strict=True)
        for statistic, value in statistics.items()
    ]


class _Measurement:
    """What has been measured so far: every step adds a batch."""

    def __init__(
        self, model: nn.Module, reference: nn.Module | None, centred: CentredNorms
    ) -> None:
        self.model = model
        self.reference = reference
        self.centred = centred
        self.layers: list[str] = []
        self.parts: dict[str, dict[str, list[torch.Tensor]]] = {}
        self.logits: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.expected: dict[str, torch.Tensor] = {}

    def step(self, images: torch.Tensor, adversarial: torch.Tensor) -> torch.Tensor:
        """Measure a batch; returns its clean logits."""
        if self.reference is not None:
            self.expected = _received(self.reference, images)
        clean, perturbed = observe_pairs(self.model, images, adversarial, self._visit)
        if self.reference is not None:
            self._add(LOGITS, {"sqnr_db": signal_to_noise_db(self.expected[LOGITS], clean)})
        self._add_distances(LOGITS, clean, norms(perturbed - clean), norms(clean))
        self.logits.append((clean, perturbed))
        return clean

    def step_frozen(
        self,
        images: torch.Tensor,
        adversarial: torch.Tensor,
        adversarial_frozen: torch.Tensor | None,
        clean_logits: torch.Tensor,
        *,
        by_layer: bool,
        cancel: Callable[[], None],
    ) -> None:
        """Add the runs with frozen codes to the batch just measured."""
        real = self.parts[LOGITS]["relative_distance"][-1]
        frozen = frozen_distances(
            self.model, images, adversarial, clean_logits, by_layer=by_layer, cancel=cancel
        )
        for layer, distance in frozen.items():
            contribution = real - distance.cpu()
            self._add(layer, {"flip_contribution": contribution, "logit_distance_frozen": distance})
        if adversarial_frozen is not None and frozen:
            own = frozen_distances(
                self.model, images, adversarial_frozen, clean_logits, by_layer=False, cancel=cancel
            )[LOGITS]
            names = ("flip_contribution_crafted", "logit_distance_frozen_crafted")
            self._add(LOGITS, dict(zip(names, (real - own.cpu(), own), strict=True)))

    def finish(self) -> Profile:
        """All batches joined, with what is relative to the first layer or to the mean image."""
        values = {
            layer: {metric: torch.cat(parts) for metric, parts in self.parts[layer].items()}
            for layer in (*self.layers, LOGITS)
        }
        for layer, metrics in values.items():
            spread = self.centred.norms(layer).cpu()
            metrics["relative_distance_centred"] = ratio(metrics.pop("distance"), spread)
        first = values[self.layers[0]]
        for metrics in values.values():
            for suffix in ("", "_centred"):
                distance = f"relative_distance{suffix}"
                metrics[f"amplification{suffix}"] = ratio(metrics[distance], first[distance])
        clean, perturbed = (torch.cat(part).cpu() for part in zip(*self.logits, strict=True))
        return Profile((*self.layers, LOGITS), values, clean, perturbed)

    def _visit(self, view: LayerView) -> None:
        if view.name not in self.parts:
            self.layers.append(view.name)
        clean, perturbed = halves(view.inputs)
        norm = norms(clean)
        outputs = norms(torch.sub(*halves(view.outputs)))
        if view.quantizer is None:
            shift = received = norms(perturbed - clean)
        else:
            noise = _quantizer_noise(view, norm)
            shift = noise["quantizer_noise_in"] * norm
            received = noise["quantizer_noise_out"] * norm
            self._add(view.name, noise)
        self._add(view.name, {"linear_gain": ratio(outputs, received)})
        self._add_distances(view.name, clean, shift, norm)
        if self.reference is not None:
            expected = self._expected(view.name)
            decibel = signal_to_noise_db(expected, halves(view.quantized)[0])
            self._add(view.name, {"sqnr_db": decibel})

    def _expected(self, layer: str) -> torch.Tensor:
        if layer not in self.expected:
            raise MeasureError(
                f"the reference network has no layer {layer!r}; it has {', '.join(self.expected)}"
            )
        return self.expected.pop(layer)

    def _add_distances(
        self, layer: str, clean: torch.Tensor, distance: torch.Tensor, norm: torch.Tensor
    ) -> None:
        self.centred.add(layer, clean)
        self._add(layer, {"relative_distance": ratio(distance, norm), "distance": distance})

    def _add(self, layer: str, metrics: dict[str, torch.Tensor]) -> None:
        parts = self.parts.setdefault(layer, {})
        for metric, values in metrics.items():
            parts.setdefault(metric, []).append(values.cpu())


def _quantizer_noise(view: LayerView, norm: torch.Tensor) -> dict[str, torch.Tensor]:
    assert view.quantizer is not None
    clean, perturbed = halves(view.inputs)
    step = float(view.quantizer.scale)
    sums = element_sums(
        clean,
        perturbed,
        *halves(view.quantized),
        step=step,
        low=float(view.quantizer.low),
        high=float(view.quantizer.high),
    )
    return noise_metrics(sums, step=step, norm=norm, absolute_sum=absolute_sums(clean))


def _received(reference: nn.Module, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """What the linear map of each layer receives, and the logits, on clean images."""
    received: dict[str, torch.Tensor] = {}

    def keep(view: LayerView) -> None:
        received[view.name] = view.quantized.clone()  # a later operation may work in place

    logits = observe(reference, images, keep)
    return {**received, LOGITS: logits}
