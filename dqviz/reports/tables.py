"""The tables of a report, as HTML: what was asked, how it was made, and any other."""

from __future__ import annotations

import html
import json
import math
from typing import Any

import pandas as pd

from dqviz.studies.selection import in_levels

ASKED = (
    *("kind", "model", "weights", "weight_bits", "act_bits", "attack", "norm", "epsilon"),
    *("data", "split", "n_samples", "seed", "crafted_on"),
)
MADE = {
    "version": "dqviz",
    "code": "hash of its code",
    "libraries": "libraries",
    "precision": "arithmetic",
    "threads": "threads",
    "machine": "machine",
    "weights_hash": "hash of the weights",
    "data_hash": "hash of the data",
    "seed": "seeds",
}


def asked(cells: pd.DataFrame) -> str:
    """Every setting with the values that it takes, as a table."""
    rows = [
        {"setting": name.replace("_", " "), "values": ", ".join(_values(name, cells[name]))}
        for name in ASKED
    ]
    return table_html(pd.DataFrame(rows))


def made(numbers: pd.DataFrame) -> str:
    """By what code, libraries, machine, weights and data the numbers were made, as a table."""
    rows = []
    for name, title in MADE.items():
        for value in dict.fromkeys(numbers[name].dropna()):
            count = int((numbers[name] == value).sum())
            rows.append({"what": title, "value": _made_text(name, value), "numbers": count})
    return table_html(pd.DataFrame(rows))


def table_html(table: pd.DataFrame) -> str:
    """A table of texts and numbers, in a frame that scrolls."""
    head = "".join(f"<th>{html.escape(str(name).replace('_', ' '))}</th>" for name in table)
    lines = []
    for row in table.itertuples(index=False):
        cells = [_cell(name, value) for name, value in zip(table.columns, row, strict=True)]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f"<div class=scroll><table><tr>{head}</tr>{''.join(lines)}</table></div>"


def _cell(name: str, value: Any) -> str:
    text = "" if _is_missing(value) else _text(name, value)
    kind = " class=number" if isinstance(value, int | float) else ""
    return f"<td{kind}>{html.escape(text)}</td>"


def _text(name: str, value: Any) -> str:
    if name == "epsilon":
        return in_levels(float(value))
    if name == "key":
        return str(value)[:8]
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _values(name: str, column: pd.Series[Any]) -> list[str]:
    found = list(dict.fromkeys(column.dropna()))
    return [_text(name, value) for value in found] or ["-"]


def _made_text(name: str, value: Any) -> str:
    if name != "libraries":
        return str(value)
    versions: dict[str, str] = json.loads(value)
    return ", ".join(f"{library} {version}" for library, version in versions.items())


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))
