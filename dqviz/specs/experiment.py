"""One computation in full: what is measured and what is done to it."""

from __future__ import annotations

import dataclasses

from .checks import check_types, require, require_choice
from .methods import FULL_PRECISION, AttackSpec, QuantSpec
from .subjects import DataSpec, ModelSpec

EXPERIMENTS = (
    "amplification",
    "lipschitz",
    "accuracy",
    "playground",
    "smallest_epsilon",
    "masking",
    "corruptions",
)

CORRUPTIONS = ("gaussian_noise", "gaussian_blur", "brightness", "contrast", "jpeg")
"""What images are corrupted by without malice, each at severities 1 to 5."""

FAST_KINDS = ("accuracy", "smallest_epsilon", "masking")
"""The kinds in which only an attack's success matters, so that it may take the fast path."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Craft:
    """The network a perturbation is crafted on, where that is not the network it is applied to."""

    model: ModelSpec
    quant: QuantSpec

    def __post_init__(self) -> None:
        check_types(self)

    @property
    def label(self) -> str:
        """The network's id and its bits, such as `cifar10/resnet20/dq W8 A4`."""
        bits = (("W", self.quant.weight_bits), ("A", self.quant.act_bits))
        parts = [f"{letter}{count}" for letter, count in bits if count != FULL_PRECISION]
        return " ".join([self.model.label, *parts])


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExperimentSpec:
    """One computation: a network, quantized so, on these images, under this attack.

    `crafted_on` None crafts the perturbation on the very network measured. `controls` adds the
    three matched controls to an amplification. `calibration` None takes the card's histograms, and
    where there is no card the training split of `data`, else the evaluated images. `details` adds
    what costs more: for an amplification the contribution of bucket flips layer by layer, for
    Lipschitz constants the network's bounds. `sample` and `layers` choose the image and the feature
    maps of a playground; `image` is a file that replaces the data set's image. `fast` lets the
    attacks whose success alone matters (accuracy, smallest epsilon, masking) take the arithmetic
    that is fastest on this machine; success is judged in float32 either way. `severities` are those
    of the corruptions, which need no attack. `rounded` measures accuracy on images saved at 8 bits
    too, for which the whole attack runs once more, to its last step.
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
    fast: bool = True
    severities: tuple[int, ...] = (1, 3, 5)
    rounded: bool = True

    def __post_init__(self) -> None:
        check_types(self)
        require_choice("kind", self.kind, EXPERIMENTS)
        require(self.batch_size >= 1, f"batch_size must be at least 1; got {self.batch_size}")
        require(
            len(self.severities) > 0
            and len(set(self.severities)) == len(self.severities)
            and all(1 <= severity <= 5 for severity in self.severities),
            f"severities must be different numbers of 1 to 5; got {self.severities}",
        )
        require(self.sample >= 0, f"sample must be 0 or more; got {self.sample}")
