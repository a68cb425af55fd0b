"""How a perturbation grows through a network: distances and quantizer noise by layer and sample.

Measured at the input of every convolution and linear layer, before its quantizer, and at the
logits. See `distances` and `quantizer_noise` for the definitions and their units, `flips` for the
frozen codes. Lin, Gan, Han: *Defensive Quantization*, https://arxiv.org/abs/1904.08444, for the
question.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import nn

from dqviz.measure.activations import Progress, require_pairs
from dqviz.measure.centring import CentredNorms, activation_means
from dqviz.measure.clean import CleanMeasurement, Values, may_be_held
from dqviz.measure.errors import MeasureError
from dqviz.measure.flips import frozen_distances
from dqviz.measure.measurement import Measurement, Profile, measured_passes
from dqviz.measure.rows import Row
from dqviz.measure.summaries import summaries

FLIPS = ("rate", "all", "layers")
"""How far bucket flips are followed: their rate; their contribution with the codes of all layers
frozen (two forward passes more); and one layer at a time as well (a pass a layer more)."""

Follow = Callable[[slice, torch.Tensor], Iterable[tuple[str, Values]]]


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
    report = progress or (lambda done, total: None)

    def follow(part: slice, clean_logits: torch.Tensor) -> Iterator[tuple[str, Values]]:
        cancel = functools.partial(report, part.start, len(images))
        run = functools.partial(
            frozen_distances, model, images[part], clean_logits=clean_logits, cancel=cancel
        )
        yield "logit_distance_frozen", run(adversarial[part], by_layer=flips == "layers")
        if adversarial_frozen is not None:
            own = run(adversarial_frozen[part], by_layer=False)
            yield "logit_distance_frozen_crafted", own

    (profile,) = _measure(
        model,
        images,
        [adversarial],
        reference=reference,
        batch_size=batch_size,
        report=report,
        follow=None if flips == "rate" else follow,
    )
    return profile


def measure_profiles(
    model: nn.Module,
    images: torch.Tensor,
    adversarial: Sequence[torch.Tensor],
    *,
    reference: nn.Module | None = None,
    batch_size: int = 64,
    progress: Progress | None = None,
) -> list[Profile]:
    """`measure_profile` of several perturbations of the same images, with `flips` their rate.

    What the clean images give is measured once for all, unless holding it would take too much
    memory. The numbers of each perturbation are bit for bit those that it gives alone.

    Args:
        model: images in [0, 1] in, logits out; quantized or not, in eval mode.
        images: (N, C, H, W), clean.
        adversarial: the perturbed versions of the same images, each of their shape; at least one.
        reference: the same network in full precision, with the same layer names.
        batch_size: pairs of images a step.
        progress: called between passes with perturbed images done and perturbed images in all; may
            raise to cancel.

    Returns:
        One profile a perturbation.

    Raises:
        MeasureError: if shapes, options or the reference's layers do not fit.
    """
    if len(adversarial) == 0:
        raise MeasureError("expected at least one perturbation of the images; got none")
    for perturbed in adversarial:
        require_pairs(images, perturbed)
    report = progress or (lambda done, total: None)
    alone = len(adversarial) > 1 and not may_be_held(model, images, batch_size)
    size = 1 if alone else len(adversarial)
    total = len(images) * len(adversarial)
    profiles: list[Profile] = []

    def count(done: int, _: int) -> None:
        report(len(images) * len(profiles) + done, total)

    for start in range(0, len(adversarial), size):
        profiles += _measure(
            model,
            images,
            adversarial[start : start + size],
            reference=reference,
            batch_size=batch_size,
            report=count,
        )
    return profiles


def _measure(
    model: nn.Module,
    images: torch.Tensor,
    adversarial: Sequence[torch.Tensor],
    *,
    reference: nn.Module | None,
    batch_size: int,
    report: Progress,
    follow: Follow | None = None,
) -> list[Profile]:
    """The profiles of perturbations that share what the clean images give."""
    if batch_size < 1:
        raise MeasureError(f"batch_size must be at least 1; got {batch_size}")
    total = len(images) * len(adversarial)

    def means() -> dict[str, torch.Tensor]:
        return activation_means(
            model, images, batch_size=batch_size, progress=lambda _, __: report(0, total)
        )

    centred = CentredNorms(len(images), means)
    clean = CleanMeasurement(reference, centred, hold=len(adversarial) > 1)
    measurements = [Measurement() for _ in adversarial]
    done = 0
    for start in range(0, len(images), batch_size):
        part = slice(start, start + batch_size)
        batch = [perturbed[part] for perturbed in adversarial]
        for passed in measured_passes(model, images[part], batch, clean, measurements):
            if follow is not None:
                measurements[0].add_frozen(follow(part, clean.logits))
            done += passed
            report(done, total)
    values = clean.values()
    return [measurement.finish(values) for measurement in measurements]


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
