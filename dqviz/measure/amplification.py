"""How a perturbation grows through a network: distances and quantizer noise by layer and sample.

Measured at the input of every convolution and linear layer, before its quantizer, and at the
logits. See `distances` and `quantizer_noise` for the definitions and their units, `flips` for the
frozen codes. Lin, Gan, Han: *Defensive Quantization*, https://arxiv.org/abs/1904.08444, for the
question.
"""

from __future__ import annotations

import functools

import torch
from torch import nn

from dqviz.measure.activations import Progress, require_pairs
from dqviz.measure.centring import CentredNorms, activation_means
from dqviz.measure.errors import MeasureError
from dqviz.measure.measurement import Measurement, Profile
from dqviz.measure.rows import Row
from dqviz.measure.summaries import summaries

FLIPS = ("rate", "all", "layers")
"""How far bucket flips are followed: their rate; their contribution with the codes of all layers
frozen (two forward passes more); and one layer at a time as well (a pass a layer more)."""


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
        batch_size: pairs of images a step; a forward pass takes both versions of each. The result
            depends on it only by rounding.
        flips: one of `FLIPS`.
        adversarial_frozen: the same shape as `images`, with `flips` other than `rate`.
        progress: called between passes with images done and images in all; may raise to cancel.

    Raises:
        MeasureError: if shapes, options or the reference's layers do not fit.
    """
    require_pairs(images, adversarial)
    if flips not in FLIPS:
        raise MeasureError(f"flips must be one of {', '.join(FLIPS)}; got {flips!r}")
    if adversarial_frozen is not None:
        require_pairs(images, adversarial_frozen)
        if flips == "rate":
            raise MeasureError("adversarial_frozen needs flips='all' or 'layers'; got 'rate'")
    if batch_size < 1:
        raise MeasureError(f"batch_size must be at least 1; got {batch_size}")
    report = progress or (lambda done, total: None)
    total = len(images)

    def means() -> dict[str, torch.Tensor]:
        return activation_means(
            model, images, batch_size=batch_size, progress=lambda _, total: report(0, total)
        )

    measurement = Measurement(model, reference, CentredNorms(total, means))
    for start in range(0, total, batch_size):
        part = slice(start, start + batch_size)
        clean_logits = measurement.add(images[part], adversarial[part])
        if flips != "rate":
            measurement.add_frozen(
                images[part],
                adversarial[part],
                None if adversarial_frozen is None else adversarial_frozen[part],
                clean_logits,
                by_layer=flips == "layers",
                cancel=functools.partial(report, start, total),
            )
        report(min(start + batch_size, total), total)
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
