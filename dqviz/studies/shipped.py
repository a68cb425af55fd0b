"""Stores that come with the package: `shipped:NAME`, read as they stand and never written."""

from __future__ import annotations

from pathlib import Path

import dqviz

from .errors import StoreError

PREFIX = "shipped:"
SUFFIX = ".sqlite"


def folder() -> Path:
    """Where they lie."""
    return Path(dqviz.__file__).resolve().parent / "results"


def shipped_names() -> tuple[str, ...]:
    """What there is, as `shipped:NAME`."""
    return tuple(f"{PREFIX}{path.stem}" for path in sorted(folder().glob(f"*{SUFFIX}")))


def is_shipped(path: Path) -> bool:
    """Whether a file is one of the package's own."""
    return path.resolve().parent == folder()


def find_store(name: str | Path) -> Path:
    """The file that a name stands for: `shipped:NAME`, or a path.

    Raises:
        StoreError: if no such store comes with the package, naming those that do.
    """
    text = str(name)
    if not text.startswith(PREFIX):
        return Path(name)
    if text not in shipped_names():
        known = ", ".join(shipped_names()) or "none"
        raise StoreError(f"no store {text!r} comes with dqviz; there are {known}")
    return folder() / f"{text.removeprefix(PREFIX)}{SUFFIX}"
