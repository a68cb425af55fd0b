"""The key that names a result, made from all that its numbers depend on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from .checks import SpecError
from .experiment import Craft, ExperimentSpec
from .methods import AttackSpec, DefenseSpec, QuantSpec
from .subjects import DataSpec, ModelSpec

RESULTS_VERSION = 1
"""Raised whenever the same specification would give other numbers than before."""

Spec = DataSpec | ModelSpec | QuantSpec | AttackSpec | DefenseSpec | Craft | ExperimentSpec


def to_json(spec: Spec) -> dict[str, Any]:
    """The specification as plain JSON values, with the class name of every part."""
    fields = {f.name: _plain(getattr(spec, f.name)) for f in dataclasses.fields(spec)}
    return {"class": type(spec).__name__, **fields}


def _plain(value: object) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_json(value)  # type: ignore[arg-type]
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def spec_key(spec: Spec) -> str:
    """The name of a result: 32 hexadecimal digits of the canonical JSON's SHA-256.

    Class names and `RESULTS_VERSION` are part of what is hashed.

    Raises:
        SpecError: if a network or data set in it has not been resolved (its fingerprint is None).
    """
    for part in _parts(spec):
        if isinstance(part, (ModelSpec, DataSpec)) and part.fingerprint is None:
            name = part.id if isinstance(part, ModelSpec) else part.name
            raise SpecError(f"only resolved specifications have a key; {name!r} has no fingerprint")
    document = {"results_version": RESULTS_VERSION, "spec": to_json(spec)}
    text = json.dumps(_canonical(document), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _canonical(value: Any) -> Any:
    """Numbers that are equal in one form: 1.0 as 1, and no negative zero."""
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _parts(spec: object) -> list[object]:
    if not dataclasses.is_dataclass(spec) or isinstance(spec, type):
        return []
    nested = [_parts(getattr(spec, f.name)) for f in dataclasses.fields(spec)]
    return [spec, *[part for parts in nested for part in parts]]
