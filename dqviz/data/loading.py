"""`load_data`: a specification in, labelled images out."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from dqviz.specs import DataSpec

from .downloads import FROM_FILES, local_form, local_parquet
from .errors import DataError
from .fingerprint import fingerprint_data
from .image_folder import ImageFolder
from .locations import find_path, parquet_files, split_name
from .parquet import ParquetSource
from .progress import Progress, silent
from .published import CLASSES, Published
from .rendered import StreetDigits
from .source import Rows, Source


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ImageData:
    """Labelled images.

    Attributes:
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,).
        classes: the classes' names; a label indexes them.
        name: of the data set, as in the specification.
        split: `train` or `test`.
        indices: int64 (N,), the row of every image in the whole split.
        fingerprint: names the content of the whole split.
    """

    images: torch.Tensor
    labels: torch.Tensor
    classes: tuple[str, ...]
    name: str
    split: str
    indices: torch.Tensor
    fingerprint: str

    def __len__(self) -> int:
        return len(self.labels)


def load_data(spec: DataSpec, *, progress: Progress | None = None) -> ImageData:
    """The images that a specification names.

    Images of other proportions are cut to their central square, then resized.

    Args:
        spec: which data set, split and images; see `DataSpec`.
        progress: called now and then with what is done and what there is to do: bytes while
            downloading or reading files whole, images while decoding or rendering.

    Raises:
        DataError: if the data set is unknown, absent or unreadable, has fewer images than asked
            for, or is no longer what the specification's fingerprint says.
    """
    progress = progress or silent
    source = open_source(spec, progress=progress)
    if spec.fingerprint is not None and spec.fingerprint != source.fingerprint:
        raise DataError(
            f"{spec.name} has changed: its fingerprint is {source.fingerprint}; "
            f"expected {spec.fingerprint}"
        )
    rows = choose_rows(len(source.labels), n_samples=spec.n_samples, seed=spec.seed)
    pixels = source.read(rows, spec.image_size or source.native_size, progress)
    return ImageData(
        images=_to_unit_interval(torch.from_numpy(pixels)),
        labels=torch.from_numpy(source.labels[rows]),
        classes=source.classes,
        name=spec.name,
        split=spec.split,
        indices=torch.from_numpy(rows),
        fingerprint=source.fingerprint,
    )


def open_source(spec: DataSpec, *, progress: Progress = silent) -> Source:
    """The split that a specification names, labels read and pixels not yet."""
    kind, path = split_name(spec.name)
    fingerprint = fingerprint_data(spec, progress=progress)
    if kind == "parquet":
        return ParquetSource(parquet_files(find_path(path), spec.split), fingerprint=fingerprint)
    if kind == "streetdigits":
        return StreetDigits(spec.split, fingerprint=fingerprint)
    if kind == "folder":
        return ImageFolder(find_path(path), spec.split, fingerprint=fingerprint)
    classes = CLASSES[kind]
    if local_form(kind, spec.split) == FROM_FILES:
        files = local_parquet(kind, spec.split)
        return ParquetSource(files, fingerprint=fingerprint, classes=classes)
    return Published(kind, spec.split, fingerprint=fingerprint, progress=progress)


def choose_rows(total: int, *, n_samples: int | None, seed: int) -> Rows:
    """The rows of a choice of images: all in order, or the first `n_samples` of a shuffle by seed.

    Raises:
        DataError: if more are asked for than there are.
    """
    if n_samples is None:
        return np.arange(total, dtype=np.int64)
    if n_samples > total:
        raise DataError(f"n_samples is {n_samples:,}; expected at most {total:,}, the whole split")
    draws = np.random.Philox(np.random.SeedSequence(seed)).random_raw(total)
    return np.argsort(draws, kind="stable")[:n_samples].astype(np.int64)


def _to_unit_interval(pixels: torch.Tensor) -> torch.Tensor:
    """uint8 (N, H, W, C) in 0..255 -> float32 (N, C, H, W) in [0, 1]."""
    return pixels.permute(0, 3, 1, 2).contiguous().float().div_(255)
