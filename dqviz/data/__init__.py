"""Data sets by name: labelled images, float32 (N, C, H, W) in [0, 1].

What needs torch is loaded when it is first asked for, so that the browser pages can name data sets,
find folders and take fingerprints without it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .counting import count_images
from .errors import ClassesError, DataError
from .fingerprint import fingerprint_data
from .folder_paths import data_folder
from .listing import DataInfo, list_data

if TYPE_CHECKING:
    from .loading import ImageData, load_data

__all__ = [
    "ClassesError",
    "DataError",
    "DataInfo",
    "ImageData",
    "count_images",
    "data_folder",
    "fingerprint_data",
    "list_data",
    "load_data",
]

_NEEDS_TORCH = {"ImageData": ".loading", "load_data": ".loading"}


def __getattr__(name: str) -> Any:
    if name in _NEEDS_TORCH:
        return getattr(importlib.import_module(_NEEDS_TORCH[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
