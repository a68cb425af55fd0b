"""What an experiment gives back: a tidy table, one row a number, and arrays for pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from .provenance import Provenance

COLUMNS = (
    "model",
    "weights",
    "weight_bits",
    "act_bits",
    "attack",
    "epsilon",
    "layer",
    "depth",
    "metric",
    "statistic",
    "value",
    "clean_accuracy",
    "clean_accuracy_full",
    "data",
    "n_samples",
    "seed",
    "crafted_on",
    "calibration",
    "version",
)
"""The columns of every table, in order. `epsilon` is in pixel units, 32 bits are full precision,
`clean_accuracy_full` is that of the same network at full precision on the same images."""

COSTS = ("parameters", "weight_bytes", "other_bytes", "macs", "bit_operations")
"""The metrics that say what a network costs: `dqviz.measure.Efficiency`."""

SAMPLE_COLUMNS = (
    "model",
    "weights",
    "weight_bits",
    "act_bits",
    "attack",
    "epsilon",
    "layer",
    "metric",
    "image",
    "value",
)
"""The columns of the numbers by image; `image` counts from 0 in the order of the data."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """The numbers of one specification.

    `table` has the columns `COLUMNS` and whatever the kind of experiment adds after them. `arrays`
    holds pictures by name (float32, said by the experiment that makes them; see `arrays_at`).
    `notes` are sentences a reader needs, such as where the calibration came from. `samples` has one
    row an image, with `SAMPLE_COLUMNS`, so that results on the same images can be compared pair by
    pair. `reasons` say why the network's `lower` or `upper` Lipschitz bound does not exist, each
    only where it is missing. `epsilon_notes` are those notes that concern one epsilon alone.
    """

    table: pd.DataFrame
    arrays: Mapping[str, np.ndarray]
    notes: tuple[str, ...]
    spec_key: str
    version: str
    samples: pd.DataFrame = dataclasses.field(default_factory=lambda: make_samples(()))
    reasons: Mapping[str, str] = dataclasses.field(default_factory=dict)
    epsilon_notes: Mapping[float, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    provenance: Provenance | None = None

    def arrays_at(self, epsilon: float) -> dict[str, np.ndarray]:
        """The arrays by name that belong to every epsilon, or to the one nearest to `epsilon`."""
        tagged = [name.rpartition("@") for name in self.arrays if "@" in name]
        tag = min((t for *_, t in tagged), key=lambda t: abs(float(t) - epsilon), default="")
        shared = {name: array for name, array in self.arrays.items() if "@" not in name}
        return shared | {name: self.arrays[f"{name}@{t}"] for name, _, t in tagged if t == tag}

    @property
    def nbytes(self) -> int:
        """About how many bytes of memory the result takes."""
        tables = (self.table, self.samples)
        held = sum(int(t.memory_usage(deep=True, index=False).sum()) for t in tables)
        return held + sum(array.nbytes for array in self.arrays.values())


def array_name(name: str, epsilon: float) -> str:
    """The name of an array that belongs to one epsilon (pixel units)."""
    return f"{name}@{epsilon!r}"


def make_table(
    rows: Iterable[Mapping[str, Any]],
    extra: tuple[str, ...] = (),
    *,
    shared: Mapping[str, Any] = MappingProxyType({}),
) -> pd.DataFrame:
    """A table with `COLUMNS`, then `extra`, from one mapping a row and what all rows share.

    A column that no row fills is there all the same, so that every export has the same header.
    """
    own = pd.DataFrame(list(rows))
    table = own.assign(**{name: shared[name] for name in shared if name not in own})
    table = table.reindex(columns=[*COLUMNS, *extra])
    numbers = ("epsilon", "value", "clean_accuracy", "clean_accuracy_full")
    return table.astype(dict.fromkeys(numbers, "float64"))


def make_samples(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """A table with `SAMPLE_COLUMNS` from mappings whose `value` holds one number an image."""
    parts = [pd.DataFrame({**row, "image": range(len(row["value"]))}) for row in rows]
    empty = pd.DataFrame(columns=SAMPLE_COLUMNS)
    return pd.concat(parts, ignore_index=True)[list(SAMPLE_COLUMNS)] if parts else empty
