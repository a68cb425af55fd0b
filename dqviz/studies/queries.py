"""Reading a store: which cells it holds, and their numbers as one table.

Reading changes nothing and waits for nobody. What a person asks for goes to SQLite as parameters.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import math
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dqviz.experiments.result import COLUMNS, COSTS

from .cell import ROW_COLUMNS
from .errors import StoreError
from .schema import COORDINATES
from .selection import Selection
from .shipped import find_store
from .soundness import MADE, damage
from .store_file import connect, refused

EXPORTED = ("kind", "norm", *(name for name in MADE if name not in COLUMNS))
"""What an export says of each number besides the columns of its table and the cell's key."""

LISTED = ("state", *COORDINATES, "attempts", "finished", "seconds", "error", "error_kind", "key")
"""What is said of each cell."""

FLOATS = ("epsilon", "value", "clean_accuracy", "clean_accuracy_full", "seconds")
WHOLE = ("weight_bits", "act_bits", "depth", "n_samples", "seed", "threads", "attempts")
BATCH = 50_000
CHUNK = 500

NETWORK, LOGITS = "network", "logits"
"""The `layer` of what concerns the whole network, and its output."""

Report = Callable[[float, str], None]


@contextlib.contextmanager
def reading(path: str | Path) -> Iterator[sqlite3.Connection]:
    """A store as it is at the first question, whatever is written meanwhile.

    Args:
        path: the file, or `shipped:NAME` for one that comes with the package.

    Raises:
        StoreError: if it is no store, is damaged, is missing, or lies where it cannot be used.
    """
    file = find_store(path)
    connection = connect(file, write=False)
    try:
        with refused(file, write=False):
            connection.execute("BEGIN")
            try:
                yield connection
            except StoreError:
                raise
            except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as error:
                if problems := damage(connection):  # what nobody could have written surprises
                    raise sqlite3.DatabaseError(problems[0]) from error
                raise
    finally:
        connection.close()


def cell_table(connection: sqlite3.Connection, selection: Selection) -> pd.DataFrame:
    """A row a cell, with the columns `LISTED`, in the order in which they were first claimed.

    `epsilon` is in pixel units, `finished` a time in UTC, `seconds` how long the cell took.
    """
    query = f"SELECT {', '.join(LISTED)} FROM cells WHERE {selection.cells} ORDER BY id"
    rows = map(tuple, connection.execute(query, selection.cell_values))
    return _typed(pd.DataFrame(list(rows), columns=list(LISTED)))


def first_specification(connection: sqlite3.Connection, wanted: Mapping[str, object]) -> str | None:
    """The specification, as JSON, of the first finished cell with these values by SQL expression.

    The expressions are the program's own; what a person asks for are the values.
    """
    where = " AND ".join(["state = 'done'", *(f"{expression} = ?" for expression in wanted)])
    query = f"SELECT spec FROM cells WHERE {where} ORDER BY id LIMIT 1"
    found = connection.execute(query, tuple(wanted.values())).fetchone()
    return None if found is None else str(found["spec"])


def count_numbers(connection: sqlite3.Connection, selection: Selection) -> int:
    """How many numbers there are."""
    query = f"SELECT count(*) FROM numbers WHERE {selection.joined}"
    return int(connection.execute(query, selection.joined_values).fetchone()[0])


def measured(connection: sqlite3.Connection) -> list[tuple[str, str, str]]:
    """What there are numbers of, as (metric, layer, statistic).

    Whole networks come first, and of these what they cost last.
    """
    query = "SELECT DISTINCT metric, layer, statistic FROM numbers"
    place = {NETWORK: 0, LOGITS: 1}
    found = map(tuple, connection.execute(query))
    return sorted(found, key=lambda n: (place.get(n[1], 2), n[0] in COSTS, n))


def number_table(
    connection: sqlite3.Connection,
    selection: Selection,
    *,
    made: bool = False,
    limit: int | None = None,
    report: Report | None = None,
) -> pd.DataFrame:
    """A row a number: the columns of every table of results, what its cell adds, and its key.

    Args:
        connection: see `reading`.
        selection: which numbers; see `selection.select`.
        made: whether the columns `EXPORTED` follow; `finished` is a time in UTC.
        limit: the largest number of rows; None takes all.
        report: called with a share of 0 to 1 and a text.
    """
    own = _own_columns(connection, selection, limit=limit, report=report)
    ids, places = np.unique(own.pop("cell").to_numpy(), return_inverse=True)
    shared = _shared_columns(connection, ids.tolist())
    added = [name for name in shared if name not in (*COLUMNS, *EXPORTED, *own)]
    table = pd.concat([shared.take(places).reset_index(drop=True), own], axis=1)
    names = [*COLUMNS, *dict.fromkeys((*added, "key")), *(EXPORTED if made else ())]
    return table.reindex(columns=names)


def _own_columns(
    connection: sqlite3.Connection,
    selection: Selection,
    *,
    limit: int | None,
    report: Report | None,
) -> pd.DataFrame:
    """The columns that differ from row to row, and the number of the cell."""
    names = ("cell", *ROW_COLUMNS)
    order = "ORDER BY cell, place LIMIT ?"
    query = f"SELECT {', '.join(names)} FROM numbers WHERE {selection.joined} {order}"
    cursor = connection.execute(query, (*selection.joined_values, -1 if limit is None else limit))
    last = connection.execute("SELECT max(id) FROM cells").fetchone()[0]
    parts = [_typed(pd.DataFrame([], columns=list(names)))]
    while batch := cursor.fetchmany(BATCH):
        parts.append(_typed(pd.DataFrame(map(tuple, batch), columns=list(names))))
        if report is not None:
            report(batch[-1]["cell"] / last, "reading numbers")
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _shared_columns(connection: sqlite3.Connection, ids: Sequence[int]) -> pd.DataFrame:
    """What all rows of a cell share, a row a cell."""
    names = ("id", "key", "shared", *EXPORTED)
    cells: dict[int, dict[str, Any]] = {}
    for start in range(0, len(ids), CHUNK):
        part = ids[start : start + CHUNK]
        marks = ", ".join("?" * len(part))
        query = f"SELECT {', '.join(names)} FROM cells WHERE id IN ({marks})"
        for row in connection.execute(query, part):
            own = {name: row[name] for name in ("key", *EXPORTED)}
            cells[row["id"]] = {**json.loads(row["shared"]), **own}
    common = [name for name in COLUMNS if name not in ROW_COLUMNS]
    columns = dict.fromkeys((*common, *(name for cell in cells.values() for name in cell)))
    rows = [[cells[id].get(name) for name in columns] for id in ids]
    return _typed(pd.DataFrame(rows, columns=list(columns)))


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """Numbers as numbers, times as text, so that each file format says what is missing."""
    kinds = {**dict.fromkeys(FLOATS, "float64"), **dict.fromkeys(WHOLE, "Int64")}
    if "finished" in table:
        table = table.assign(finished=table["finished"].astype("float64").map(_time))
    return table.astype({name: kind for name, kind in kinds.items() if name in table})


def _time(seconds: float) -> str | None:
    """A Unix time as `2030-01-31T12:00:00+00:00`."""
    if math.isnan(seconds):
        return None
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="seconds")
