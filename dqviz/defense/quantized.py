"""The quantizers that a network is trained with: a table of its recipe."""

from __future__ import annotations

import dataclasses

from dqviz.defense.errors import TrainError
from dqviz.specs import FULL_PRECISION, QuantSpec
from dqviz.specs.checks import check_types, require_choice

KINDS = ("affine", "dorefa")
RANGES = ("learned", "frozen")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainQuant:
    """The quantizers that a network is trained with.

    Activations take `act_bits`, weights `weight_bits` (32: full precision), the first and the last
    layer `first_bits` and `last_bits` for both. With `kind` affine the ranges of activations start
    from the mean-square rule on training images and are `learned` (of inputs that are never
    negative) or stay `frozen`; with `dorefa` activations are clamped to [0, 1] and the weights of
    all but the first and the last layer pass DoReFa's tanh, and there is no range to learn.

    Raises:
        TrainError: for a value that cannot be.
        SpecError: for one of the wrong type.
    """

    act_bits: int = 4
    weight_bits: int = 8
    first_bits: int = 8
    last_bits: int = 8
    kind: str = "affine"
    ranges: str = "learned"

    def __post_init__(self) -> None:
        check_types(self)
        require_choice("quant.kind", self.kind, KINDS)
        require_choice("quant.ranges", self.ranges, RANGES)
        if not 1 <= self.act_bits <= 8:
            raise TrainError(f"quant.act_bits must be 1 to 8; got {self.act_bits}")
        for name in ("weight_bits", "first_bits", "last_bits"):
            bits = getattr(self, name)
            allowed = (*range(2, 9), FULL_PRECISION) if name == "weight_bits" else range(2, 9)
            if bits not in allowed:
                more = ", or 32 for full precision" if name == "weight_bits" else ""
                raise TrainError(f"quant.{name} must be 2 to 8{more}; got {bits}")

    @property
    def spec(self) -> QuantSpec:
        """How `quantize_model` is asked for the very network that was trained."""
        return QuantSpec(
            weight_bits=self.weight_bits,
            act_bits=self.act_bits,
            first_bits=self.first_bits,
            last_bits=self.last_bits,
        )

    @property
    def words(self) -> str:
        """What was trained, for a card."""
        weights = "full" if self.weight_bits == FULL_PRECISION else f"{self.weight_bits}-bit"
        how = "DoReFa's quantizers" if self.kind == "dorefa" else f"{self.ranges} ranges"
        return f"{self.act_bits}-bit activations and {weights} weights ({how})"

    @property
    def rounds_to_codes(self) -> bool:
        """Whether every weight is a code times its channel's scale."""
        return self.kind == "affine" and self.weight_bits != FULL_PRECISION

    def rounding(self, place: int, count: int) -> tuple[str, int]:
        """The kind and the bits of the weights of layer `place` out of `count`."""
        if self.weight_bits == FULL_PRECISION:
            return "affine", FULL_PRECISION
        if place in (0, count - 1):
            return "affine", self.first_bits if place == 0 else self.last_bits
        return self.kind, self.weight_bits

    def bits(self, place: int, count: int) -> int:
        """The bits of the input of layer `place` out of `count`."""
        return {count - 1: self.last_bits, 0: self.first_bits}.get(place, self.act_bits)
