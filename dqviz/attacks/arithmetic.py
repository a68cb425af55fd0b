"""In what an attack's gradients are computed, and how results name it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

import torch

PRECISIONS = ("float32", "bfloat16")


@dataclasses.dataclass(frozen=True, kw_only=True, order=True)
class Arithmetic:
    """How gradients are computed: `float32` or `bfloat16`, on which device, with how many threads.

    In bfloat16 only what autocast rounds is; codes of quantizers are computed in float32.
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
    return " ".join([f"{arithmetic.precision} gradients", *parts]) + ", judged in float32"
