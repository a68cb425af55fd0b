"""Networks by name: architectures, published and shipped weights, checkpoints from outside.

Everything that needs torch is loaded when it is first asked for, so that `ModelError` can be had
without it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dqviz.models.errors import ModelError

if TYPE_CHECKING:
    from dqviz.models.catalog import architectures, build, image_size
    from dqviz.models.checkpoints import load_checkpoint
    from dqviz.models.loading import (
        ModelInfo,
        list_models,
        load_model,
        model_info,
        resolve_model,
    )
    from dqviz.models.normalize import Classifier, Normalize
    from dqviz.models.operations import UnsupportedOperation

__all__ = [
    "Classifier",
    "ModelError",
    "ModelInfo",
    "Normalize",
    "UnsupportedOperation",
    "architectures",
    "build",
    "image_size",
    "list_models",
    "load_checkpoint",
    "load_model",
    "model_info",
    "resolve_model",
]

_NEEDS_TORCH = {
    "Classifier": "normalize",
    "ModelInfo": "loading",
    "Normalize": "normalize",
    "UnsupportedOperation": "operations",
    "architectures": "catalog",
    "build": "catalog",
    "image_size": "catalog",
    "list_models": "loading",
    "load_checkpoint": "checkpoints",
    "load_model": "loading",
    "model_info": "loading",
    "resolve_model": "loading",
}


def __getattr__(name: str) -> Any:
    if name in _NEEDS_TORCH:
        return getattr(importlib.import_module(f"{__name__}.{_NEEDS_TORCH[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
