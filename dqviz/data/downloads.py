"""Published data sets: where their files come from, where they lie, how they are fetched.

CIFAR-10: Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
SVHN: Netzer et al., Reading Digits in Natural Images with Unsupervised Feature Learning, 2011.
"""

from __future__ import annotations

import dataclasses
import hashlib
import http.client
import os
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import filelock

from .errors import DataError
from .folder_paths import data_folder
from .locations import holds_parquet, parquet_files

CHUNK_BYTES = 256 * 1024
TIMEOUT_S = 30.0
LOCK_TIMEOUT_S = 3600.0
FROM_FILES = "parquet"
ORIGINAL = "original"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Archive:
    """A file on a server.

    Attributes:
        url: where it is fetched from.
        md5: of its content, as published.
        unpacked: the folder that unpacking it makes; None for a file that is used as it is.
    """

    url: str
    md5: str
    unpacked: str | None = None

    @property
    def filename(self) -> str:
        """Its name on the server and here."""
        return self.url.rsplit("/", 1)[-1]


_CIFAR10 = Archive(
    url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    md5="c58f30108f718f92721af3b95e74349a",
    unpacked="cifar-10-batches-py",
)

ARCHIVES: dict[tuple[str, str], Archive] = {
    ("cifar10", "train"): _CIFAR10,
    ("cifar10", "test"): _CIFAR10,
    ("svhn", "train"): Archive(
        url="http://ufldl.stanford.edu/housenumbers/train_32x32.mat",
        md5="e26dedcc434d2e4c54c9b2d4a06d8373",
    ),
    ("svhn", "test"): Archive(
        url="http://ufldl.stanford.edu/housenumbers/test_32x32.mat",
        md5="eb5a983be6a315427106f1b164d9cef3",
    ),
}
"""The file that holds a split of a published data set."""


def download_folder(name: str) -> Path:
    """Where the files of a published data set lie, or may be put."""
    return data_folder() / name


def local_form(name: str, split: str) -> str | None:
    """What of a split is on this machine: `original` files, `parquet` files, or None for nothing.

    Only names are looked at; original files come first.
    """
    archive, folder = ARCHIVES[name, split], download_folder(name)
    if (folder / archive.filename).is_file() or (
        archive.unpacked is not None and (folder / archive.unpacked).is_dir()
    ):
        return ORIGINAL
    return FROM_FILES if holds_parquet(folder, split) else None


def local_parquet(name: str, split: str) -> tuple[Path, ...]:
    """The parquet files that were put into a published data set's folder."""
    return parquet_files(download_folder(name), split)


def expected_files(name: str) -> str:
    """What to put where, as a clause: `put FILE (from URL) into FOLDER, or parquet files ...`."""
    urls = dict.fromkeys(ARCHIVES[name, split].url for split in ("train", "test"))
    files = " and ".join(f"{url.rsplit('/', 1)[-1]} (from {url})" for url in urls)
    return (
        f"put {files} into {download_folder(name)}, or parquet files called train*.parquet and "
        "test*.parquet"
    )


def fetch(name: str, split: str, progress: Callable[[int, int], None]) -> None:
    """Make sure that the original files of a split are here and unpacked.

    Args:
        name: `cifar10` or `svhn`.
        split: `train` or `test`.
        progress: called with the bytes downloaded and the bytes there are.

    Raises:
        DataError: if they cannot be downloaded, or are not the published ones.
    """
    archive, folder = ARCHIVES[name, split], download_folder(name)
    unpacked = None if archive.unpacked is None else folder / archive.unpacked
    if unpacked is not None and unpacked.is_dir():
        return
    if unpacked is None and (folder / archive.filename).is_file():
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / f"{archive.filename}.lock", timeout=LOCK_TIMEOUT_S):
            if not (folder / archive.filename).is_file():
                _download(archive, folder, progress)
            if unpacked is not None and not unpacked.is_dir():
                _unpack(archive, folder)
    except (OSError, http.client.HTTPException) as error:
        raise DataError(
            f"{name} is not on this machine and could not be downloaded ({_reason(error)}): "
            f"{expected_files(name)}; or use streetdigits, the embedded default, "
            "which needs no download"
        ) from error


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason) or type(error).__name__


def _download(archive: Archive, folder: Path, progress: Callable[[int, int], None]) -> None:
    """Fetch under a name of its own, compare the checksum, and only then give it its name."""
    path = folder / archive.filename
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    md5 = hashlib.md5(usedforsecurity=False)
    try:
        request = urllib.request.Request(archive.url, headers={"User-Agent": "dqviz"})
        with (
            urllib.request.urlopen(request, timeout=TIMEOUT_S) as response,
            temporary.open("wb") as file,
        ):
            total, done = int(response.headers.get("Content-Length") or 0), 0
            while chunk := response.read(CHUNK_BYTES):
                file.write(chunk)
                md5.update(chunk)
                done += len(chunk)
                progress(done, max(total, done))
        if md5.hexdigest() != archive.md5:
            raise DataError(
                f"{archive.url} has the MD5 {md5.hexdigest()} after {done:,} bytes; "
                f"expected {archive.md5}: the download was cut short, or another page was sent in "
                f"the file's place; {expected_files(folder.name)}; or use streetdigits, the "
                "embedded default, which needs no download"
            )
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _unpack(archive: Archive, folder: Path) -> None:
    path = folder / archive.filename
    try:
        with tarfile.open(path) as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{path} cannot be unpacked ({error}): delete it and try again") from error
