"""Arrays kept on disk under a name that says their content, safe with several processes.

A file is written under a name of its own and then renamed, so that nobody ever reads half a file.
The lock only spares the others the same work: who waits too long builds for himself.
"""

from __future__ import annotations

import contextlib
import logging
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import filelock
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

LOCK_TIMEOUT_S = 600.0

log = logging.getLogger(__name__)


def cached_pixels(
    folder: Path,
    name: str,
    build: Callable[[], Pixels],
    *,
    shape: tuple[int, ...],
    timeout_s: float = LOCK_TIMEOUT_S,
) -> Pixels:
    """The array called `name`, read from `folder`, or built and written there.

    A damaged file (its checksum or shape is wrong) is built again. Where the folder cannot be
    written to, the array is built and not kept.

    Args:
        folder: made if it does not exist.
        name: of the file, without a suffix; it must say everything the array depends on.
        build: makes the array.
        shape: the shape that is expected.
        timeout_s: seconds to wait for another process that builds the same array.
    """
    path = folder / f"{name}.npz"
    pixels = _read(path, shape)
    if pixels is not None:
        return pixels
    lock = filelock.FileLock(folder / f"{name}.lock", timeout=timeout_s)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except (OSError, NotImplementedError) as error:  # filelock.Timeout is an OSError
        log.info("no lock for %s (%s): building without it", path, error)
        return _build_and_write(path, build)
    try:
        pixels = _read(path, shape)
        return pixels if pixels is not None else _build_and_write(path, build)
    finally:
        lock.release()


def _read(path: Path, shape: tuple[int, ...]) -> Pixels | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            pixels: Pixels = arrays["pixels"]  # the zip member's CRC is checked while reading
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("%s is damaged (%s) and is built again", path, error)
        return None
    if pixels.shape != shape or pixels.dtype != np.uint8:
        log.warning("%s holds %s and is built again", path, pixels.shape)
        return None
    return pixels


def _build_and_write(path: Path, build: Callable[[], Pixels]) -> Pixels:
    pixels = build()
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        with temporary.open("wb") as file:
            np.savez(file, pixels=pixels)
        os.replace(temporary, path)
    except OSError as error:
        log.warning("%s could not be written (%s)", path, error)
        with contextlib.suppress(OSError):
            temporary.unlink()
    return pixels
