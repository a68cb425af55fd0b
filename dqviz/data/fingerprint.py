"""The name of a data set's content, so that a result never meets other data than its own.

Nothing here imports torch.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

from dqviz.specs import DataSpec

from .downloads import ARCHIVES, FROM_FILES, local_form, local_parquet
from .errors import DataError
from .locations import class_folders, find_path, image_files, parquet_files, split_name
from .streetdigits import DATA_VERSION


def fingerprint_data(spec: DataSpec) -> str:
    """The name of the content of a split.

    For the rendered data set its version; for a download the checksum published with it; for files
    the SHA-256 of their content, remembered in this process by path, size and time of change.

    Raises:
        DataError: for an unknown data set, or files that do not exist or cannot be read.
    """
    kind, path = split_name(spec.name)
    if kind == "parquet":
        return fingerprint_files(parquet_files(find_path(path), spec.split))
    if kind == "folder":
        folders = class_folders(find_path(path), spec.split)
        return _combine(_combine([f.name, *map(file_sha256, image_files(f))]) for f in folders)
    if kind == "streetdigits":
        return f"streetdigits-{DATA_VERSION}-{spec.split}"
    if local_form(kind, spec.split) == FROM_FILES:
        return fingerprint_files(local_parquet(kind, spec.split))
    return f"{kind}-md5-{ARCHIVES[kind, spec.split].md5}-{spec.split}"


def fingerprint_files(files: Iterable[Path]) -> str:
    """The SHA-256 of one file, or of the SHA-256s of several."""
    digests = [file_sha256(file) for file in files]
    return digests[0] if len(digests) == 1 else _combine(digests)


def _combine(digests: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's content, 64 hexadecimal digits.

    Raises:
        DataError: if it cannot be read.
    """
    try:
        status = path.stat()
        return _sha256(path.resolve(), status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


@functools.lru_cache(maxsize=100_000)
def _sha256(path: Path, size: int, changed_ns: int) -> str:  # size and time are the memo's key
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
