"""What a grid from a page may name: built-in data, and files that lie in the data folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from dqviz.specs import Craft, DataSpec, ExperimentSpec, ModelSpec, SweepSpec
from dqviz.specs.sweep import Axis, Exclusion, Value
from dqviz.studies import GridError


def confined(grid: SweepSpec, root: Path) -> SweepSpec:
    """The grid with every path made absolute below `root`, so that no visitor probes the server.

    Raises:
        GridError: for a path that leads out of `root`, naming it.
    """
    return dataclasses.replace(
        grid,
        base=_experiment(grid.base, root),
        axes=tuple(_axis(axis, root) for axis in grid.axes),
        exclude=tuple(
            Exclusion(axes=tuple(_axis(axis, root) for axis in exclusion.axes))
            for exclusion in grid.exclude
        ),
    )


def _experiment(spec: ExperimentSpec, root: Path) -> ExperimentSpec:
    calibration = spec.calibration
    return dataclasses.replace(
        spec,
        model=_model(spec.model, root),
        data=_data(spec.data, root),
        crafted_on=None if spec.crafted_on is None else _craft(spec.crafted_on, root),
        calibration=None if calibration is None else _data(calibration, root),
        image=None if spec.image is None else str(below(spec.image, root)),
    )


def _axis(axis: Axis, root: Path) -> Axis:
    return dataclasses.replace(
        axis, values=tuple(_value(axis.path, value, root) for value in axis.values)
    )


def _value(path: str, value: Value, root: Path) -> Value:
    if isinstance(value, ModelSpec):
        return _model(value, root)
    if isinstance(value, Craft):
        return _craft(value, root)
    return data_name(value, root) if path == "data.name" and isinstance(value, str) else value


def _craft(craft: Craft, root: Path) -> Craft:
    return dataclasses.replace(craft, model=_model(craft.model, root))


def _model(model: ModelSpec, root: Path) -> ModelSpec:
    if model.checkpoint is None:
        return model
    return dataclasses.replace(model, checkpoint=str(below(model.checkpoint, root)))


def _data(data: DataSpec, root: Path) -> DataSpec:
    return dataclasses.replace(data, name=data_name(data.name, root))


def data_name(name: str, root: Path) -> str:
    """The name of a data set with its path, if it has one, made absolute below `root`.

    Raises:
        GridError: if it leads out of `root`.
    """
    kind, separator, path = name.partition(":")
    return f"{kind}:{below(path, root)}" if separator else name


def below(path: str, root: Path) -> Path:
    """A path relative to `root`, made absolute.

    Raises:
        GridError: if it leads out of `root`.
    """
    try:
        found = (root.resolve() / path).resolve()
    except (OSError, ValueError) as error:
        raise GridError(f"{path!r} is no path") from error
    if not found.is_relative_to(root.resolve()):
        raise GridError(f"{path!r} leads out of the data folder: name a file in it")
    return found
