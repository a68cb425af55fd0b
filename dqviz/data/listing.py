"""Which data sets there are, and what of them is on this machine."""

from __future__ import annotations

import dataclasses

from .downloads import download_folder, expected_files, local_form
from .folder_paths import cache_folder, data_folder
from .streetdigits import IMAGES


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataInfo:
    """A data set, for lists.

    Attributes:
        name: as in `DataSpec`.
        description: one line.
        present: whether both splits can be had without a network.
        folder: where its files are, or are expected; for files of one's own, where a relative path
            is looked for besides the working folder.
        expected: what to put there; empty where nothing is needed.
    """

    name: str
    description: str
    present: bool
    folder: str
    expected: str = ""


def list_data() -> tuple[DataInfo, ...]:
    """All data sets, the embedded default first."""
    train, test = IMAGES["train"], IMAGES["test"]
    return (
        DataInfo(
            name="streetdigits",
            description=f"house numbers, rendered: {train:,} and {test:,} images of 32x32 pixels",
            present=True,
            folder=str(cache_folder()),
        ),
        _published("cifar10", "CIFAR-10: 50,000 and 10,000 photographs of 32x32 pixels, 10 things"),
        _published("svhn", "SVHN: 73,257 and 26,032 photographed house numbers of 32x32 pixels"),
        DataInfo(
            name="parquet:PATH",
            description="parquet with a column img or image and an integer column label",
            present=True,
            folder=str(data_folder()),
            expected="a file, or a folder with train*.parquet and test*.parquet",
        ),
        DataInfo(
            name="folder:PATH",
            description="image files, one folder a class",
            present=True,
            folder=str(data_folder()),
            expected="PATH/CLASS/*.png, or the same in PATH/train and PATH/test (or PATH/val)",
        ),
    )


def _published(name: str, description: str) -> DataInfo:
    return DataInfo(
        name=name,
        description=description,
        present=all(local_form(name, split) is not None for split in ("train", "test")),
        folder=str(download_folder(name)),
        expected=f"{expected_files(name)}; else it is downloaded",
    )
