"""What every kind of experiment begins with: the images, the network measured, the one attacked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch

from dqviz.attacks import Outcome
from dqviz.cards import numbered_classes
from dqviz.data import DataError, ImageData, count_images
from dqviz.measure.accuracy import Proportion, wilson
from dqviz.models import model_info
from dqviz.specs import TRAINED, AttackSpec, Craft, DataSpec, ExperimentSpec

from .arithmetic import is_fast
from .findings import Findings
from .networks import at_full_precision, card_of
from .own_quantizers import ranges_note
from .steps import Steps
from .workbench import Subject, Workbench


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """The images at the network's size, the network, itself at full precision, and its victim.

    `source` is the network that perturbations are crafted on, the same object as `subject` unless
    the specification names another.
    """

    spec: ExperimentSpec
    images_spec: DataSpec
    data: ImageData
    subject: Subject
    full: Subject
    source: Subject
    bench: Workbench

    def clean(self, steps: Steps, *, full: bool = False) -> Proportion:
        """The clean accuracy of the network, or of the same one at full precision."""
        correct = self.correct(steps, full=full)
        return wilson(int(correct.sum()), len(correct))

    def correct(self, steps: Steps, *, full: bool = False) -> torch.Tensor:
        """Which clean images are classified correctly, (N,) bool."""
        subject = self.full if full else self.subject
        return self.bench.correct(
            subject, self.images_spec, batch_size=self.spec.batch_size, steps=steps
        )

    def crafted(
        self, steps: Steps, *, early_stop: bool = False, attack: AttackSpec | None = None
    ) -> dict[float, torch.Tensor]:
        """The adversarial images by epsilon."""
        found = self.outcomes(steps, early_stop=early_stop, attack=attack)
        return {epsilon: outcome.adversarial for epsilon, outcome in found.items()}

    def outcomes(
        self, steps: Steps, *, early_stop: bool = False, attack: AttackSpec | None = None
    ) -> dict[float, Outcome]:
        """The adversarial images by epsilon, with what broke each where that is known."""
        return self.bench.outcomes(
            self.source,
            self.images_spec,
            attack or self.spec.attack,
            batch_size=self.spec.batch_size,
            steps=steps,
            early_stop=early_stop,
            fast=is_fast(self.spec),
        )

    def accuracy_columns(self, steps: Steps, *, clean: float | None = None) -> Mapping[str, Any]:
        """The clean accuracies that stand in every row, and how the ranges were calibrated.

        `clean` is the network's own, where it has been measured already.
        """
        return {
            "clean_accuracy": self.clean(steps).value if clean is None else clean,
            "clean_accuracy_full": self.clean(steps, full=True).value,
            "calibration": self.subject.calibration,
            "n_samples": len(self.data),
        }


def prepare(spec: ExperimentSpec, bench: Workbench, steps: Steps) -> Setting:
    """Loads and quantizes what a specification names.

    Raises:
        DataError: if there are no images, or the network that perturbations are crafted on takes
            images of another size.
    """
    images_spec = bench.sized(spec.data, spec.model)
    loading, preparing = steps.split([1, 1])
    data = bench.data(images_spec, loading)
    own = Craft(model=spec.model, quant=spec.quant)
    full = at_full_precision(own)
    calibration = spec.calibration
    subject = bench.subject(own, calibration, images_spec, preparing)
    source = subject
    if spec.crafted_on is not None:
        _check_sizes(spec, bench)
        source = bench.subject(spec.crafted_on, calibration, images_spec, preparing)
    return Setting(
        spec=spec,
        images_spec=images_spec,
        data=data,
        subject=subject,
        full=bench.subject(full, None, images_spec, preparing),
        source=source,
        bench=bench,
    )


def _check_sizes(spec: ExperimentSpec, bench: Workbench) -> None:
    assert spec.crafted_on is not None
    own, other = (bench.sized(spec.data, m) for m in (spec.model, spec.crafted_on.model))
    if own != other:
        raise DataError(
            f"{spec.model.label} takes images of {own.image_size or 32} pixels and "
            f"{spec.crafted_on.model.label}, which the perturbation is crafted on, of "
            f"{other.image_size or 32}; set one image size for both"
        )


def add_notes(found: Findings, setting: Setting) -> None:
    """Says what a reader needs to know: calibration, too few images, classes that do not match."""
    calibration, spec = setting.subject.calibration, setting.spec
    if calibration in ("card", TRAINED, "none"):
        note = ranges_note(card_of(spec.model), spec.quant)
        found.notes += [] if note is None else [note]
    else:
        on_evaluated = spec.calibration is not None and _same_images(spec.calibration, spec.data)
        which = "the evaluated images themselves" if on_evaluated else calibration
        found.notes.append(f"Activation ranges were calibrated on {which}.")
    asked = spec.data.n_samples
    if asked is not None and count_images(spec.data, enough=asked + 1) == asked:
        found.notes.append(
            f"The data set has only {asked} images in its {spec.data.split} split: all are used."
        )
    info = model_info(spec.model)
    if info.named and _differ(info.classes, setting.data):
        found.notes.append(
            f"The network's classes ({_few(info.classes)}) are not those of the images "
            f"({_few(setting.data.classes)}): accuracies mean little here."
        )


def _differ(classes: tuple[str, ...], data: ImageData) -> bool:
    """Whether classes are not those of the images; parquet files may hold numbers without names."""
    numbers = numbered_classes(len(data.classes))
    if data.name.startswith("parquet:") and data.classes == numbers:
        return len(classes) != len(numbers) and classes[: len(numbers)] != numbers
    return classes != data.classes


def _same_images(one: DataSpec, other: DataSpec) -> bool:
    return (one.name, one.split, one.n_samples, one.seed) == (
        other.name,
        other.split,
        other.n_samples,
        other.seed,
    )


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
