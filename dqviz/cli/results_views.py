"""What `results` says on a terminal: tables of cells and of numbers, and counts."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from typing import Any

import pandas as pd

from dqviz.experiments.result import COLUMNS
from dqviz.studies.checking import Condition
from dqviz.studies.merge import Merged
from dqviz.studies.selection import in_levels

from .output import format_cell, format_table

KEY_DIGITS = 8
ERROR_LETTERS = 60
WIDTH = 100

LIST_COLUMNS = (
    *("state", "kind", "model", "weights", "bits", "attack", "epsilon", "data", "n", "seed"),
    *("crafted_on", "seconds", "error"),
)
ALWAYS = ("layer", "metric", "statistic", "value")
"""What is shown of each number even where all have it in common."""


def cell_lines(cells: pd.DataFrame) -> str:
    """A line a cell of `queries.cell_table`."""
    return format_table([_cell_line(row) for row in _records(cells)], LIST_COLUMNS)


def _cell_line(row: dict[str, Any]) -> dict[str, Any]:
    error = "" if pd.isna(row["error"]) else row["error"]
    return {
        **row,
        "bits": f"W{row['weight_bits']} A{row['act_bits']}",
        "epsilon": in_levels(row["epsilon"]),
        "data": f"{row['data']} {row['split']}",
        "n": "all" if pd.isna(row["n_samples"]) else row["n_samples"],
        "error": textwrap.shorten(error, ERROR_LETTERS, placeholder=" ...") or None,
    }


def number_lines(table: pd.DataFrame) -> str:
    """What all rows of `queries.number_table` have in common, then a line each with the rest."""
    rows = [_number_line(row) for row in _records(table)]
    held = {name: {format_cell(row[name]) for row in rows} for name in (*COLUMNS, "key")}
    names = [name for name, texts in held.items() if texts != {"-"}]
    same = [name for name in names if name not in ALWAYS and len(held[name]) == 1]
    common = ", ".join(f"{name} {format_cell(rows[0][name])}" for name in same)
    heading = textwrap.fill(f"all of these: {common}", WIDTH, break_long_words=False)
    lines = format_table(rows, [name for name in names if name not in same])
    return f"{heading}\n\n{lines}" if same else lines


def _number_line(row: dict[str, Any]) -> dict[str, Any]:
    epsilon = None if pd.isna(row["epsilon"]) else in_levels(row["epsilon"])
    return {**row, "epsilon": epsilon, "key": row["key"][:KEY_DIGITS]}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows = table.to_dict(orient="records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def merged_lines(merged: Merged, target: str) -> str:
    """What became of one source, and whether it says something else than the target."""
    text = f"{merged.source}: {_cells(merged.done + merged.failed)} taken over"
    text += f", {merged.failed:,} of them failed" if merged.failed else ""
    text += f"; {_cells(merged.kept)} left as in {target}" if merged.kept else ""
    if merged.differing:
        known = math.isfinite(merged.difference)
        apart = (
            f"by up to {merged.difference:.2g}" if known else "some of which only one of them has"
        )
        text += (
            f"\n{merged.source}: {_cells(merged.differing)} with other numbers than in {target} "
            f"({apart}), which keeps its own"
        )
    return text


def counted(states: Mapping[str, int], numbers: int) -> str:
    """How many cells there are, by state, and how many numbers."""
    there = [name for name in ("done", "failed", "claimed") if states.get(name)]
    parts = ", ".join(f"{states[name]:,} {name}" for name in there)
    text = _cells(sum(states.values())) + (f" ({parts})" if parts else "")
    return f"{text}, {numbers:,} numbers"


def gone(found: Condition) -> str:
    """Which claims count for nothing, and whose they were."""
    if not found.gone:
        return ""
    names = ", ".join(f"{name} ({_cells(count)})" for name, count in found.gone.items())
    return f"claims that count for nothing, since their process is gone: {names}"


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count:,} cells"
