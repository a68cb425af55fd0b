"""Loops over elements, compiled to machine code: one pass where array operations need many.

A pass over an activation waits for memory, so the number of passes is what a measurement costs.
The loops here are for float32 on the processor; elsewhere array operations do the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray

CHUNK = 4096
"""So many float32 numbers are added up before their sum goes into a float64: that keeps the error
of a long sum small."""

# Sums may be taken in any order, which lets the processor take several elements at once. NaN and
# infinity keep their meaning.
_FLOATING_POINT = frozenset({"reassoc", "nsz", "contract"})


def compiled(loop: Callable[..., Any]) -> Callable[..., Any]:
    """The loop compiled at its first call, and kept on disk for later processes where possible.

    It does not hold the interpreter's lock while it runs.
    """
    options: dict[str, Any] = {"nogil": True, "fastmath": set(_FLOATING_POINT)}
    result: Callable[..., Any]
    try:
        result = numba.njit(loop, cache=True, **options)
    except RuntimeError:  # there is no folder to keep it in
        result = numba.njit(loop, **options)
    return result


def has_loops(values: torch.Tensor) -> bool:
    """Whether the compiled loops are for this tensor."""
    return values.dtype == torch.float32 and values.device.type == "cpu"


def as_array(rows: torch.Tensor) -> NDArray[np.float32]:
    """The tensor's memory, contiguous, for a compiled loop."""
    array: NDArray[np.float32] = rows.detach().contiguous().numpy()
    return array
