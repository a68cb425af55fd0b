"""A grid of experiments: a base, the axes along which it varies, and what is left out."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from .checks import SpecError, require
from .experiment import Craft, ExperimentSpec
from .methods import AttackSpec, QuantSpec
from .subjects import DataSpec, ModelSpec

Value = str | int | float | bool | None | ModelSpec | Craft

SEED = "seed"
"""The axis that sets the seed of the images and that of the attack together."""

EPSILON = "attack.epsilon"
"""The axis of epsilons (pixel units): every cell of a sweep has one."""

_OWN = ("kind", "model", "crafted_on", "controls", "details", "batch_size")
_PARTS: Mapping[str, type] = {"data": DataSpec, "quant": QuantSpec, "attack": AttackSpec}

PATHS: tuple[str, ...] = (
    *_OWN,
    SEED,
    EPSILON,
    *(
        f"{part}.{field.name}"
        for part, kind in _PARTS.items()
        for field in dataclasses.fields(kind)
        if field.name not in ("fingerprint", "epsilons")
    ),
)
"""What an axis may be called: a field of `ExperimentSpec` or of its parts, or a name above."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Axis:
    """A field and the values that it takes, such as `quant.act_bits` and (8, 4); see `PATHS`."""

    path: str
    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        require(self.path in PATHS, f"{self.path!r} is no axis; expected {', '.join(PATHS)}")
        require(len(self.values) > 0, f"{self.path} has no values, so that the grid is empty")
        twice = [_text(v) for i, v in enumerate(self.values) if v in self.values[:i]]
        require(not twice, f"{self.path} has the value {' and '.join(twice)} twice")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exclusion:
    """Cells to leave out: those that have, on every axis named here, one of its values."""

    axes: tuple[Axis, ...]

    def __post_init__(self) -> None:
        require(len(self.axes) > 0, "an exclusion names at least one axis")

    def covers(self, values: Mapping[str, Value]) -> bool:
        """Whether a cell with these values by axis is left out."""
        return all(values.get(axis.path) in axis.values for axis in self.axes)


BASE = ExperimentSpec(kind="accuracy")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SweepSpec:
    """The product of the axes, each cell an `ExperimentSpec`, less what is excluded.

    The first axis varies slowest. What no axis names is as in `base`, whose attack has one epsilon.
    """

    base: ExperimentSpec = BASE
    axes: tuple[Axis, ...] = ()
    exclude: tuple[Exclusion, ...] = ()

    def __post_init__(self) -> None:
        paths = [axis.path for axis in self.axes]
        twice = [path for i, path in enumerate(paths) if path in paths[:i]]
        require(not twice, f"the axis {', '.join(twice)} is there twice")
        clash = {"data.seed", "attack.seed"} & set(paths) if SEED in paths else set()
        require(not clash, f"{SEED} sets {', '.join(sorted(clash))} too: keep one of them")
        require(len(self.base.attack.epsilons) == 1, "the base of a sweep has one epsilon")
        for axis in [axis for exclusion in self.exclude for axis in exclusion.axes]:
            require(
                axis.path in paths,
                f"an exclusion names {axis.path}, which is no axis of this grid; its axes are "
                f"{', '.join(paths) or 'none'}",
            )

    @property
    def product(self) -> int:
        """How many cells there are before exclusions."""
        return math.prod(len(axis.values) for axis in self.axes)

    def cells(self) -> Iterator[ExperimentSpec]:
        """Every cell that is not excluded, in order.

        Raises:
            SpecError: for values that do not go together, naming them.
        """
        for combination in itertools.product(*(axis.values for axis in self.axes)):
            values = {a.path: v for a, v in zip(self.axes, combination, strict=True)}
            if not any(exclusion.covers(values) for exclusion in self.exclude):
                yield self._cell(values)

    def _cell(self, values: Mapping[str, Value]) -> ExperimentSpec:
        try:
            return with_values(self.base, values)
        except SpecError as error:
            named = ", ".join(f"{path} {_text(value)}" for path, value in values.items())
            raise SpecError(f"the cell with {named}: {error}") from error


def with_values(base: ExperimentSpec, values: Mapping[str, Value]) -> ExperimentSpec:
    """The experiment with other values, by path.

    Raises:
        SpecError: for a value that a field does not take.
    """
    own: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {}
    for path, value in values.items():
        part, _, name = path.rpartition(".")
        if path == SEED:
            parts.setdefault("data", {})["seed"] = value
            parts.setdefault("attack", {})["seed"] = value
        elif path == EPSILON:
            parts.setdefault("attack", {})["epsilons"] = (value,)
        elif part:
            parts.setdefault(part, {})[name] = value
        else:
            own[path] = value
    for part, fields in parts.items():
        own[part] = dataclasses.replace(getattr(base, part), **fields)
    return dataclasses.replace(base, **own)


def _text(value: Value) -> str:
    return value.label if isinstance(value, ModelSpec) else repr(value)
