"""From the name of a data set to its files, without reading them."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import DataError
from .folder_paths import data_folder

NAMED = ("streetdigits", "cifar10", "svhn")
"""The data sets that have a name of their own."""

PATH_KINDS = ("parquet", "folder")
"""The kinds of files that are named by `KIND:PATH`."""

SPLIT_FOLDERS = {"train": ("train",), "test": ("test", "val", "validation")}
"""What a split's folder of images may be called, the first that is there being taken."""

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
FOREIGN_SUFFIXES = (".gif", ".tif", ".tiff", ".avif", ".heic", ".jp2", ".ppm", ".pgm", ".tga")
"""Images that are not read: to leave them out would measure something else than what is there."""


def readable(text: str) -> str:
    """The text with whatever is no character written out.

    Names of files may hold bytes that stand for none, and can be neither shown nor saved then.
    """
    return text.encode("utf-8", "backslashreplace").decode()


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
    try:
        given = Path(path).expanduser()
    except RuntimeError as error:
        raise DataError(f"there is no file or folder {path}: {error}") from error
    for candidate in (given, data_folder() / given):
        if os.path.exists(candidate):  # unlike Path.exists, False for impossible names
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
    found = _split_files(path, split)
    if not found:
        raise DataError(
            f"{path} holds no file {split}*.parquet; expected one for the {split} split"
        )
    return found


def holds_parquet(folder: Path, split: str) -> bool:
    """Whether a folder has parquet files of a split."""
    return bool(_split_files(folder, split))


def has_splits(name: str) -> bool:
    """Whether there are test images apart from those to train on, as far as files' names tell.

    Raises:
        DataError: for a name that stands for no data set.
    """
    kind, path = split_name(name)
    if kind in NAMED:
        return True
    find = parquet_files if kind == "parquet" else class_folders
    try:
        return find(find_path(path), "train") != find(find_path(path), "test")
    except DataError:
        return False


def _split_files(folder: Path, split: str) -> tuple[Path, ...]:
    for pattern in (f"{split}.parquet", f"{split}-*.parquet", f"{split}*.parquet"):
        found = sorted(folder.glob(pattern))
        if found:
            return tuple(found)
    return ()


def class_folders(path: Path, split: str) -> tuple[Path, ...]:
    """One folder a class, sorted by name: in PATH's folder for the split, else in PATH itself.

    Where PATH holds folders of splits (`SPLIT_FOLDERS`), a class of any is a class of all, so that
    labels agree; its folder need not exist in each.

    Raises:
        DataError: if PATH is not a folder, has no folder for that split but for another one, or
            has fewer than two classes.
    """
    if not path.is_dir():
        raise DataError(f"{path} is a file; expected a folder with one folder a class")
    splits = _splits(path)
    root = _choose_split(path, splits, split) if splits else path
    names = sorted({p.name for r in splits or (path,) for p in _folders(r)})
    if len(names) < 2:
        raise DataError(
            f"{root} holds {len(names)} folders; expected one folder a class, at least 2"
        )
    return tuple(root / name for name in names)


def _splits(path: Path) -> tuple[Path, ...]:
    """The folders of splits. One that is called so and holds images alone may be a class."""
    known = {name for names in SPLIT_FOLDERS.values() for name in names}
    folders = _folders(path)
    found = tuple(folder for folder in folders if folder.name in known)
    nested = len(found) == len(folders) or any(_folders(folder) for folder in found)
    return found if nested else ()


def _choose_split(path: Path, splits: tuple[Path, ...], split: str) -> Path:
    for name in SPLIT_FOLDERS[split]:
        if path / name in splits:
            return path / name
    raise DataError(
        f"{path} has no folder {' or '.join(SPLIT_FOLDERS[split])} for the {split} split, only "
        f"{', '.join(folder.name for folder in splits)}: choose the other split, or name the "
        "folder that holds one folder a class"
    )


def _folders(path: Path) -> tuple[Path, ...]:
    return tuple(sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith(".")))


def image_files(folder: Path) -> tuple[str, ...]:
    """The paths of the image files of one class, sorted by name, folders inside it included.

    As texts: of tens of thousands of files that takes half the time.

    Raises:
        DataError: for a folder that cannot be read, or an image of a format that is not.
    """
    found = []
    for root, _, names in os.walk(folder, onerror=_refuse_unreadable):
        by_suffix = [(os.path.splitext(n)[1].lower(), n) for n in names if not n.startswith(".")]
        foreign = [name for suffix, name in by_suffix if suffix in FOREIGN_SUFFIXES]
        if foreign:
            named = os.path.join(root, min(foreign))
            raise DataError(
                f"{named} is of a format that is not read; expected files ending in "
                f"{', '.join(IMAGE_SUFFIXES)}: convert it or take it away"
            )
        images = [os.path.join(root, n) for suffix, n in by_suffix if suffix in IMAGE_SUFFIXES]
        found += [path for path in images if os.path.isfile(path)]
    return tuple(sorted(found, key=lambda path: path.split(os.sep)))


def _refuse_unreadable(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):  # a class need not have a folder in each split
        raise DataError(f"{error.filename} cannot be read: {error.strerror}") from error
