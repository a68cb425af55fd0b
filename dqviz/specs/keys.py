"""The key that names a result, made from all that its numbers depend on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any, get_args

from .checks import SpecError, require
from .experiment import FAST_KINDS, Craft, ExperimentSpec
from .methods import AttackSpec, DefenseSpec, QuantSpec
from .subjects import DataSpec, ModelSpec

RESULTS_VERSION = 1
"""Raised whenever the same specification would give other numbers than before."""

Spec = DataSpec | ModelSpec | QuantSpec | AttackSpec | DefenseSpec | Craft | ExperimentSpec

ADDED: dict[str, dict[str, Any]] = {
    "ModelSpec": {"squeeze_bits": None, "squeeze_median": None},
    "AttackSpec": {"loss": "cross_entropy", "momentum": 1.0, "queries": 500},
    "ExperimentSpec": {"fast": False, "severities": [1, 3, 5], "rounded": True},
}
"""Fields that older specifications lack, with the value that says what was computed then.

While a field has that value it is left out of the key, so that older results keep theirs.
"""

CLASSES: dict[str, type[Spec]] = {kind.__name__: kind for kind in get_args(Spec)}


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


def from_json(document: object) -> Spec:
    """The specification that `to_json` has made these plain JSON values of.

    Raises:
        SpecError: for another class than those of specifications, for a field that is unknown,
            missing or of another type, and for a value that cannot be computed.
    """
    if not isinstance(document, dict):
        raise SpecError(f"a specification is an object; got {_short(document)}")
    name = document.get("class")
    kind = CLASSES.get(name) if isinstance(name, str) else None
    if kind is None:
        raise SpecError(f"{_short(name)} is no specification; known are {', '.join(CLASSES)}")
    given = {field: value for field, value in document.items() if field != "class"}
    known = [field.name for field in dataclasses.fields(kind)]
    unknown = [field for field in given if field not in known]
    given = {**ADDED.get(kind.__name__, {}), **given}
    missing = [field for field in known if field not in given]
    require(not unknown, f"{name} has no field {', '.join(map(_short, unknown))}")
    require(not missing, f"{name} lacks the field {', '.join(missing)}")
    return kind(**{field: _rich(value) for field, value in given.items()})


def _rich(value: object) -> Any:
    if isinstance(value, dict):
        return from_json(value)
    return tuple(map(_rich, value)) if isinstance(value, list) else value


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def spec_key(spec: Spec, *, results_version: int | None = None) -> str:
    """The name of a result: 32 hexadecimal digits of the canonical JSON's SHA-256.

    Class names and the version of results are part of what is hashed.

    Args:
        spec: what is computed.
        results_version: that of an older result; None takes `RESULTS_VERSION`.

    Raises:
        SpecError: if a network or data set in it has not been resolved (its fingerprint is None).
    """
    for part in _parts(spec):
        if isinstance(part, (ModelSpec, DataSpec)) and part.fingerprint is None:
            name = part.id if isinstance(part, ModelSpec) else part.name
            raise SpecError(f"only resolved specifications have a key; {name!r} has no fingerprint")
    version = RESULTS_VERSION if results_version is None else results_version
    document = {"results_version": version, "spec": _without_added(to_json(spec))}
    text = json.dumps(_canonical(document), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _without_added(value: Any) -> Any:
    """Plain JSON values less the fields of `ADDED` that change nothing."""
    if not isinstance(value, dict):
        return value
    idle = dict(ADDED.get(value["class"], {}))
    if value["class"] == "ExperimentSpec" and value["kind"] not in FAST_KINDS:
        idle["fast"] = value["fast"]
    if value["class"] == "ExperimentSpec" and value["kind"] != "accuracy":
        idle["rounded"] = value["rounded"]
    return {
        field: _without_added(item)
        for field, item in value.items()
        if field not in idle or item != idle[field]
    }


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
