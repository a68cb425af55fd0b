"""The range of a layer in a network that was trained quantized: part of the network, not chosen."""

from __future__ import annotations

import dataclasses
import math

from dqviz.quantize.errors import QuantizeError
from dqviz.specs import FULL_PRECISION


@dataclasses.dataclass(frozen=True)
class OwnRange:
    """What a layer's input was quantized to while the network was trained.

    It takes a histogram's place in a calibration. At the bits of the training the quantizer is
    exactly the trained one; at other bits the same range gets other levels, that is, the network is
    quantized anew within the range it knows. `percentile` and `ranges` of a `QuantSpec` play no
    part, for there is nothing to choose.

    `low` and `high` are the lowest and the highest level, low <= 0 <= high. `weight_bits` is 0
    where the layer's weights are kept as they were before rounding, to be rounded to any bits; else
    they are levels of so many bits already, and are left as they are.

    Raises:
        QuantizeError: if the ends are no range around 0, or the bits not 0 to 8.
    """

    low: float
    high: float
    weight_bits: int = 0

    def __post_init__(self) -> None:
        finite = math.isfinite(self.low) and math.isfinite(self.high)
        if not (finite and self.low <= 0 <= self.high and self.low < self.high):
            raise QuantizeError(
                "a layer's own range must be finite, include 0 and not be empty; "
                f"got {self.low} to {self.high}"
            )
        if isinstance(self.weight_bits, bool) or self.weight_bits not in range(9):
            raise QuantizeError(
                f"the bits of weights that are levels must be 0 to 8; got {self.weight_bits}"
            )

    def keeps_weights(self, bits: int) -> bool:
        """Whether weights asked for at `bits` are taken as they are.

        Raises:
            QuantizeError: if they are levels of other bits, so that they cannot be had at these.
        """
        if self.weight_bits in (0, bits):
            return self.weight_bits == bits
        if bits == FULL_PRECISION:
            return True
        raise QuantizeError(
            f"its weights were trained as levels of {self.weight_bits} bits and cannot be rounded "
            f"to others; got weight_bits {bits}: ask for {self.weight_bits}, or for 32 to take "
            "them as they are"
        )
