"""Image files in folders, one folder a class."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .array_cache import Pixels
from .decode import MAX_FILE_BYTES, decode_image
from .errors import DataError
from .locations import IMAGE_SUFFIXES, class_folders, image_files, readable
from .progress import Progress
from .source import Rows, Source

STEP = 256


class ImageFolder(Source):
    """A split of `folder:PATH`; rows follow the classes, then the names of the files."""

    def __init__(self, path: Path, split: str, *, fingerprint: str) -> None:
        """List the files; pixels are left for later.

        Raises:
            DataError: if there are not at least two folders, or no images in them.
        """
        folders = class_folders(path, split)
        by_class = [image_files(folder) for folder in folders]
        self.files = [Path(file) for files in by_class for file in files]
        if not self.files:
            raise DataError(
                f"the folders in {folders[0].parent} hold no images; "
                f"expected files ending in {', '.join(IMAGE_SUFFIXES)}"
            )
        super().__init__(
            labels=np.repeat(np.arange(len(folders)), [len(files) for files in by_class]),
            classes=[readable(folder.name) for folder in folders],
            fingerprint=fingerprint,
        )

    def decode(self, rows: Rows, size: int, progress: Progress) -> Pixels:
        """See `Source.decode`."""
        out = np.empty((len(rows), size, size, 3), np.uint8)
        for done, row in enumerate(rows, start=1):
            file = self.files[row]
            where = f"{file} (row {row})"
            out[done - 1] = decode_image(_read(file, where), size=size, where=where)
            if done % STEP == 0 or done == len(rows):
                progress(done, len(rows))
        return out


def _read(file: Path, where: str) -> bytes:
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise DataError(f"{where} has more than {MAX_FILE_BYTES:,} bytes, the most allowed")
        return file.read_bytes()
    except OSError as error:
        raise DataError(f"{where} cannot be read: {error.strerror or error}") from error
