"""In what an attack's gradients are computed, and how results name it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

import torch

WORDS = {
    "float32": "float32 gradients",
    "bfloat16": "bfloat16 gradients",
    "bfloat16 backward": "float32 forward and bfloat16 backward",
    "int8": "int8 forward and float32 backward",
    "int8, bfloat16 backward": "int8 forward and bfloat16 backward",
}
"""The arithmetics by name, in the words of a result."""

PRECISIONS = {
    "full": ("float32", "bfloat16"),
    "rounded": ("float32", "bfloat16 backward"),
    "coded": ("float32", "int8", "int8, bfloat16 backward"),
}
"""What serves a network without quantized activations, with, and with integer convolutions too.

The forward pass of a quantized network is never computed in bfloat16: that moves activations across
the borders of buckets. Measured at 8/4 bits, where images rest once fooled: gradients so crude that
1.5 points more images withstand PGD.
"""


@dataclasses.dataclass(frozen=True, kw_only=True, order=True)
class Arithmetic:
    """How gradients are computed: in which precision, on which device, with how many threads.

    `precision` is one of `WORDS`. `bfloat16` rounds where autocast does. In the others codes of
    quantizers are computed in float32, and `int8` multiplies them as integers, exactly.
    """

    precision: str
    device: str
    threads: int

    @property
    def is_exact(self) -> bool:
        """Whether gradients are those of the network itself, as it is."""
        return self.precision == "float32" and self.device == "cpu"


def own_arithmetic() -> Arithmetic:
    """What is computed in off the fast path."""
    return Arithmetic(precision="float32", device="cpu", threads=torch.get_num_threads())


@contextlib.contextmanager
def threads_of(arithmetic: Arithmetic) -> Iterator[None]:
    """Torch with that arithmetic's number of threads, and with the number before again at the end.

    The number is this thread's own and that of threads that have not used torch yet.
    """
    before = torch.get_num_threads()
    if arithmetic.threads == before:
        yield
        return
    torch.set_num_threads(arithmetic.threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def in_words(arithmetic: Arithmetic) -> str:
    """As results name it: `float32`, or `bfloat16 gradients, judged in float32`."""
    parts = [] if arithmetic.device == "cpu" else [f"on {arithmetic.device}"]
    if arithmetic.threads != torch.get_num_threads():
        parts.append(f"with {arithmetic.threads} threads")
    if arithmetic.is_exact:
        return " ".join(["float32", *parts])
    return " ".join([WORDS[arithmetic.precision], *parts]) + ", judged in float32"
