"""Lipschitz constants by layer, and with `details` what needs images, and the network's bounds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from dqviz.measure.lipschitz import layer_norms, measured_gain
from dqviz.measure.network_bounds import network_lipschitz
from dqviz.measure.rows import Row
from dqviz.models import model_info
from dqviz.specs import FULL_PRECISION, Craft, ExperimentSpec

from .findings import Findings
from .setting import add_notes, prepare
from .steps import Steps
from .workbench import Subject, Workbench

CHANNELS = 3


def measure(spec: ExperimentSpec, bench: Workbench, steps: Steps) -> Findings:
    """Rows by layer of the weights really used; with `details` measured gains and the network's.

    BatchNorm stays where it is, so that the kernel's own numbers and those with BatchNorm folded in
    stand side by side; quantizing each output channel by itself commutes with folding. The
    network's bounds are those at full precision: a network that rounds has no finite constant.
    Without `details` no image is loaded.
    """
    spec = dataclasses.replace(spec, quant=dataclasses.replace(spec.quant, fold_batchnorm=False))
    if spec.details:
        return _with_images(spec, bench, steps)
    found = Findings(columns={"n_samples": None, "data": None, "calibration": "none"})
    found.columns["crafted_on"] = None
    weights_only = dataclasses.replace(spec.quant, act_bits=FULL_PRECISION)
    key = Craft(model=spec.model, quant=weights_only)
    subject = bench.subject(key, None, spec.data, steps.part(0, 0.1))
    norms = _add_norms(found, subject, spec, bench, steps.part(0.1, 1))
    size = _image_size(spec)
    known = _known_norms(spec, norms)
    network = network_lipschitz(
        bench.network(spec.model), (CHANNELS, size, size), norms_by_layer=known
    )
    found.add(row for row in network.rows if row.statistic == "upper")
    _add_reasons(found, {k: v for k, v in network.reasons.items() if k == "upper"})
    return found


def _with_images(spec: ExperimentSpec, bench: Workbench, steps: Steps) -> Findings:
    loading, by_layer, crafting, gains, bounds = steps.split([1, 3, 2, 1, 3])
    setting = prepare(spec, bench, loading)
    found = Findings(columns={**setting.accuracy_columns(loading)})
    add_notes(found, setting)
    norms = _add_norms(found, setting.subject, spec, bench, by_layer)
    epsilon, adversarial = next(iter(setting.crafted(crafting).items()))
    rows = measured_gain(
        setting.subject.network,
        setting.data.images,
        adversarial,
        batch_size=spec.batch_size,
        progress=gains.counter("measured gains"),
    )
    found.add(rows, attack=spec.attack.name, epsilon=epsilon)
    bounds.at(0.0, "bounds of the network")
    height, width = setting.data.images.shape[2:]
    network = network_lipschitz(
        bench.network(spec.model),
        (CHANNELS, height, width),
        images=setting.data.images,
        adversarial=adversarial,
        norms_by_layer=_known_norms(spec, norms),
        batch_size=spec.batch_size,
        progress=bounds.counter("bounds of the network"),
    )
    found.add(network.rows)
    _add_reasons(found, network.reasons)
    return found


def _add_norms(
    found: Findings, subject: Subject, spec: ExperimentSpec, bench: Workbench, steps: Steps
) -> list[Row]:
    size = _image_size(spec)
    counter = steps.counter("norms layer by layer")
    rows = layer_norms(subject.network, (CHANNELS, size, size), progress=counter)
    found.add(rows)
    return rows


def _image_size(spec: ExperimentSpec) -> int:
    return spec.data.image_size or model_info(spec.model).image_size


def _known_norms(spec: ExperimentSpec, norms: list[Row]) -> list[Row] | None:
    """The layers' norms, where they are those of the network at full precision."""
    return norms if spec.quant.weight_bits == FULL_PRECISION else None


def _add_reasons(found: Findings, reasons: Mapping[str, str]) -> None:
    found.notes += [
        f"The network's {which} Lipschitz bound: none, since {reason}."
        for which, reason in reasons.items()
    ]
