"""The name of a data set's content, so that a result never meets other data than its own.

Nothing here imports torch.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from dqviz.specs import DataSpec

from .downloads import ARCHIVES, FROM_FILES, local_form, local_parquet
from .errors import DataError
from .locations import (
    class_folders,
    find_path,
    image_files,
    parquet_files,
    readable,
    split_name,
)
from .progress import Progress, silent
from .streetdigits import DATA_VERSION

CHUNK_BYTES = 8 * 2**20
MAX_REMEMBERED = 500_000

_remembered: dict[tuple[int, ...], str] = {}
"""The SHA-256 of files read before, by what changes with their content."""


def fingerprint_data(spec: DataSpec, *, progress: Progress = silent) -> str:
    """The name of the content of a split.

    For the rendered data set its version; for a download the checksum published with it; for files
    the SHA-256 of their content, remembered in this process for as long as they do not change.

    Args:
        spec: the data set and its split; which of its images plays no part.
        progress: called with the bytes read and the bytes to read.

    Raises:
        DataError: for an unknown data set, or files that do not exist or cannot be read.
    """
    kind, path = split_name(spec.name)
    if kind == "parquet":
        return fingerprint_files(parquet_files(find_path(path), spec.split), progress=progress)
    if kind == "folder":
        return _fingerprint_folders(class_folders(find_path(path), spec.split), progress)
    if kind == "streetdigits":
        return f"streetdigits-{DATA_VERSION}-{spec.split}"
    if local_form(kind, spec.split) == FROM_FILES:
        return fingerprint_files(local_parquet(kind, spec.split), progress=progress)
    return f"{kind}-md5-{ARCHIVES[kind, spec.split].md5}-{spec.split}"


def _fingerprint_folders(folders: Sequence[Path], progress: Progress) -> str:
    by_class = []
    for folder in folders:
        progress(0, 0)
        by_class.append(image_files(folder))
    digests = iter(_digests([file for files in by_class for file in files], progress))
    return _combine(
        _combine([readable(folder.name), *[next(digests) for _ in files]])
        for folder, files in zip(folders, by_class, strict=True)
    )


def fingerprint_files(
    files: Sequence[str | os.PathLike[str]], *, progress: Progress = silent
) -> str:
    """The SHA-256 of one file (64 hexadecimal digits), or of the SHA-256s of several.

    Raises:
        DataError: if one cannot be read.
    """
    digests = _digests(files, progress)
    return digests[0] if len(digests) == 1 else _combine(digests)


def _digests(files: Sequence[str | os.PathLike[str]], progress: Progress) -> list[str]:
    """The SHA-256 of each file's content; what is remembered is not read again."""
    found = [_look(file) for file in files]
    unread = {identity: size for identity, size in found if identity not in _remembered}
    done, total = 0, sum(unread.values())
    digests = []
    for file, (identity, size) in zip(files, found, strict=True):
        digest = _remembered.get(identity)
        if digest is None:
            digest = _read(file, progress, done=done, total=total)
            done += size
            if len(_remembered) < MAX_REMEMBERED:
                _remembered[identity] = digest
        digests.append(digest)
    return digests


def _look(file: str | os.PathLike[str]) -> tuple[tuple[int, ...], int]:
    """What changes whenever a file's content does, and its size in bytes."""
    try:
        status = os.stat(file)
    except OSError as error:
        raise _unreadable(file, error) from error
    # A file put in its place with the same size and time still has another number or change time.
    place = (status.st_dev, status.st_ino)
    return (*place, status.st_size, status.st_mtime_ns, status.st_ctime_ns), status.st_size


def _read(file: str | os.PathLike[str], progress: Progress, *, done: int, total: int) -> str:
    """The SHA-256 of a file's content, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    try:
        with open(file, "rb", buffering=0) as opened:
            while chunk := opened.read(CHUNK_BYTES):
                digest.update(chunk)
                done += len(chunk)
                progress(done, total)
    except OSError as error:
        raise _unreadable(file, error) from error
    return digest.hexdigest()


def _unreadable(file: str | os.PathLike[str], error: OSError) -> DataError:
    return DataError(f"{os.fspath(file)} cannot be read: {error.strerror or error}")


def _combine(digests: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()
