"""Bringing stores together: what several machines have computed of one grid, in one file."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .cell import CLAIMED, DONE, FAILED, ROW_COLUMNS
from .errors import StoreError
from .queries import Report, reading
from .shipped import find_store
from .soundness import COPIED, damage
from .store_file import connect, refused

REPORTED_EVERY = 100
TRANSACTION_SECONDS = 2.0
"""After so long others who write are let in."""


@dataclasses.dataclass(kw_only=True)
class Merged:
    """What became of one source's cells; all numbers count cells.

    `done` and `failed` were taken over, `kept` are those that the target keeps as it had them.
    `differing` of these are done in both with other numbers; `difference` is the largest difference
    of two numbers, infinite where one of them is missing.
    """

    source: Path
    done: int = 0
    failed: int = 0
    kept: int = 0
    differing: int = 0
    difference: float = 0.0

    @property
    def cells(self) -> int:
        """How many cells of the source have been looked at."""
        return self.done + self.failed + self.kept


def merge(
    target: str | Path, sources: Sequence[str | Path], *, report: Report | None = None
) -> list[Merged]:
    """Takes finished and failed cells of the sources into the target, each whole or not at all.

    A cell that is done in the target stays as it is; one that is done in a source replaces what has
    failed or is claimed; one that has failed comes in only where the target has nothing of it.
    Claims stay where they are. No source is changed. What is in the target stays there if merging
    ends before it is done; the rest comes in when it is started again. A sweep that writes to the
    target meanwhile waits for seconds at most.

    Args:
        target: the store to write; made if it is not there.
        sources: the stores to read.
        report: called with a share of 0 to 1 and a text.

    Raises:
        StoreError: if a store is no store, is damaged, is missing or cannot be used, or the target
            is one of the sources. Nothing is written then, unless the target itself fails.
    """
    goal, origins = Path(target), [find_store(source) for source in sources]
    report = report or (lambda share, text: None)
    for number, source in enumerate(origins):
        report(number / len(origins), f"checking {source}")
        _check_source(source, goal)
    connection = connect(goal, write=True)
    try:
        return [
            _merge_one(connection, goal, source, _part(report, number, len(origins)))
            for number, source in enumerate(origins)
        ]
    finally:
        connection.close()


def _check_source(source: Path, target: Path) -> None:
    """Refuses what must not be merged, before anything is written."""
    with reading(source) as connection:
        if target.exists() and target.samefile(source):
            raise StoreError(f"{source} is the store to merge into; name other sources")
        problems = damage(connection)
    if problems:
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise StoreError(f"{source} is damaged ({problems[0]}{more}); nothing was merged")


def _part(report: Report, number: int, parts: int) -> Report:
    return lambda share, text: report((number + share) / parts, text)


def _merge_one(into: sqlite3.Connection, target: Path, source: Path, report: Report) -> Merged:
    merged = Merged(source=source)
    with reading(source) as origin:
        states = [DONE, FAILED]
        total = origin.execute("SELECT count(*) FROM cells WHERE state IN (?, ?)", states)
        count = total.fetchone()[0]
        names = ", ".join(COPIED)
        query = f"SELECT id, {names} FROM cells WHERE state IN (?, ?) ORDER BY id"
        cells = enumerate(origin.execute(query, states))
        while merged.cells < count:
            with _transaction(into, target):
                until = time.monotonic() + TRANSACTION_SECONDS
                for number, cell in cells:
                    if number % REPORTED_EVERY == 0:
                        report(number / count, f"merging {source}")
                    _merge_cell(into, origin, cell, merged)
                    if time.monotonic() > until:
                        break
    return merged


def _merge_cell(
    into: sqlite3.Connection, origin: sqlite3.Connection, cell: sqlite3.Row, merged: Merged
) -> None:
    query = "SELECT id, state, shared FROM cells WHERE key = ?"
    there = into.execute(query, [cell["key"]]).fetchone()
    if there is None or (cell["state"] == DONE and there["state"] in (FAILED, CLAIMED)):
        _copy(into, origin, cell)
        merged.done += cell["state"] == DONE
        merged.failed += cell["state"] == FAILED
        return
    merged.kept += 1
    if cell["state"] == there["state"] == DONE:
        difference = _difference(_content(origin, cell), _content(into, there))
        merged.differing += difference > 0
        merged.difference = max(merged.difference, difference)


def _copy(into: sqlite3.Connection, origin: sqlite3.Connection, cell: sqlite3.Row) -> None:
    """Puts a cell and its numbers in, in place of one with the same key that has none."""
    changes = ", ".join(f"{name} = excluded.{name}" for name in COPIED)
    place = into.execute(
        f"INSERT INTO cells ({', '.join(COPIED)}) VALUES ({', '.join('?' * len(COPIED))}) "
        f"ON CONFLICT (key) DO UPDATE SET {changes}, owner = NULL, heartbeat = NULL RETURNING id",
        [cell[name] for name in COPIED],
    ).fetchone()[0]
    into.execute("DELETE FROM numbers WHERE cell = ?", [place])
    columns = ", ".join(("place", *ROW_COLUMNS))
    rows = origin.execute(f"SELECT {columns} FROM numbers WHERE cell = ?", [cell["id"]])
    marks = ", ".join("?" * (len(ROW_COLUMNS) + 2))
    into.executemany(
        f"INSERT INTO numbers (cell, {columns}) VALUES ({marks})", ((place, *row) for row in rows)
    )


Content = dict[tuple[Any, ...], float | None]


def _content(connection: sqlite3.Connection, cell: sqlite3.Row) -> Content:
    """All numbers of a cell by what they are of: its rows, and those that its rows share."""
    query = f"SELECT place, {', '.join(ROW_COLUMNS)} FROM numbers WHERE cell = ?"
    rows = connection.execute(query, [cell["id"]])
    shared = json.loads(cell["shared"])
    numbers = {(name,): v for name, v in shared.items() if isinstance(v, int | float)}
    return {tuple(of): value for *of, value in rows} | numbers


def _difference(one: Content, other: Content) -> float:
    """The largest difference of two numbers of the same thing."""
    if one == other:
        return 0.0
    return max(_apart(one.get(of), other.get(of)) for of in one.keys() | other.keys())


def _apart(one: float | None, other: float | None) -> float:
    if one == other:
        return 0.0
    difference = math.inf if one is None or other is None else abs(one - other)
    return math.inf if math.isnan(difference) else difference


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    with refused(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
