"""How a perturbation grows through a network, for every epsilon, beside its matched controls."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from dqviz.attacks import craft, matched_control
from dqviz.measure import (
    Profile,
    Row,
    failure_prediction,
    freeze_codes,
    measure_profile,
    measure_profiles,
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

PERTURBED_BYTES = 256 * 2**20
"""How much the images of perturbations that are measured together may take."""


class Perturbation(NamedTuple):
    """An attack's or a control's images at one epsilon (pixel units)."""

    attack: str
    epsilon: float


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
    wanted = [Perturbation(name, epsilon) for epsilon in attacked for name in names]
    for at, measured in _measured(setting, wanted, attacked, measuring).items():
        found.add(measured.rows, **at._asdict())
        found.samples += [{**numbers, **at._asdict()} for numbers in measured.samples]
        if measured.reason is not None and at.attack == spec.attack.name:
            found.note_at(at.epsilon, measured.reason)
    clean = next(row["value"] for row in found.rows if row["metric"] == "clean_accuracy")
    found.columns.update(setting.accuracy_columns(judging, clean=clean))
    return found


def _measured(
    setting: Setting,
    wanted: Sequence[Perturbation],
    attacked: Mapping[float, torch.Tensor],
    steps: Steps,
) -> dict[Perturbation, Measured]:
    """What each perturbation gives.

    It does not depend on what else was asked for, so it is kept for the next experiment.
    """
    bench = setting.bench
    measuring, comparing = steps.split([8, 1])
    found = {at: bench.measured.peek(_key(setting, at)) for at in wanted}
    parts = _parts(setting, [at for at in wanted if found[at] is None])
    costs = [sum(_cost(setting.spec, at) for at in part) for part in parts]
    for part, own in zip(parts, measuring.split(costs), strict=True):
        for at, measured in zip(part, _measure(setting, part, attacked, own), strict=True):
            found[at] = bench.measured.put(_key(setting, at), measured)
    sqnr = bench.sqnr_rows.get(_clean_key(setting), lambda: _sqnr_rows(setting, comparing))
    return {at: m._replace(rows=m.rows + sqnr) for at, m in found.items() if m is not None}


def _parts(setting: Setting, wanted: Sequence[Perturbation]) -> list[list[Perturbation]]:
    """Which perturbations are measured together, so that the clean images are measured once.

    Those whose flips are followed take many passes of their own, so each is kept by itself as soon
    as it is finished.
    """
    alone = [at for at in wanted if _follows_flips(setting.spec, at)]
    others = [at for at in wanted if at not in alone]
    size = max(1, PERTURBED_BYTES // setting.data.images.nbytes)
    together = [others[start : start + size] for start in range(0, len(others), size)]
    return [*([at] for at in alone), *together]


def _measure(
    setting: Setting,
    part: Sequence[Perturbation],
    attacked: Mapping[float, torch.Tensor],
    steps: Steps,
) -> list[Measured]:
    """What perturbations give that are measured together, each as it would alone."""
    bench, clean = setting.bench, _clean_key(setting)
    images = [_perturbed(setting, at, attacked[at.epsilon]) for at in part]
    profiles = _profiles(setting, part, images, steps, with_sqnr=clean not in bench.sqnr_rows)
    bench.sqnr_rows.get(clean, lambda: _rows_of_sqnr(profiles[0]))
    return [_judged(setting, profile) for profile in profiles]


def _judged(setting: Setting, profile: Profile) -> Measured:
    rows = [row for row in profile_rows(profile) if row.metric != SQNR]
    prediction = failure_prediction(profile)
    rows += accuracy_rows(setting, profile) + prediction.rows
    samples = [_last_distances(profile), *_correct_by_image(setting, profile)]
    return Measured(rows, samples, prediction.reason)


def _clean_key(setting: Setting) -> Hashable:
    """Names the network and the images, whatever perturbs them."""
    return (setting.subject.key, setting.images_spec, setting.spec.batch_size)


def _key(setting: Setting, at: Perturbation) -> Hashable:
    spec = setting.spec
    attack = dataclasses.replace(spec.attack, epsilons=(at.epsilon,))
    follows = _follows_flips(spec, at)
    return (_clean_key(setting), setting.source.key, attack, at.attack, follows)


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
    at = Perturbation(CONTROLS[0], 0.0)  # of no length, and its flips are not followed
    (profile,) = _profiles(setting, [at], [clean], steps, with_sqnr=True)
    return _rows_of_sqnr(profile)


def _rows_of_sqnr(profile: Profile) -> list[Row]:
    return [row for row in profile_rows(profile) if row.metric == SQNR]


def _follows_flips(spec: ExperimentSpec, at: Perturbation) -> bool:
    return spec.details and at.attack not in CONTROLS and spec.quant.act_bits < FULL_PRECISION


def _cost(spec: ExperimentSpec, at: Perturbation) -> float:
    return 10.0 if _follows_flips(spec, at) else 1.0


def _perturbed(setting: Setting, at: Perturbation, adversarial: torch.Tensor) -> torch.Tensor:
    """The attack's images, or a control's whose perturbation is as long, image by image."""
    if at.attack not in CONTROLS:
        return adversarial
    generator = torch.Generator().manual_seed(setting.spec.attack.seed)
    return matched_control(at.attack, setting.data.images, adversarial, generator=generator)


def _profiles(
    setting: Setting,
    part: Sequence[Perturbation],
    perturbed: Sequence[torch.Tensor],
    steps: Steps,
    *,
    with_sqnr: bool,
) -> list[Profile]:
    """The profiles of perturbations whose flips are counted, or of a single one's followed."""
    spec, network, images = setting.spec, setting.subject.network, setting.data.images
    follow_flips = _follows_flips(spec, part[0])
    crafting, measuring = steps.split([4 if follow_flips else 0, 6])
    common: dict[str, Any] = {
        "reference": setting.full.network if with_sqnr else None,
        "batch_size": spec.batch_size,
        "progress": measuring.counter(f"{_name(part)}, layer by layer"),
    }
    if not follow_flips:
        return measure_profiles(network, images, perturbed, **common)
    frozen = _craft_on_frozen(setting, part[0].epsilon, crafting)
    own = measure_profile(
        network, images, perturbed[0], flips="layers", adversarial_frozen=frozen, **common
    )
    return [own]


def _name(part: Sequence[Perturbation]) -> str:
    if len(part) > 1:
        return f"{len(part)} perturbations"
    return f"{part[0].attack} at {part[0].epsilon * 255:.4g}/255"


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
