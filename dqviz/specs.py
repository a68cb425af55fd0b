"""What is to be computed, said in full: frozen specifications and the key that names a result.

Only the standard library is imported here, so that every part of the project, the browser pages
included, can name a computation without being able to run it. Two specifications that are equal
have the same `spec_key`, in the app and on the command line, and give the same numbers.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from typing import Any

RESULTS_VERSION = 1
"""Raised whenever the same specification would give other numbers than before."""

FULL_PRECISION = 32
"""The bit-width that stands for 'not quantized'."""

ATTACKS = ("fgsm", "rfgsm", "bim", "pgd")
CONTROLS = ("random_signs", "gaussian", "other_image")
NORMS = ("linf", "l2")
RANGES = ("percentile", "minmax", "mse")
ESTIMATORS = ("identity", "clipped")
EXPERIMENTS = ("amplification", "lipschitz", "accuracy", "playground")


class SpecError(ValueError):
    """A specification that cannot be computed; the message says what was given and needed."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise SpecError(message)


def _require_choice(what: str, value: object, choices: tuple[str, ...]) -> None:
    _require(value in choices, f"{what} must be one of {', '.join(choices)}; got {value!r}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSpec:
    """Which labelled images: a data set's name, its split, and a seeded choice of its images.

    `name` is `streetdigits`, `cifar10`, `svhn`, `parquet:PATH` or `folder:PATH`. `n_samples` images
    are drawn without replacement by `seed`; None takes all of them, in order. A smaller `n_samples`
    with the same seed gives the first images of a larger one. `image_size` resizes to a square of
    that many pixels (None leaves 32x32 data sets as they are and resizes other files to 32).
    `fingerprint` names the content and is filled in when the specification is resolved.
    """

    name: str = "streetdigits"
    split: str = "test"
    n_samples: int | None = None
    seed: int = 0
    image_size: int | None = None
    fingerprint: str | None = None

    def __post_init__(self) -> None:
        _require(bool(self.name), "the data set's name is empty")
        _require_choice("split", self.split, ("train", "test"))
        _require(
            self.n_samples is None or self.n_samples >= 1,
            f"n_samples must be at least 1; got {self.n_samples}",
        )
        _require(self.seed >= 0, f"seed must be 0 or more; got {self.seed}")
        _require(
            self.image_size is None or 8 <= self.image_size <= 1024,
            f"image_size must lie between 8 and 1024 pixels; got {self.image_size}",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """Which network: an id `DATASET/ARCH/WEIGHTS`, or a checkpoint file with what it needs.

    With `checkpoint` (a file's path) the fields `arch`, `classes`, `mean` and `std` describe the
    network (mean and std per colour channel, in units of pixels scaled to [0, 1]) and `id` is the
    name shown. `fingerprint` names the content of the weights and is filled in when resolved.
    """

    id: str = "streetdigits/resnet20/vanilla"
    checkpoint: str | None = None
    arch: str | None = None
    classes: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    fingerprint: str | None = None

    def __post_init__(self) -> None:
        if self.checkpoint is None:
            _require(
                len(self.id.split("/")) == 3 and all(self.id.split("/")),
                "a network's id has three parts, DATASET/ARCH/WEIGHTS, such as "
                f"streetdigits/resnet20/vanilla; got {self.id!r}",
            )
        _require(
            self.classes is None or self.classes >= 2,
            f"a classifier needs at least 2 classes; got {self.classes}",
        )
        for name, values in (("mean", self.mean), ("std", self.std)):
            _require(
                values is None or all(math.isfinite(v) for v in values),
                f"{name} must be finite numbers; got {values}",
            )
        _require(
            self.std is None or all(v > 0 for v in self.std),
            f"std must be positive; got {self.std}",
        )

    @property
    def label(self) -> str:
        """The short name shown in tables and legends."""
        return self.id


@dataclasses.dataclass(frozen=True, kw_only=True)
class QuantSpec:
    """How a network is quantized after training; 32 bits means full precision.

    Weights: 2 to 8 bits, symmetric per output channel. Activations: 1 to 8 bits, affine, at the
    input of every convolution and linear layer. The first and the last layer take `first_bits` and
    `last_bits` for whatever is quantized. `ranges` chooses how the activation range is read off the
    histograms; `percentile` is in percent. `estimator` is the gradient through rounding that
    attacks see: straight-through identity, or clipped to zero outside the range.
    """

    weight_bits: int = FULL_PRECISION
    act_bits: int = FULL_PRECISION
    first_bits: int = 8
    last_bits: int = 8
    ranges: str = "percentile"
    percentile: float = 99.9
    fold_batchnorm: bool = True
    estimator: str = "clipped"

    def __post_init__(self) -> None:
        for name, low in (("weight_bits", 2), ("act_bits", 1), ("first_bits", 2), ("last_bits", 2)):
            bits = getattr(self, name)
            _require(
                bits == FULL_PRECISION or low <= bits <= 8,
                f"{name} must be {low} to 8, or 32 for full precision; got {bits}",
            )
        _require_choice("ranges", self.ranges, RANGES)
        _require_choice("estimator", self.estimator, ESTIMATORS)
        _require(
            50 < self.percentile <= 100,
            f"percentile must be above 50 and at most 100 percent; got {self.percentile}",
        )

    @property
    def is_full_precision(self) -> bool:
        """Whether nothing is quantized at all."""
        return self.weight_bits == FULL_PRECISION and self.act_bits == FULL_PRECISION


LONGEST = 1e4
"""Far above the length of the longest perturbation of an image of 1,024 pixels a side, 1,774."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttackSpec:
    """How the perturbation is crafted. Epsilons are in pixel units, images being in [0, 1].

    `steps`, `alpha` (the step size in pixel units; None chooses 2.5 epsilon / steps), `restarts`
    and `random_start` matter to iterated attacks only. A targeted attack aims at the class after
    the true one.
    """

    name: str = "fgsm"
    epsilons: tuple[float, ...] = (1 / 255,)
    norm: str = "linf"
    steps: int = 10
    alpha: float | None = None
    restarts: int = 1
    random_start: bool = True
    targeted: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        _require_choice("attack", self.name, ATTACKS)
        _require_choice("norm", self.norm, NORMS)
        _require(len(self.epsilons) > 0, "at least one epsilon is needed")
        for epsilon in self.epsilons:
            _require(
                math.isfinite(epsilon) and epsilon >= 0,
                f"epsilon must be a finite number of 0 or more, in pixel units; got {epsilon}",
            )
            _require(
                self.norm != "linf" or epsilon <= 1,
                f"an L-infinity epsilon above 1 exceeds the pixel range; got {epsilon} "
                "(write 8/255, not 8)",
            )
            _require(
                epsilon <= LONGEST,
                f"no image is longer than an L2 epsilon of {LONGEST:g}; got {epsilon}",
            )
        _require(self.steps >= 1, f"steps must be at least 1; got {self.steps}")
        _require(self.restarts >= 1, f"restarts must be at least 1; got {self.restarts}")
        _require(
            self.alpha is None or 0 < self.alpha <= LONGEST,
            f"alpha must be positive and at most {LONGEST:g}, in pixel units; got {self.alpha}",
        )
        _require(self.seed >= 0, f"seed must be 0 or more; got {self.seed}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DefenseSpec:
    """The Defensive Quantization penalty: its strength and the kernel it acts on.

    `arm` is `none`, `raw` (the kernel itself, as in the paper) or `folded` (the kernel with the
    BatchNorm that follows it folded in).
    """

    beta: float = 0.0
    arm: str = "none"

    def __post_init__(self) -> None:
        _require_choice("arm", self.arm, ("none", "raw", "folded"))
        _require(
            math.isfinite(self.beta) and self.beta >= 0,
            f"beta must be a finite number of 0 or more; got {self.beta}",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Craft:
    """The network a perturbation is crafted on, where that is not the network it is applied to."""

    model: ModelSpec
    quant: QuantSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExperimentSpec:
    """One computation: a network, quantized so, on these images, under this attack.

    `crafted_on` None crafts the perturbation on the very network measured. `controls` adds the
    three matched controls to an amplification. `calibration` None takes the card's histograms, and
    where there is no card the training split of `data`, else the evaluated images. `details` adds
    what costs more: for an amplification the contribution of bucket flips layer by layer, for
    Lipschitz constants the network's bounds. `sample` and `layers` choose the image and the feature
    maps of a playground; `image` is a file that replaces the data set's image.
    """

    kind: str
    model: ModelSpec = ModelSpec()
    data: DataSpec = DataSpec()
    quant: QuantSpec = QuantSpec()
    attack: AttackSpec = AttackSpec()
    crafted_on: Craft | None = None
    calibration: DataSpec | None = None
    controls: bool = False
    details: bool = False
    batch_size: int = 64
    sample: int = 0
    layers: tuple[str, ...] = ()
    image: str | None = None

    def __post_init__(self) -> None:
        _require_choice("kind", self.kind, EXPERIMENTS)
        _require(self.batch_size >= 1, f"batch_size must be at least 1; got {self.batch_size}")
        _require(self.sample >= 0, f"sample must be 0 or more; got {self.sample}")


Spec = DataSpec | ModelSpec | QuantSpec | AttackSpec | DefenseSpec | Craft | ExperimentSpec


def to_json(spec: Spec) -> dict[str, Any]:
    """The specification as plain JSON values, with the class name of every part."""
    fields = {f.name: _plain(getattr(spec, f.name)) for f in dataclasses.fields(spec)}
    return {"class": type(spec).__name__, **fields}


def _plain(value: object) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_json(value)  # type: ignore[arg-type]
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def spec_key(spec: Spec) -> str:
    """The name of a result: 32 hexadecimal digits of the canonical JSON's SHA-256.

    Class names and `RESULTS_VERSION` are part of what is hashed.

    Raises:
        SpecError: if a network or data set in it has not been resolved (its fingerprint is None).
    """
    for part in _parts(spec):
        if isinstance(part, (ModelSpec, DataSpec)) and part.fingerprint is None:
            name = part.id if isinstance(part, ModelSpec) else part.name
            raise SpecError(f"only resolved specifications have a key; {name!r} has no fingerprint")
    document = {"results_version": RESULTS_VERSION, "spec": to_json(spec)}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _parts(spec: object) -> list[object]:
    if not dataclasses.is_dataclass(spec) or isinstance(spec, type):
        return []
    nested = [_parts(getattr(spec, f.name)) for f in dataclasses.fields(spec)]
    return [spec, *[part for parts in nested for part in parts]]
