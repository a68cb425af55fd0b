"""What is done to a network and its images: quantization, perturbation, the penalty."""

from __future__ import annotations

import dataclasses

from .checks import check_types, require, require_choice, require_seed

FULL_PRECISION = 32
"""The bit-width that stands for 'not quantized'."""

ATTACKS = ("fgsm", "rfgsm", "bim", "pgd", "mifgsm", "apgd_ce", "apgd_dlr", "square", "standard")
LOSSES = ("cross_entropy", "rescaled", "dlr")
CONTROLS = ("random_signs", "gaussian", "other_image")
NORMS = ("linf", "l2")
RANGES = ("percentile", "minmax", "mse")
ESTIMATORS = ("identity", "clipped", "unquantized", "none")
TRAINED = "training"
"""Where activation ranges come from if a network is measured as it was trained, quantized."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class QuantSpec:
    """How a network is quantized after training; 32 bits means full precision.

    Weights: 2 to 8 bits, symmetric per output channel. Activations: 1 to 8 bits, affine, at the
    input of every convolution and linear layer. The first and the last layer take `first_bits` and
    `last_bits` for whatever is quantized. `ranges` chooses how the activation range is read off the
    histograms; `percentile` is in percent. `estimator` is the gradient through rounding that
    attacks see: straight-through `identity`, or `clipped` to zero outside the range; `unquantized`
    runs the whole backward pass through the network at full precision; `none` is that of true
    rounding, zero.
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
        check_types(self)
        for name, low in (("weight_bits", 2), ("act_bits", 1), ("first_bits", 2), ("last_bits", 2)):
            bits = getattr(self, name)
            require(
                bits == FULL_PRECISION or low <= bits <= 8,
                f"{name} must be {low} to 8, or 32 for full precision; got {bits}",
            )
        require_choice("ranges", self.ranges, RANGES)
        require_choice("estimator", self.estimator, ESTIMATORS)
        require(
            50 < self.percentile <= 100,
            f"percentile must be above 50 and at most 100 percent; got {self.percentile}",
        )

    @property
    def is_full_precision(self) -> bool:
        """Whether nothing is quantized at all."""
        return self.weight_bits == FULL_PRECISION and self.act_bits == FULL_PRECISION


LONGEST = 1e4
"""Far above the length of the longest perturbation of an image of 1,024 pixels a side, 1,774."""

SMALLEST = 1e-12
"""Far below the distance of two float32 numbers near 1, 6e-8."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttackSpec:
    """How the perturbation is crafted. Epsilons are in pixel units, images being in [0, 1].

    `steps`, `alpha` (the step size in pixel units; None chooses 2.5 epsilon / steps), `restarts`
    and `random_start` matter to iterated attacks only. A targeted attack aims at the class after
    the true one. `loss` is what the gradient attacks raise: the cross-entropy, the same of logits
    `rescaled` so that the softmax does not saturate, or the difference of logits ratio; `apgd_ce`,
    `apgd_dlr` and `standard` have their own. `momentum` is that of `mifgsm`. `queries` are those of
    `square` for each image, also within `standard`.
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
    loss: str = "cross_entropy"
    momentum: float = 1.0
    queries: int = 500

    def __post_init__(self) -> None:
        check_types(self)
        require_choice("attack", self.name, ATTACKS)
        require_choice("norm", self.norm, NORMS)
        require_choice("loss", self.loss, LOSSES)
        require(
            0 <= self.momentum <= 1, f"momentum must be at least 0, at most 1; got {self.momentum}"
        )
        require(self.queries >= 1, f"queries must be at least 1; got {self.queries}")
        require(len(self.epsilons) > 0, "at least one epsilon is needed")
        for epsilon in self.epsilons:
            require(epsilon >= 0, f"epsilon must be 0 or more, in pixel units; got {epsilon}")
            require(
                epsilon == 0 or epsilon >= SMALLEST,
                f"a perturbation is lost in rounding below an epsilon of {SMALLEST:g}, in pixel "
                f"units; got {epsilon}",
            )
            require(
                self.norm != "linf" or epsilon <= 1,
                f"an L-infinity epsilon above 1 exceeds the pixel range; got {epsilon} "
                "(write 8/255, not 8)",
            )
            require(
                epsilon <= LONGEST,
                f"no image is longer than an L2 epsilon of {LONGEST:g}; got {epsilon}",
            )
        require(self.steps >= 1, f"steps must be at least 1; got {self.steps}")
        require(self.restarts >= 1, f"restarts must be at least 1; got {self.restarts}")
        require(
            self.restarts == 1 or self.random_start or self.name != "pgd",
            f"without a random start every restart is the same; got {self.restarts} of them",
        )
        require(
            self.alpha is None or 0 < self.alpha <= LONGEST,
            f"alpha must be positive and at most {LONGEST:g}, in pixel units; got {self.alpha}",
        )
        require_seed(self.seed)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DefenseSpec:
    """The Defensive Quantization penalty: its strength and the kernel it acts on.

    `arm` is `none`, `raw` (the kernel itself, as in the paper), `folded` (the kernel with the
    BatchNorm that follows it folded in) or `operator` (how far the operator norm of the folded
    kernel, as it is applied, lies above 1).
    """

    beta: float = 0.0
    arm: str = "none"

    def __post_init__(self) -> None:
        check_types(self)
        require_choice("arm", self.arm, ("none", "raw", "folded", "operator"))
        require(self.beta >= 0, f"beta must be 0 or more; got {self.beta}")
