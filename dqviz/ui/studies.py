"""The stores that a visitor may look into, and their numbers, read once for each state of a file.

Reading a store computes nothing. Stores lie in the folder `results` of the data folder; a page
never takes a path.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from dqviz.data import data_folder
from dqviz.specs import CONTROLS
from dqviz.studies.queries import cell_table, measured, number_table, reading
from dqviz.studies.selection import select

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
    """The names of the stores that there are, the latest first."""
    if not folder().is_dir():
        return ()
    files = [f for f in folder().iterdir() if f.suffix in SUFFIXES and f.is_file()]
    return tuple(f.name for f in sorted(files, key=lambda f: -f.stat().st_mtime_ns))


def stamp(name: str) -> Stamp:
    """The state of a store."""
    files = [folder() / name, folder() / f"{name}-wal"]
    found = [file.stat() for file in files if file.exists()]
    return tuple((status.st_size, status.st_mtime_ns) for status in found)


@st.cache_data(max_entries=8, show_spinner="Reading the store")
def offered(name: str, stamp: Stamp) -> tuple[tuple[Number, ...], pd.DataFrame]:
    """What can be drawn of a store, and how many cells are in which state.

    Raises:
        StoreError: if it cannot be read.
    """
    with reading(folder() / name) as connection:
        numbers = [n for n in measured(connection) if n[2] in SHOWN_STATISTICS]
        cells = cell_table(connection, select(connection, {}))
    return tuple(numbers), cells


@st.cache_data(max_entries=16, show_spinner="Reading the store")
def rows(name: str, stamp: Stamp, number: Number) -> pd.DataFrame:
    """The rows of one number, with the ends of its intervals.

    Raises:
        StoreError: if the store cannot be read.
    """
    metric, layer, _ = number
    with reading(folder() / name) as connection:
        wanted = select(connection, {"metric": [metric], "layer": [layer]})
        return number_table(connection, wanted)


def networks(rows: pd.DataFrame) -> tuple[str, ...]:
    """The networks in a table, MODEL/WEIGHTS."""
    return tuple(dict.fromkeys(rows["model"] + "/" + rows["weights"]))


def attacks(rows: pd.DataFrame) -> tuple[str, ...]:
    """The attacks in a table, controls left out."""
    return tuple(a for a in dict.fromkeys(rows["attack"].dropna()) if a not in CONTROLS)


def chosen(rows: pd.DataFrame, networks: Sequence[str], attacks: Sequence[str]) -> pd.DataFrame:
    """The rows of these networks, under these attacks or none."""
    of = (rows["model"] + "/" + rows["weights"]).isin(networks)
    return rows[of & (rows["attack"].isin(attacks) | rows["attack"].isna())]


@st.cache_data(max_entries=2, show_spinner="Writing the report")
def report(name: str, stamp: Stamp) -> bytes:
    """The report on a store, as the bytes of an HTML file.

    Raises:
        StoreError, ReportError: if there is nothing to report on.
    """
    from dqviz.reports import report_text

    return report_text(folder() / name)[0].encode()


def title_of(number: Number) -> str:
    """A number in words: `robust accuracy`, `amplification at logits, median`."""
    metric, layer, statistic = number
    words = metric.replace("_", " ")
    where = "" if layer == "network" else f" at {layer}"
    return f"{words}{where}" + ("" if statistic == "value" else f", {statistic}")
