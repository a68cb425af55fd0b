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
    require_kind,
    require_one_seed,
    with_values,
)

from .errors import GridError

MAX_BYTES = 2**20
"""A larger file is no grid that a person wrote."""

MAX_DEPTH = 8
"""Twice as deep as the deepest setting, a list in the network of a `crafted_on`, is nested."""

MADE_AT_ONCE = 20_000
"""Up to so many cells are made, about two seconds' work, to see that their settings go together."""

MAX_MESSAGE = 1000
"""So many characters of a message are shown; what a file holds may be longer."""


def read_grid(path: str | Path) -> SweepSpec:
    """The grid in a TOML file.

    Raises:
        GridError: if the file cannot be read, is not TOML, or holds unknown or wrong settings.
    """
    path = Path(path)
    try:
        return parse_grid(_text(path))
    except GridError as error:
        raise GridError(f"{path}: {error}") from error


def parse_grid(text: str) -> SweepSpec:
    """The grid that a TOML text says.

    Raises:
        GridError: if it is not TOML or holds unknown or wrong settings. In a grid of up to
            `MADE_AT_ONCE` cells also if settings do not go together or every cell is excluded;
            a larger one says so when its cells are asked for.
    """
    try:
        table = tomllib.loads(text)
    except RecursionError as error:
        raise GridError("this is not a grid: it is nested too deeply") from error
    except tomllib.TOMLDecodeError as error:
        raise GridError(f"this is not TOML: {_shortened(error)}") from error
    except ValueError as error:  # Python reads no longer ones, whoever asks
        raise GridError("this is not a grid: it has a number of thousands of digits") from error
    try:
        _require_plain(table)
        grid = _from_table(table)
        if grid.product <= MADE_AT_ONCE and not sum(1 for _ in grid.cells()):
            raise GridError("exclude leaves no cell of the grid")
    except (GridError, SpecError) as error:
        raise GridError(_shortened(error)) from error
    return grid


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise GridError("there is no such file") from error
    except (OSError, ValueError) as error:  # a ValueError for a name that no file can have
        reason = "it is a folder" if path.is_dir() else error
        raise GridError(f"it cannot be read: {reason}") from error
    if len(content) > MAX_BYTES:
        raise GridError(f"it has more than {MAX_BYTES:,} bytes, the most a grid may have")
    try:
        return content.decode("utf-8-sig")  # some editors begin a file with a mark
    except UnicodeDecodeError as error:
        raise GridError(f"it is no text in UTF-8: {error}") from error


def _shortened(error: Exception) -> str:
    text = str(error)
    return text if len(text) <= MAX_MESSAGE else f"{text[:MAX_MESSAGE]} ..."


def _require_plain(table: dict[str, Any]) -> None:
    """Refuses what no setting takes and no message could show.

    Raises:
        GridError: naming the setting.
    """
    waiting: list[tuple[tuple[str, ...], int, Any]] = [((), 0, table)]
    while waiting:
        path, depth, value = waiting.pop()
        name = repr(".".join(path))
        if depth > MAX_DEPTH:
            raise GridError(f"{name} is nested too deeply")
        if isinstance(value, dict):
            waiting += [((*path, key), depth + 1, inner) for key, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(path, depth + 1, inner) for inner in value]
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise GridError(f"{name} has a whole number of more than 64 bits")
        elif isinstance(value, float) and not math.isfinite(value):
            raise GridError(f"{name} must be a finite number; got {value}")


def _from_table(table: dict[str, Any]) -> SweepSpec:
    exclude = table.pop("exclude", [])
    calibration = table.pop("calibration", None)
    settings = dict(_flat(table))
    require_one_seed(settings)
    if "model" not in settings:
        raise GridError(
            "model is missing: name a network, such as model = 'streetdigits/resnet20/vanilla', "
            "or a list of them"
        )
    base = BASE
    if calibration is not None:
        base = dataclasses.replace(base, calibration=_part("calibration", DataSpec, calibration))
    single: dict[str, Value] = {}
    axes = []
    for path, value in settings.items():
        values = _values(path, value)
        # Which epsilons there may be depends on the norm, which may be an axis.
        if isinstance(value, list) or path == EPSILON:
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
            yield _known("", name), value
            continue
        if not isinstance(value, dict):
            raise GridError(f"{name} must be a table, written [{name}]; got {value!r}")
        for field, inner in value.items():
            yield _known(f"{name}.", field), inner


def _known(part: str, name: str) -> str:
    path = f"{part}{name}"
    if path == "attack.epsilons":
        raise GridError("unknown setting 'attack.epsilons': write epsilon, for one or a list")
    if path not in PATHS or "." in name:
        known = ", ".join(sorted([*PATHS, "calibration", "exclude"]))
        as_written = f'{part}"{name}"' if "." in name else path
        raise GridError(f"unknown setting {as_written!r}; known are {known}")
    return path


def _exclusion(table: dict[str, Any]) -> Exclusion:
    axes = [Axis(path=path, values=_values(path, value)) for path, value in _flat(table)]
    return Exclusion(axes=tuple(axes))


def _values(path: str, value: Any) -> tuple[Value, ...]:
    return tuple(_value(path, item) for item in (value if isinstance(value, list) else [value]))


def _value(path: str, value: Any) -> Value:
    """A setting as the specification takes it.

    Raises:
        GridError: for a value of another type than the setting's, or out of its range.
    """
    if path == "model":
        return _model(path, value)
    if path == "crafted_on":
        return None if value == "itself" else _craft(value)
    if path == EPSILON:
        return _number(path, value)
    if path == "attack.alpha":
        value = _number(path, value)
    if not isinstance(value, str | int | float | bool):
        raise GridError(f"{path} must be a text or a number; got {value!r}")
    try:
        if path == "kind":
            require_kind(value)
        with_values(BASE, {path: value})
    except SpecError as error:
        field, text = path.rpartition(".")[2], str(error)
        own = text.startswith(f"{field} ")
        raise GridError(f"{path}{text[len(field) :]}" if own else f"{path}: {text}") from error
    return value


def _model(path: str, value: Any) -> ModelSpec:
    if isinstance(value, str):
        value = {"id": value}
    elif not isinstance(value, dict):
        raise GridError(
            f"{path} must be a network's id, such as 'streetdigits/resnet20/vanilla', or a table "
            f"that describes a checkpoint; got {value!r}"
        )
    model: ModelSpec = _part(path, ModelSpec, value)
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
    model = _model("crafted_on.model", value["model"])
    return Craft(model=model, quant=_part("crafted_on", QuantSpec, quant))


def _part(name: str, kind: type, value: Any) -> Any:
    if not isinstance(value, dict):
        raise GridError(f"{name} must be a table; got {value!r}")
    fields = [field.name for field in dataclasses.fields(kind) if field.name != "fingerprint"]
    unknown = sorted(set(value) - set(fields))
    if unknown:
        path = f"{name}.{unknown[0]}"
        raise GridError(f"unknown setting {path!r}; known are {', '.join(fields)}")
    lists = {key: tuple(item) if isinstance(item, list) else item for key, item in value.items()}
    try:
        return kind(**lists)
    except SpecError as error:
        raise GridError(f"{name}: {error}") from error


def _number(path: str, value: Any) -> float:
    """A number, or a text such as `1/255`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        top, *bottom = [float(part) for part in value.split("/", 1)]
        number = top / bottom[0] if bottom else top
        if math.isfinite(number):
            return number
    except (AttributeError, ValueError, ZeroDivisionError):
        pass
    raise GridError(f"{path} must be a number, or a fraction such as '1/255'; got {value!r}")
