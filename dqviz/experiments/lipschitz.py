"""Lipschitz constants by layer, and with `details` what needs images, and the network's bounds.

Only the measured gains, and one of the network's two lower bounds, depend on the perturbation. The
rest is remembered without it, so that another epsilon costs an attack and two forward passes.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Mapping

import torch

from dqviz.measure.lipschitz import layer_norms, measured_gain
from dqviz.measure.network_bounds import NetworkLipschitz, largest_ratio, network_lipschitz
from dqviz.measure.rows import Row
from dqviz.models import model_info
from dqviz.specs import FULL_PRECISION, Craft, DataSpec, ExperimentSpec, QuantSpec

from .findings import Findings
from .setting import Setting, add_notes, prepare
from .steps import Steps
from .workbench import Workbench

CHANNELS = 3


def measure(spec: ExperimentSpec, bench: Workbench, steps: Steps) -> Findings:
    """Rows by layer of the weights really used; with `details` measured gains and the network's.

    BatchNorm stays where it is, so that the kernel's own numbers and those with BatchNorm folded in
    stand side by side; quantizing each output channel by itself commutes with folding. The
    network's bounds are those at full precision: a network that rounds has no finite constant.
    Gains are measured at every epsilon; the network's lower bound is the largest that any of them
    gives, so it has no epsilon. Without `details` no image is loaded.
    """
    spec = dataclasses.replace(spec, quant=dataclasses.replace(spec.quant, fold_batchnorm=False))
    if spec.details:
        return _with_images(spec, bench, steps)
    found = Findings(columns={"n_samples": None, "data": None, "calibration": "none"})
    found.columns["crafted_on"] = None
    norms = _norms(spec, bench, steps)
    found.add(norms)
    network = _bounds(spec, bench, norms, None, steps)
    found.add(row for row in network.rows if row.statistic == "upper")
    _add_reasons(found, spec, {k: v for k, v in network.reasons.items() if k == "upper"})
    return found


def _with_images(spec: ExperimentSpec, bench: Workbench, steps: Steps) -> Findings:
    loading, judging, by_layer, crafting, measuring, bounding = steps.split([1, 1, 3, 2, 1, 3])
    setting = prepare(spec, bench, loading)
    found = Findings(columns={**setting.accuracy_columns(judging)})
    add_notes(found, setting)
    norms = _norms(spec, bench, by_layer)
    found.add(norms)
    crafted = setting.crafted(crafting)
    parts = measuring.split([1] * len(crafted))
    for (epsilon, adversarial), part in zip(crafted.items(), parts, strict=True):
        rows = _gains(setting, epsilon, adversarial, part)
        found.add(rows, attack=spec.attack.name, epsilon=epsilon)
    network = _bounds(spec, bench, norms, setting.images_spec, bounding)
    found.add(_raised(row, setting, crafted) for row in network.rows)
    _add_reasons(found, spec, network.reasons)
    return found


def _norms(spec: ExperimentSpec, bench: Workbench, steps: Steps) -> list[Row]:
    """The rows that the weights alone give, by the bits of the weights and the images' size."""
    bits = {name: getattr(spec.quant, name) for name in ("weight_bits", "first_bits", "last_bits")}
    craft = Craft(model=spec.model, quant=QuantSpec(**bits, fold_batchnorm=False))
    size = _image_size(spec)

    def compute() -> list[Row]:
        network = bench.subject(craft, None, spec.data, steps).network
        counter = steps.counter("norms layer by layer")
        return layer_norms(network, (CHANNELS, size, size), progress=counter)

    return bench.norm_rows.get((craft, size), compute)


def _gains(setting: Setting, epsilon: float, adversarial: torch.Tensor, steps: Steps) -> list[Row]:
    def compute() -> list[Row]:
        return measured_gain(
            setting.subject.network,
            setting.data.images,
            adversarial,
            batch_size=setting.spec.batch_size,
            progress=steps.counter("measured gains"),
        )

    return setting.bench.gain_rows.get((setting.subject.key, *_attacked(setting, epsilon)), compute)


def _bounds(
    spec: ExperimentSpec,
    bench: Workbench,
    norms: list[Row],
    images_spec: DataSpec | None,
    steps: Steps,
) -> NetworkLipschitz:
    """The network's bounds before any attack, the lower one by the Jacobian at clean images."""
    # The layers' norms help where they are those of the network at full precision.
    known = norms if spec.quant.weight_bits == FULL_PRECISION else None
    size = _image_size(spec)

    def compute() -> NetworkLipschitz:
        steps.at(0.0, "bounds of the network")
        return network_lipschitz(
            bench.network(spec.model),
            (CHANNELS, size, size),
            images=None if images_spec is None else bench.data(images_spec, steps).images,
            norms_by_layer=known,
            batch_size=spec.batch_size,
            progress=steps.counter("bounds of the network"),
        )

    return bench.bounds.get(
        (spec.model, size, images_spec, spec.batch_size, known is None), compute
    )


def _raised(row: Row, setting: Setting, crafted: Mapping[float, torch.Tensor]) -> Row:
    """The row of the lower bound with the largest ratio under attack, if larger; others as is."""
    if (row.metric, row.statistic) != ("lipschitz", "lower") or math.isnan(row.value):
        return row
    ratios = [_ratio(setting, epsilon, images) for epsilon, images in crafted.items()]
    return row._replace(value=max(row.value, *ratios))


def _ratio(setting: Setting, epsilon: float, adversarial: torch.Tensor) -> float:
    """The largest ||f(x') - f(x)|| / ||x' - x|| of the network at full precision."""
    spec, bench = setting.spec, setting.bench
    key = (spec.model, *_attacked(setting, epsilon))

    def compute() -> float:
        network, images = bench.network(spec.model), setting.data.images
        return largest_ratio(network, images, adversarial, spec.batch_size)

    return bench.ratios.get(key, compute)


def _attacked(setting: Setting, epsilon: float) -> tuple[Hashable, ...]:
    """Names the images and their perturbation at one epsilon, whatever else is asked for."""
    attack = dataclasses.replace(setting.spec.attack, epsilons=(epsilon,))
    return (setting.source.key, setting.images_spec, attack, setting.spec.batch_size)


def _image_size(spec: ExperimentSpec) -> int:
    return spec.data.image_size or model_info(spec.model).image_size


def _add_reasons(found: Findings, spec: ExperimentSpec, reasons: Mapping[str, str]) -> None:
    found.reasons.update(reasons)
    found.notes += [
        f"The {which} Lipschitz bound of {spec.model.label}: none, since {reason}."
        for which, reason in reasons.items()
    ]
