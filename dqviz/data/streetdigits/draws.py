"""Random numbers that are the same on every machine and with every release of NumPy.

Only the raw 64 bits of the Philox generator are used, whose stream NumPy promises to keep; the
distributions are made of them here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]


class Draws:
    """A stream of random numbers, one for each of `count` images at every call."""

    def __init__(self, *key: int, count: int) -> None:
        self.count = count
        self._bits = np.random.Philox(np.random.SeedSequence(key))

    def uniform(self, low: float, high: float) -> Floats:
        """Evenly between low and high: (count,)."""
        unit = np.asarray((self._bits.random_raw(self.count) >> np.uint64(11)) * 2.0**-53)
        return low + (high - low) * unit

    def skewed(self, low: float, high: float) -> Floats:
        """Between low and high, more often near low (a square of an even draw): (count,)."""
        unit = self.uniform(0, 1)
        return low + (high - low) * (unit * unit)

    def chance(self, probability: float) -> npt.NDArray[np.bool_]:
        """True as often as the probability says: (count,)."""
        return self.uniform(0, 1) < probability

    def sign(self) -> Floats:
        """-1 or 1: (count,)."""
        return np.where(self.chance(0.5), 1.0, -1.0)

    def integers(self, below: int) -> Ints:
        """0 to below - 1: (count,)."""
        high = self._bits.random_raw(self.count) >> np.uint64(32)
        return ((high * np.uint64(below)) >> np.uint64(32)).astype(np.int32)

    def bytes(self, *shape: int) -> Ints:
        """-128 to 127 evenly: (count, *shape)."""
        total = self.count * int(np.prod(shape))
        raw = self._bits.random_raw(-(-total // 8)).astype("<u8").view(np.uint8)[:total]
        return raw.reshape(self.count, *shape).astype(np.int32) - 128

    def bell(self, *shape: int) -> Ints:
        """Sums of four `bytes`: nearly normal, mean -2, standard deviation 148: (count, *shape)."""
        total: Ints = self.bytes(4, *shape).sum(axis=1, dtype=np.int32)
        return total
