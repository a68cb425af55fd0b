"""What every data set offers: labels at once, pixels on request; caching and limits live here."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from .array_cache import Pixels, cached_pixels
from .errors import DataError
from .folder_paths import cache_folder

Progress = Callable[[int, int], None]
"""Called with the number of images done and the number there are."""

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
        fingerprint: names the content.
    """

    def __init__(
        self, *, labels: Rows, classes: Sequence[str], native_size: int, fingerprint: str
    ) -> None:
        self.labels = labels
        self.classes = tuple(classes)
        self.native_size = native_size
        self.fingerprint = fingerprint

    @abc.abstractmethod
    def decode(self, rows: Rows, size: int, progress: Progress) -> Pixels:
        """The pixels of some rows, in their order: uint8 (len(rows), size, size, 3)."""

    def read(self, rows: Rows, size: int, progress: Progress) -> Pixels:
        """Like `decode`, from the cache on disk where the whole split is small enough to keep.

        Raises:
            DataError: if the images do not fit in memory.
        """
        everything = len(self.labels) * size * size * 3
        wanted = len(rows) * size * size * 3 * 4
        if wanted > MAX_BYTES:
            raise DataError(
                f"{len(rows):,} images of {size} x {size} pixels take {wanted / 2**30:.0f} GiB; "
                f"expected at most {MAX_BYTES / 2**30:.0f} GiB: ask for fewer images (n_samples)"
            )
        if everything > MAX_CACHED_BYTES:
            return self.decode(rows, size, progress)
        whole = cached_pixels(
            cache_folder(),
            f"{self.fingerprint[:48]}-{size}".replace(":", "-"),
            lambda: self.decode(np.arange(len(self.labels)), size, progress),
            shape=(len(self.labels), size, size, 3),
        )
        return whole[rows]
