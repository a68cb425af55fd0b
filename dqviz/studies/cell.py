"""One cell of a grid, as a store keeps it: what was asked, what came of it, and how it was made."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from dqviz.experiments.columns import common_columns
from dqviz.experiments.result import COLUMNS, Result, make_table
from dqviz.specs import ExperimentSpec, spec_key, to_json

ROW_COLUMNS = ("attack", "epsilon", "layer", "depth", "metric", "statistic", "value")
"""What differs from row to row; all other columns of a table are the same in all its rows."""

DONE, FAILED, CLAIMED = "done", "failed", "claimed"

Number = tuple[str | None, float | None, str, int, str, str, float | None]
"""One row, in the order of `ROW_COLUMNS`; None where there is no text or no number."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cell:
    """A resolved specification with one epsilon, and its key."""

    key: str
    spec: ExperimentSpec

    @classmethod
    def of(cls, spec: ExperimentSpec) -> Cell:
        """The cell of a resolved specification."""
        return cls(key=spec_key(spec), spec=spec)

    @property
    def coordinates(self) -> dict[str, Any]:
        """What it is found by: `schema.COORDINATES`."""
        common = common_columns(self.spec)
        data, split = self.spec.data, self.spec.data.split
        return {
            "kind": self.spec.kind,
            **{name: common[name] for name in ("model", "weights", "weight_bits", "act_bits")},
            "attack": self.spec.attack.name,
            "norm": self.spec.attack.norm,
            "epsilon": self.spec.attack.epsilons[0],
            "data": common["data"].removesuffix(f" {split}"),
            "split": split,
            "n_samples": data.n_samples,
            "seed": data.seed,
            "crafted_on": common["crafted_on"],
        }

    @property
    def text(self) -> str:
        """The specification as JSON."""
        return json.dumps(to_json(self.spec), sort_keys=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """The numbers of a finished cell, in parts that a database takes."""

    numbers: tuple[Number, ...]
    shared: Mapping[str, Any]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, result: Result) -> Finding:
        """What a result of one cell holds. Numbers by image and pictures are left out.

        Raises:
            ValueError: if a column that all rows should share differs between them.
        """
        table = result.table
        shared = {}
        for name in [column for column in table.columns if column not in ROW_COLUMNS]:
            if table[name].nunique(dropna=False) > 1:
                raise ValueError(f"the column {name} differs between the rows of one cell")
            value = table[name].iloc[0] if len(table) else None
            if name not in COLUMNS or not _is_nan(value):  # NaN where nothing was said, not None
                shared[name] = _plain(value)
        columns = [[_plain(value) for value in table[name].tolist()] for name in ROW_COLUMNS]
        return cls(numbers=tuple(zip(*columns, strict=True)), shared=shared, notes=result.notes)

    def table(self) -> pd.DataFrame:
        """The table that it was made of."""
        rows = [
            # What was not there is left out, so that a column which no row fills is empty again.
            {k: v for k, v in zip(ROW_COLUMNS, number, strict=True) if v is not None}
            for number in self.numbers
        ]
        extra = tuple(name for name in self.shared if name not in COLUMNS)
        return make_table(rows, extra, shared=self.shared)


def _plain(value: Any) -> Any:
    """A value as JSON and SQLite take it: None for what is not a number."""
    if _is_nan(value):
        return None
    return value.item() if hasattr(value, "item") else value


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
