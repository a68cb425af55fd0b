"""How many images a split of a data set has, without a pixel read. Needs no torch."""

from __future__ import annotations

from pathlib import Path

from dqviz.specs import DataSpec

from .downloads import FROM_FILES, local_form, local_parquet
from .errors import DataError
from .locations import class_folders, find_path, image_files, parquet_files, split_name
from .streetdigits import IMAGES

PUBLISHED = {
    "cifar10": {"train": 50_000, "test": 10_000},
    "svhn": {"train": 73_257, "test": 26_032},
}
"""The images of the published data sets by split."""


def count_images(spec: DataSpec, *, enough: int | None = None) -> int:
    """How many images the split of a data set has.

    Args:
        spec: the data set and its split; how many images it asks for plays no part.
        enough: counting may stop at this many; None counts all.

    Raises:
        DataError: for an unknown data set, or files that do not exist or cannot be read.
    """
    kind, path = split_name(spec.name)
    if kind == "parquet":
        return _rows(parquet_files(find_path(path), spec.split))
    if kind == "folder":
        return _files(class_folders(find_path(path), spec.split), enough)
    if kind == "streetdigits":
        return IMAGES[spec.split]
    if local_form(kind, spec.split) == FROM_FILES:
        return _rows(local_parquet(kind, spec.split))
    return PUBLISHED[kind][spec.split]


def _rows(files: tuple[Path, ...]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return sum(int(pq.read_metadata(file).num_rows) for file in files)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{files[0]} cannot be read as parquet: {error}") from error


def _files(folders: tuple[Path, ...], enough: int | None) -> int:
    total = 0
    for folder in folders:
        total += len(image_files(folder))
        if enough is not None and total >= enough:
            break
    return total
