"""The stores that a visitor may look into, and their numbers, read once for each state of a file.

Reading a store computes nothing. Stores lie in the folder `results` of the data folder; a page
never takes a path.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dqviz.charts import Address
from dqviz.data import data_folder
from dqviz.specs import CONTROLS, ExperimentSpec
from dqviz.specs.keys import from_json
from dqviz.studies import Cell
from dqviz.studies.queries import (
    cell_table,
    first_specification,
    measured,
    number_table,
    reading,
)
from dqviz.studies.selection import select
from dqviz.studies.shipped import PREFIX, find_store, shipped_names
from dqviz.studies.sweep import name as title_of_cell
from dqviz.ui.settings import epsilon_text

SUFFIXES = (".sqlite", ".db")
SHOWN_STATISTICS = ("value", "median", "upper", "lower")
"""What is drawn: of many images the median, and bounds; the other statistics are intervals."""

AGAINST = {
    "Epsilon": "epsilon",
    "Activation bits": "act_bits",
    "Weight bits": "weight_bits",
    "Images": "n_samples",
}
"""What may stand on the horizontal axis, by its words."""

FAILURE = ("kind", "model", "weights", "weight_bits", "act_bits", "attack", "epsilon", "error")
"""What is said of a cell that has failed."""

Stamp = tuple[tuple[int, int], ...]
"""What changes whenever a store does: sizes and times of the file and of that beside it."""

Number = tuple[str, str, str]
"""Metric, layer and statistic."""


def folder() -> Path:
    """Where stores lie."""
    return data_folder() / "results"


def stores() -> tuple[str, ...]:
    """The names of the stores that there are, the latest first; those of the package come last."""
    files = []
    if folder().is_dir():
        files = [f for f in folder().iterdir() if f.suffix in SUFFIXES and f.is_file()]
    latest = sorted(files, key=lambda f: -f.stat().st_mtime_ns)
    return (*[f.name for f in latest], *shipped_names())


def path_of(name: str) -> Path:
    """The file of a store by its name."""
    return find_store(name) if name.startswith(PREFIX) else folder() / name


def stamp(name: str) -> Stamp:
    """The state of a store."""
    path = path_of(name)
    files = [path, path.with_name(f"{path.name}-wal")]
    found = [file.stat() for file in files if file.exists()]
    return tuple((status.st_size, status.st_mtime_ns) for status in found)


@st.cache_data(max_entries=8, show_spinner="Reading the store")
def offered(name: str, stamp: Stamp) -> tuple[tuple[Number, ...], pd.DataFrame]:
    """What can be drawn of a store, and how many cells are in which state.

    Raises:
        StoreError: if it cannot be read.
    """
    with reading(path_of(name)) as connection:
        numbers = [n for n in measured(connection) if n[2] in SHOWN_STATISTICS]
        cells = cell_table(connection, select(connection, {}))
    return tuple(numbers), cells


@st.cache_data(max_entries=16, show_spinner="Reading the store")
def rows(name: str, stamp: Stamp, metrics: tuple[str, ...], layer: str | None) -> pd.DataFrame:
    """The rows of some metrics, with the ends of their intervals; of one layer, or of all (None).

    Raises:
        StoreError: if the store cannot be read.
    """
    wanted: dict[str, list[str]] = {"metric": list(metrics)}
    if layer is not None:
        wanted["layer"] = [layer]
    with reading(path_of(name)) as connection:
        return number_table(connection, select(connection, wanted))


def filterable(rows: pd.DataFrame) -> pd.DataFrame:
    """What the rows are filtered by, as texts; missing where a row has no such setting."""
    plain = ("weight_bits", "act_bits", "data", "n_samples", "seed", "crafted_on")
    columns = {
        "networks": rows["model"] + "/" + rows["weights"],
        "attacks": rows["attack"].where(~rows["attack"].isin(CONTROLS)),
        "epsilons": _in_words((255 * rows["epsilon"]).round(6), epsilon_text),
        **{key: _in_words(rows[key], str) for key in plain},
    }
    return pd.DataFrame(columns, index=rows.index)


def _in_words(values: pd.Series[Any], words: Callable[[Any], str]) -> pd.Series[Any]:
    """Each different value in words; missing stays missing."""
    return values.map({value: words(value) for value in values.dropna().unique()})


def attacks(rows: pd.DataFrame) -> tuple[str, ...]:
    """The attacks in a table, controls left out."""
    return tuple(a for a in dict.fromkeys(rows["attack"].dropna()) if a not in CONTROLS)


@st.cache_data(max_entries=32, show_spinner=False)
def cell_at(name: str, stamp: Stamp, address: Address) -> tuple[ExperimentSpec, str] | None:
    """The first cell at a point of a chart, and what it is in words; None if there is none.

    Raises:
        StoreError: if the store cannot be read.
    """
    model, _, weights = address.network.rpartition("/")
    wanted = {
        "model": model,
        "weights": weights,
        "weight_bits": address.weight_bits,
        "act_bits": address.act_bits,
        "attack": address.attack,
        "epsilon": address.epsilon,
        "seed": address.seed,
        "n_samples": address.n_samples,
        "data || ' ' || split": address.data,
    }
    given = {column: value for column, value in wanted.items() if value is not None}
    with reading(path_of(name)) as connection:
        found = first_specification(connection, given)
    if found is None:
        return None
    spec = from_json(json.loads(found))
    assert isinstance(spec, ExperimentSpec)
    return spec, title_of_cell([Cell.of(spec)])


def title_of(number: Number) -> str:
    """A number in words: `robust accuracy`, `amplification at logits, median`."""
    metric, layer, statistic = number
    words = metric.replace("_", " ")
    where = "" if layer == "network" else f" at {layer}"
    return f"{words}{where}" + ("" if statistic == "value" else f", {statistic}")
