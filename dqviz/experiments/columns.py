"""What a specification says of every row of its table. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dqviz import __version__
from dqviz.specs import ExperimentSpec, ModelSpec


def common_columns(spec: ExperimentSpec) -> dict[str, Any]:
    """The columns that every row of a specification shares."""
    model, weights = network_columns(spec.model)
    crafted_on = "itself" if spec.crafted_on is None else spec.crafted_on.label
    return {
        "model": model,
        "weights": weights,
        "weight_bits": spec.quant.weight_bits,
        "act_bits": spec.quant.act_bits,
        "data": f"{data_name(spec.data.name)} {spec.data.split}",
        "n_samples": spec.data.n_samples,
        "seed": spec.data.seed,
        "crafted_on": crafted_on,
        "version": __version__,
    }


def network_columns(model: ModelSpec) -> tuple[str, str]:
    """A network's id in two: `cifar10/resnet20` and `dq`."""
    name, _, weights = model.label.rpartition("/")
    return name or (model.arch or "checkpoint"), weights


def data_name(name: str) -> str:
    """A data set's name for tables, without the folders of a path from the root."""
    kind, _, path = name.partition(":")
    return f"{kind}:{Path(path).name}" if path and Path(path).is_absolute() else name
