"""A grid as a TOML file: the fields of the specifications, with a list wherever an axis is wanted.

kind = "accuracy"
model = ["streetdigits/resnet20/vanilla", "streetdigits/resnet20/dq"]
seed = [0, 1, 2]

[data]
n_samples = 256

[quant]
weight_bits = 8
act_bits = [32, 8, 4]

[attack]
name = ["fgsm", "pgd"]
epsilon = ["1/255", "2/255"]

[[exclude]]
quant.act_bits = 32
attack.name = "pgd"
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dqviz.specs import Craft, DataSpec, ModelSpec, QuantSpec, SpecError
from dqviz.specs.sweep import (
    BASE,
    EPSILON,
    PATHS,
    Axis,
    Exclusion,
    SweepSpec,
    Value,
    with_values,
)

from .errors import GridError

MAX_BYTES = 2**20
"""A larger file is no grid that a person wrote."""


def read_grid(path: str | Path) -> SweepSpec:
    """The grid in a TOML file.

    Raises:
        GridError: if the file is missing, is not TOML, or holds unknown or wrong settings.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise GridError(f"{path} has more than {MAX_BYTES:,} bytes, the most a grid may have")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise GridError(f"there is no grid at {path}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise GridError(f"{path} cannot be read: {error}") from error
    try:
        return parse_grid(text)
    except GridError as error:
        raise GridError(f"{path}: {error}") from error


def parse_grid(text: str) -> SweepSpec:
    """The grid that a TOML text says.

    Raises:
        GridError: if it is not TOML, or holds unknown or wrong settings.
    """
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise GridError(f"this is not TOML: {error}") from error
    try:
        return _from_table(table)
    except SpecError as error:
        raise GridError(str(error)) from error


def _from_table(table: dict[str, Any]) -> SweepSpec:
    exclude = table.pop("exclude", [])
    calibration = table.pop("calibration", None)
    base = BASE
    if calibration is not None:
        base = dataclasses.replace(base, calibration=_part("calibration", DataSpec, calibration))
    single: dict[str, Value] = {}
    axes = []
    for path, value in _flat(table):
        values = _values(path, value)
        if isinstance(value, list):
            axes.append(Axis(path=path, values=values))
        else:
            single[path] = values[0]
    base = with_values(base, single)
    if not isinstance(exclude, list) or not all(isinstance(item, dict) for item in exclude):
        raise GridError("exclude must be a list of tables, each written [[exclude]]")
    return SweepSpec(base=base, axes=tuple(axes), exclude=tuple(map(_exclusion, exclude)))


def _flat(table: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The settings by path: those of the parts as `part.field`."""
    parts = {path.partition(".")[0] for path in PATHS if "." in path}
    for name, value in table.items():
        if name not in parts:
            yield _known(name), value
            continue
        if not isinstance(value, dict):
            raise GridError(f"{name} must be a table, written [{name}]; got {value!r}")
        for field, inner in value.items():
            yield _known(f"{name}.{field}"), inner


def _known(path: str) -> str:
    if path == "attack.epsilons":
        raise GridError(f"epsilons are an axis of their own: write {EPSILON.partition('.')[2]}")
    if path not in PATHS:
        raise GridError(f"unknown setting {path!r}; known are {', '.join(sorted(PATHS))}, exclude")
    return path


def _exclusion(table: dict[str, Any]) -> Exclusion:
    axes = [Axis(path=path, values=_values(path, value)) for path, value in _flat(table)]
    return Exclusion(axes=tuple(axes))


def _values(path: str, value: Any) -> tuple[Value, ...]:
    return tuple(_value(path, item) for item in (value if isinstance(value, list) else [value]))


def _value(path: str, value: Any) -> Value:
    """A setting as the specification takes it.

    Raises:
        GridError: for a value of another type than the setting's.
    """
    if path == "model":
        return _model(value)
    if path == "crafted_on":
        return None if value == "itself" else _craft(value)
    if path in (EPSILON, "attack.alpha"):
        return _number(path, value)
    if not isinstance(value, str | int | float | bool):
        raise GridError(f"{path} must be a text or a number; got {value!r}")
    with_values(BASE, {path: value})  # refuses values of another type
    return value


def _model(value: Any) -> ModelSpec:
    if isinstance(value, str):
        return ModelSpec(id=value)
    model: ModelSpec = _part("model", ModelSpec, value)
    if model.checkpoint is not None and "id" not in value:
        stem = Path(model.checkpoint).stem
        model = dataclasses.replace(model, id=f"checkpoint/{model.arch or 'network'}/{stem}")
    return model


def _craft(value: Any) -> Craft:
    if not isinstance(value, dict) or "model" not in value:
        raise GridError(
            "crafted_on must be 'itself' or a table with a model and, unless it is at full "
            f"precision, its bits; got {value!r}"
        )
    quant = {name: setting for name, setting in value.items() if name != "model"}
    return Craft(model=_model(value["model"]), quant=_part("crafted_on", QuantSpec, quant))


def _part(name: str, kind: type, value: Any) -> Any:
    if not isinstance(value, dict):
        raise GridError(f"{name} must be a table; got {value!r}")
    fields = [field.name for field in dataclasses.fields(kind) if field.name != "fingerprint"]
    unknown = sorted(set(value) - set(fields))
    if unknown:
        raise GridError(f"unknown setting {name}.{unknown[0]}; known are {', '.join(fields)}")
    lists = {key: tuple(item) if isinstance(item, list) else item for key, item in value.items()}
    return kind(**lists)


def _number(path: str, value: Any) -> float:
    """A number, or a text such as `1/255`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    try:
        top, _, bottom = str(value).partition("/")
        number = float(top) / float(bottom or 1)
        if isinstance(value, str) and math.isfinite(number):
            return number
    except (ValueError, ZeroDivisionError):
        pass
    raise GridError(f"{path} must be a number, or a fraction such as '1/255'; got {value!r}")
