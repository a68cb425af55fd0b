"""How much freed memory a process keeps for what comes next, where Linux' GNU C library says so.

The library gives freed memory back to the system and asks for it again, page by page, which costs
measurements and attacks from a tenth to a quarter of their time. With these settings a process
keeps up to 256 MiB. They are the library's own, see its manual, "Malloc Tunable Parameters",
https://www.gnu.org/software/libc/manual/html_node/Malloc-Tunable-Parameters.html.
"""

from __future__ import annotations

import os

MEMORY = {"MALLOC_MMAP_THRESHOLD_": 32 * 2**20, "MALLOC_TRIM_THRESHOLD_": 256 * 2**20}
"""The settings as variables of the environment, which the library reads when a process starts."""

_NUMBERS = {"MALLOC_MMAP_THRESHOLD_": -3, "MALLOC_TRIM_THRESHOLD_": -1}
"""Their numbers in malloc.h, by which a process that runs already sets them."""


def keep_freed_memory() -> bool:
    """Let this process keep freed memory; whether it does so now.

    Nothing is done where another C library is at work, or the environment has settings of its own.
    """
    if any(name in os.environ for name in MEMORY) or not _is_gnu():
        return False
    import ctypes

    library = ctypes.CDLL(None)
    done = [library.mallopt(_NUMBERS[name], size) for name, size in MEMORY.items()]
    return all(done)


def _is_gnu() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (AttributeError, ValueError, OSError):  # Windows; macOS and musl
        return False
