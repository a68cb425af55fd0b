"""From the name of a data set to its files, without reading them."""

from __future__ import annotations

from pathlib import Path

from .errors import DataError
from .folder_paths import data_folder

NAMED = ("streetdigits", "cifar10", "svhn")
"""The data sets that have a name of their own."""

PATH_KINDS = ("parquet", "folder")
"""The kinds of files that are named by `KIND:PATH`."""

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def split_name(name: str) -> tuple[str, str]:
    """The kind of data set and its path: `parquet:a/b` -> (`parquet`, `a/b`); a path may be empty.

    Raises:
        DataError: for a name that stands for no data set.
    """
    kind, _, path = name.partition(":")
    if name in NAMED:
        return name, ""
    if kind in PATH_KINDS:
        if not path:
            raise DataError(
                f"{kind}: needs a path after the colon, such as {kind}:PATH; got {name!r}"
            )
        return kind, path
    raise DataError(
        f"no data set is called {name!r}; expected {', '.join(NAMED)}, parquet:PATH or folder:PATH"
    )


def find_path(path: str) -> Path:
    """The file or folder called so; a relative path is looked for here and in the data folder.

    Raises:
        DataError: if there is neither.
    """
    given = Path(path).expanduser()
    for candidate in (given, data_folder() / given):
        if candidate.exists():
            return candidate
    places = f"{given}" if given.is_absolute() else f"{given} (here or in {data_folder()})"
    raise DataError(f"there is no file or folder {places}")


def parquet_files(path: Path, split: str) -> tuple[Path, ...]:
    """The parquet files that hold a split, in order.

    A file serves any split. In a folder it is `SPLIT.parquet`, else all of `SPLIT-*.parquet`
    (shards), else all of `SPLIT*.parquet`.

    Raises:
        DataError: if the folder holds no such file.
    """
    if path.is_file():
        return (path,)
    for pattern in (f"{split}.parquet", f"{split}-*.parquet", f"{split}*.parquet"):
        found = sorted(path.glob(pattern))
        if found:
            return tuple(found)
    raise DataError(f"{path} holds no file {split}*.parquet; expected one for the {split} split")


def class_folders(path: Path, split: str) -> tuple[Path, ...]:
    """The folders of the classes, sorted by name: those of `PATH/SPLIT` if it exists, else of PATH.

    Raises:
        DataError: if PATH is not a folder, or fewer than two folders are in it.
    """
    if not path.is_dir():
        raise DataError(f"{path} is a file; expected a folder with one folder a class")
    root = path / split if (path / split).is_dir() else path
    folders = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    if len(folders) < 2:
        raise DataError(
            f"{root} holds {len(folders)} folders; expected one folder a class, at least 2"
        )
    return tuple(folders)


def image_files(folder: Path) -> tuple[Path, ...]:
    """The image files of one class, sorted by name, folders inside it included."""
    return tuple(
        sorted(
            p
            for p in folder.rglob("*")
            if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".") and p.is_file()
        )
    )
