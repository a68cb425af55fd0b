"""CIFAR-10 and SVHN through torchvision, which takes a second to import: only when one is read."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from .array_cache import Pixels
from .downloads import download_folder, expected_files, fetch
from .errors import DataError
from .progress import Progress
from .source import Rows, Source

CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
SVHN_CLASSES = tuple("0123456789")

CLASSES = {"cifar10": CIFAR10_CLASSES, "svhn": SVHN_CLASSES}


class Published(Source):
    """A split of CIFAR-10 or SVHN, held in memory as torchvision reads it."""

    cached: ClassVar[bool] = False

    def __init__(self, name: str, split: str, *, fingerprint: str, progress: Progress) -> None:
        """Download what is missing, and read it.

        Raises:
            DataError: if it is neither here nor to be had, or not the published files.
        """
        fetch(name, split, progress)
        folder = download_folder(name)
        try:
            self.pixels, labels = (_cifar10 if name == "cifar10" else _svhn)(folder, split)
        except (RuntimeError, OSError, ValueError, KeyError) as error:
            raise DataError(
                f"the files of {name} in {folder} are not the published ones ({error}): "
                f"delete them, and {expected_files(name)}"
            ) from error
        super().__init__(
            labels=labels, classes=CLASSES[name], fingerprint=fingerprint, fixed_size=True
        )

    def decode(self, rows: Rows, size: int, progress: Progress) -> Pixels:
        """See `Source.decode`."""
        progress(len(rows), len(rows))
        return self.pixels[rows]


def _cifar10(folder: Path, split: str) -> tuple[Pixels, Rows]:
    from torchvision.datasets import CIFAR10

    data = CIFAR10(folder, train=split == "train")
    return np.asarray(data.data, np.uint8), np.asarray(data.targets, np.int64)


def _svhn(folder: Path, split: str) -> tuple[Pixels, Rows]:
    from torchvision.datasets import SVHN

    try:
        data = SVHN(folder, split=split)
    except ImportError as error:
        raise DataError("svhn needs SciPy to read its files: pip install scipy") from error
    pixels = np.ascontiguousarray(np.asarray(data.data, np.uint8).transpose(0, 2, 3, 1))
    return pixels, np.asarray(data.labels, np.int64)
