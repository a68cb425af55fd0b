"""What every data set offers: labels at once, pixels on request; caching and limits live here."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from .array_cache import Pixels, cached_pixels
from .errors import DataError
from .folder_paths import cache_folder
from .progress import Progress

Rows = npt.NDArray[np.int64]

MAX_CACHED_BYTES = 512 * 2**20
"""A split whose decoded pixels take more than this is decoded row by row, as asked for."""

MAX_BYTES = 16 * 2**30
"""What the float32 images of one request may take in memory."""


class Source(abc.ABC):
    """One split of a data set.

    Attributes:
        labels: int64 (N,), the class of every row.
        classes: the classes' names; a label indexes them.
        native_size: side in pixels where no other is asked for.
        fixed_size: whether all images have that size, so that the cache need hold no other.
        fingerprint: names the content.
        cached: whether decoded pixels are worth keeping on disk.
    """

    cached: ClassVar[bool] = True

    def __init__(
        self,
        *,
        labels: Rows,
        classes: Sequence[str],
        fingerprint: str,
        native_size: int = 32,
        fixed_size: bool = False,
    ) -> None:
        self.labels = labels
        self.classes = tuple(classes)
        self.native_size = native_size
        self.fixed_size = fixed_size
        self.fingerprint = fingerprint

    @abc.abstractmethod
    def decode(self, rows: Rows, size: int, progress: Progress) -> Pixels:
        """The pixels of some rows, in their order: uint8 (len(rows), size, size, 3).

        Where all images have one size, `size` is that.
        """

    def read(self, rows: Rows, size: int, progress: Progress) -> Pixels:
        """Like `decode`, from the cache on disk where the whole split is small enough to keep.

        Raises:
            DataError: if the images do not fit in memory.
        """
        wanted = len(rows) * size * size * 3 * 4
        if wanted > MAX_BYTES:
            raise DataError(
                f"{len(rows):,} images of {size} x {size} pixels take {wanted / 2**30:.0f} GiB; "
                f"expected at most {MAX_BYTES / 2**30:.0f} GiB: ask for fewer images (n_samples)"
            )
        if self.fixed_size and size != self.native_size:
            return resized(self.read(rows, self.native_size, progress), size)
        everything = len(self.labels) * size * size * 3
        if not self.cached or everything > MAX_CACHED_BYTES:
            return self.decode(rows, size, progress)
        whole = cached_pixels(
            cache_folder(),
            f"{self.fingerprint[:48]}-{size}".replace(":", "-"),
            lambda: self.decode(np.arange(len(self.labels)), size, progress),
            shape=(len(self.labels), size, size, 3),
        )
        return whole[rows]


def resized(pixels: Pixels, size: int) -> Pixels:
    """Square images (N, S, S, 3) -> (N, size, size, 3), bilinear; untouched if S is the size."""
    if pixels.shape[1] == size:
        return pixels
    out = np.empty((len(pixels), size, size, 3), np.uint8)
    for k, image in enumerate(pixels):
        out[k] = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))
    return out
