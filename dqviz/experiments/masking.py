"""The checks of an attack's result: is it the network that withstands, or does the attack fail?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from dqviz.attacks import craft
from dqviz.attacks.arithmetic import threads_of
from dqviz.measure.accuracy import wilson
from dqviz.measure.masking import Crafter, Diagnosis, diagnose
from dqviz.measure.masking_rules import MARKS, Check
from dqviz.measure.rows import NETWORK, Row, value_rows
from dqviz.specs import FULL_PRECISION, Craft, ExperimentSpec, QuantSpec

from .arithmetic import arithmetic_for
from .findings import Findings, proportion_rows
from .setting import Setting, add_notes, prepare
from .steps import Steps
from .workbench import Subject, Workbench

SURVIVAL = "survival"
"""The metric of the accuracies that the variants of the attack leave, on the images that are
classified correctly unattacked; the column `variant` names them."""

ALTERNATIVES = ("identity", "clipped", "unquantized")
"""The gradients through quantizers that the attack's own is compared with."""

OTHER_BITS = QuantSpec(weight_bits=8, act_bits=4)
"""A network at full precision is compared with perturbations crafted on itself at these bits."""


def measure(spec: ExperimentSpec, bench: Workbench, steps: Steps) -> Findings:
    """Rows of every check, and of the accuracy that every variant of the attack leaves.

    The metric of a check is its name, its statistics `value`, `low`, `high` (a difference of
    accuracies on the same images, or a share of images, with its 95 % interval), `limit`, up to
    which it is tolerated, `count` of images, and `mark`, the place in `MARKS`. The column `other`
    says what the attack was compared with. Only the first epsilon counts.
    """
    loading, judging, diagnosing = steps.split([1, 1, 20])
    setting = prepare(spec, bench, loading)
    found = Findings(columns=dict(setting.accuracy_columns(judging)), extra=("variant", "other"))
    add_notes(found, setting)
    attack = dataclasses.replace(spec.attack, epsilons=spec.attack.epsilons[:1])
    preparing, running = diagnosing.split([1, 20])
    estimators, sources = _estimators(setting, preparing), _sources(setting, preparing)
    result = diagnose(
        setting.subject.attacked,
        setting.data.images,
        setting.data.labels,
        attack=attack,
        estimators={name: other.attacked for name, other in estimators.items()},
        sources={name: other.attacked for name, other in sources.items()},
        batch_size=spec.batch_size,
        crafter=_crafter(setting, [setting.subject, *estimators.values(), *sources.values()]),
        progress=running.at,
    )
    where = {"attack": attack.name, "epsilon": attack.epsilons[0]}
    for check in result.checks:
        found.add(_check_rows(check), **where, other=check.other, variant="")
    for variant, rows in _survivals(result).items():
        found.add(rows, **where, variant=variant, other="")
    return found


def _crafter(setting: Setting, subjects: Sequence[Subject]) -> Crafter:
    """How a variant of the attack is run: with gradients in the arithmetic that was asked for."""
    known = {id(subject.attacked): subject for subject in subjects}

    def run(victim: nn.Module, *arguments: Any, **more: Any) -> dict[float, torch.Tensor]:
        subject = known[id(victim)]
        fast = setting.spec.fast
        copy = setting.bench.gradients_of(subject, fast=fast)
        with threads_of(arithmetic_for(subject.key[0], fast=fast)):
            return craft(victim, *arguments, gradients_of=copy, **more)

    return run


def _check_rows(check: Check) -> list[Row]:
    parts = {
        **{name: getattr(check, name) for name in ("value", "low", "high", "limit", "count")},
        "mark": MARKS.index(check.mark),
    }
    return value_rows(NETWORK, -1, check.name, parts.items())


def _survivals(result: Diagnosis) -> Mapping[str, list[Row]]:
    return {
        name: proportion_rows(SURVIVAL, wilson(int(stands.sum()), len(stands)))
        for name, stands in result.outcomes.items()
        if len(stands)
    }


def _estimators(setting: Setting, steps: Steps) -> dict[str, Subject]:
    """The network with other gradients through its quantizers; none where it has no quantizer."""
    quant = setting.spec.quant
    if quant.act_bits == FULL_PRECISION:
        return {}
    others = [name for name in ALTERNATIVES if name != quant.estimator]
    return {name: _quantized(setting, steps, estimator=name) for name in others}


def _sources(setting: Setting, steps: Steps) -> dict[str, Subject]:
    """The networks that perturbations are carried over from."""
    if not setting.spec.quant.is_full_precision:
        return {"full precision": setting.full}
    bits = {"weight_bits": OTHER_BITS.weight_bits, "act_bits": OTHER_BITS.act_bits}
    name = f"W{OTHER_BITS.weight_bits} A{OTHER_BITS.act_bits}"
    return {name: _quantized(setting, steps, **bits)}


def _quantized(setting: Setting, steps: Steps, **changes: int | str) -> Subject:
    spec = setting.spec
    quant = dataclasses.replace(spec.quant, **changes)  # type: ignore[arg-type]
    craft_spec = Craft(model=spec.model, quant=quant)
    return setting.bench.subject(craft_spec, spec.calibration, setting.images_spec, steps)
