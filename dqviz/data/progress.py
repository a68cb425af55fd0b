"""How far reading is, as every function of this room reports it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with what is done and what there is to do: images, or bytes where files are read whole.

0 to do means that it is not known yet. Whatever it raises ends the reading.
"""


def silent(done: int, total: int) -> None:
    """Progress that nobody watches."""
