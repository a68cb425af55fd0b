"""How a perturbation grows through a network, for every epsilon, beside its matched controls."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from dqviz.attacks import craft, matched_control
from dqviz.measure import (
    Profile,
    Row,
    failure_prediction,
    freeze_codes,
    measure_profile,
    profile_rows,
    wilson,
)
from dqviz.measure.rows import NETWORK
from dqviz.specs import CONTROLS, FULL_PRECISION, ExperimentSpec

from .findings import Findings, proportion_rows
from .setting import Setting, add_notes, prepare
from .steps import Steps
from .workbench import Measured, Workbench

DISTANCE = "relative_distance"
SQNR = "sqnr_db"
"""It compares clean activations with full precision, so it is the same for every perturbation."""


def measure(spec: ExperimentSpec, bench: Workbench, steps: Steps) -> Findings:
    """Rows by layer for the attack and, if asked, each control, at every epsilon.

    With `details` the contribution of bucket flips is measured for the attack, with the codes of
    all layers frozen and one layer at a time, and under an attack crafted on the frozen network.
    """
    loading, crafting, measuring, judging = steps.split([1, 2, 6, 1])
    setting = prepare(spec, bench, loading)
    found = Findings()
    add_notes(found, setting)
    attacked = setting.crafted(crafting)
    names = (spec.attack.name, *(CONTROLS if spec.controls else ()))
    parts = iter(measuring.split([_cost(spec, name) for _ in attacked for name in names]))
    for epsilon, adversarial in attacked.items():
        for name in names:
            measured = _remembered(setting, name, epsilon, adversarial, next(parts))
            found.add(measured.rows, attack=name, epsilon=epsilon)
            at = {"attack": name, "epsilon": epsilon}
            found.samples += [{**numbers, **at} for numbers in measured.samples]
            if measured.reason is not None and name == spec.attack.name:
                found.note_at(epsilon, measured.reason)
    clean = next(row["value"] for row in found.rows if row["metric"] == "clean_accuracy")
    found.columns.update(setting.accuracy_columns(judging, clean=clean))
    return found


def _remembered(
    setting: Setting, name: str, epsilon: float, adversarial: torch.Tensor, steps: Steps
) -> Measured:
    """What one perturbation gives.

    It does not depend on what else was asked for, so it is kept for the next experiment.
    """
    spec, bench = setting.spec, setting.bench
    attack = dataclasses.replace(spec.attack, epsilons=(epsilon,))
    clean = (setting.subject.key, setting.images_spec, spec.batch_size)
    key = (clean, setting.source.key, attack, name, _follows_flips(spec, name))

    def compute() -> Measured:
        images = _perturbed(setting, name, adversarial)
        profile = _profile(
            setting, name, epsilon, images, steps, with_sqnr=clean not in bench.sqnr_rows
        )
        rows = profile_rows(profile)
        bench.sqnr_rows.get(clean, lambda: [row for row in rows if row.metric == SQNR])
        prediction = failure_prediction(profile)
        rows = [row for row in rows if row.metric != SQNR]
        rows += accuracy_rows(setting, profile) + prediction.rows
        samples = [_last_distances(profile), *_correct_by_image(setting, profile)]
        return Measured(rows, samples, prediction.reason)

    measured = bench.measured.get(key, compute)
    sqnr = bench.sqnr_rows.get(clean, lambda: _sqnr_rows(setting, steps))
    return measured._replace(rows=measured.rows + sqnr)


def _last_distances(profile: Profile) -> dict[str, Any]:
    """The relative distance of every image at the last layer's input."""
    last = profile.layers[-2]
    distances = profile.values[last][DISTANCE].numpy()
    return {"layer": last, "metric": DISTANCE, "value": distances}


def _correct_by_image(setting: Setting, profile: Profile) -> list[dict[str, Any]]:
    """Whether every image is classified correctly, clean and perturbed: 1 or 0."""
    labels = setting.data.labels
    logits = {"clean_accuracy": profile.clean_logits, "robust_accuracy": profile.adversarial_logits}
    right = {metric: found.argmax(dim=1) == labels for metric, found in logits.items()}
    return [
        {"layer": NETWORK, "metric": metric, "value": correct.float().numpy()}
        for metric, correct in right.items()
    ]


def _sqnr_rows(setting: Setting, steps: Steps) -> list[Row]:
    """The rows that need the network at full precision and no perturbation."""
    clean = setting.data.images
    name, epsilon = setting.spec.attack.name, 0.0
    profile = _profile(setting, name, epsilon, clean, steps, with_sqnr=True, follow_flips=False)
    return [row for row in profile_rows(profile) if row.metric == SQNR]


def _follows_flips(spec: ExperimentSpec, name: str) -> bool:
    return spec.details and name not in CONTROLS and spec.quant.act_bits < FULL_PRECISION


def _cost(spec: ExperimentSpec, name: str) -> float:
    return 10.0 if _follows_flips(spec, name) else 1.0


def _perturbed(setting: Setting, name: str, adversarial: torch.Tensor) -> torch.Tensor:
    """The attack's images, or a control's whose perturbation is as long, image by image."""
    if name not in CONTROLS:
        return adversarial
    generator = torch.Generator().manual_seed(setting.spec.attack.seed)
    return matched_control(name, setting.data.images, adversarial, generator=generator)


def _profile(
    setting: Setting,
    name: str,
    epsilon: float,
    adversarial: torch.Tensor,
    steps: Steps,
    *,
    with_sqnr: bool,
    follow_flips: bool | None = None,
) -> Profile:
    spec = setting.spec
    if follow_flips is None:
        follow_flips = _follows_flips(spec, name)
    crafting, measuring = steps.split([4 if follow_flips else 0, 6])
    return measure_profile(
        setting.subject.network,
        setting.data.images,
        adversarial,
        reference=setting.full.network if with_sqnr else None,
        batch_size=spec.batch_size,
        flips="layers" if follow_flips else "rate",
        adversarial_frozen=_craft_on_frozen(setting, epsilon, crafting) if follow_flips else None,
        progress=measuring.counter(f"{name} at {epsilon * 255:.4g}/255, layer by layer"),
    )


def _craft_on_frozen(setting: Setting, epsilon: float, steps: Steps) -> torch.Tensor:
    """The same attack on the network whose codes are frozen at the clean images, (N, C, H, W)."""
    spec, data = setting.spec, setting.data
    attack = dataclasses.replace(spec.attack, epsilons=(epsilon,))
    parts = []
    starts = range(0, len(data), spec.batch_size)
    for start, part in zip(starts, steps.split([1] * len(starts)), strict=True):
        images = data.images[start : start + spec.batch_size]
        labels = data.labels[start : start + spec.batch_size]
        frozen = freeze_codes(setting.subject.network, images)
        counter = part.counter("crafting on the network with frozen codes")
        parts.append(craft(frozen, images, labels, attack, progress=counter)[epsilon])
    return torch.cat(parts)


def accuracy_rows(setting: Setting, profile: Profile) -> list[Row]:
    """Clean and robust accuracy on the final iterate, which no early stopping made smaller."""
    labels = setting.data.labels
    before, after = (
        logits.argmax(dim=1) for logits in (profile.clean_logits, profile.adversarial_logits)
    )
    n = len(labels)
    rows = proportion_rows("clean_accuracy", wilson(int((before == labels).sum()), n))
    rows += proportion_rows("robust_accuracy", wilson(int((after == labels).sum()), n))
    return rows
