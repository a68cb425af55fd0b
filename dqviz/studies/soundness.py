"""What may be wrong with a store: its pages and indexes as SQLite sees them, and its values."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator

from .cell import DONE
from .schema import COORDINATES

MADE = (
    *("version", "code", "weights_hash", "data_hash", "libraries", "precision", "threads"),
    *("machine", "finished", "seconds"),
)
"""How a finished cell was made."""

COPIED = (
    *("key", "spec", "state", *COORDINATES, "attempts", "error", "error_kind", "shared", "notes"),
    *MADE,
)
"""What a store says of a cell, less who works on it."""

JSON = {"shared": dict, "notes": list, "libraries": dict}
"""The columns of a finished cell that hold JSON, and what it is."""

KINDS = {"TEXT": "'text'", "REAL": "'real', 'integer'", "INTEGER": "'integer'"}
"""What SQLite calls the values that a column of each type may hold, besides nothing."""

LAST_TIME = 253_402_300_799
"""The last second of the year 9999."""


def damage(connection: sqlite3.Connection) -> list[str]:
    """What is wrong, in sentences: with the file itself, else with what stands in it.

    Raises:
        sqlite3.OperationalError: if it lacks a table or a column.
    """
    return broken(connection) or [*lost(connection), *unreadable(connection)]


def broken(connection: sqlite3.Connection) -> list[str]:
    """Broken pages and indexes.

    Raises:
        sqlite3.OperationalError: if it lacks a table or a column.
    """
    connection.execute(f"SELECT {', '.join(COPIED)} FROM cells LIMIT 0")
    connection.execute("SELECT cell, place, value FROM numbers LIMIT 0")
    found: list[str] = []
    try:
        for row in connection.execute("PRAGMA integrity_check"):
            found += row[0].splitlines()
    except sqlite3.DatabaseError as error:  # it gives up
        found.append(str(error))
    return [f"SQLite: {line}" for line in found if line != "ok" and not line.startswith("***")]


def lost(connection: sqlite3.Connection) -> list[str]:
    """Numbers of no cell."""
    count = sum(1 for _ in connection.execute("PRAGMA foreign_key_check"))
    return [f"{count:,} numbers belong to no cell"] if count else []


def unreadable(connection: sqlite3.Connection) -> list[str]:
    """Values of another type than their column's, and texts that are no UTF-8 or not the JSON that
    they should be."""
    found = [*_misfits(connection, "cells"), *_misfits(connection, "numbers")]
    if found:
        return found
    late = f"SELECT count(*) FROM cells WHERE finished NOT BETWEEN 0 AND {LAST_TIME}"
    if count := connection.execute(late).fetchone()[0]:
        found.append(f"{count:,} of cells.finished are no time")
    with _undecoded(connection):
        return [*found, *_bad_numbers(connection), *_bad_cells(connection)]


def _misfits(connection: sqlite3.Connection, table: str) -> Iterator[str]:
    columns = [(row[1], row[2]) for row in connection.execute(f"PRAGMA table_info({table})")]
    sums = (f"sum(typeof({name}) NOT IN ('null', {KINDS[kind]}))" for name, kind in columns)
    counts = connection.execute(f"SELECT {', '.join(sums)} FROM {table}").fetchone()
    for (name, kind), count in zip(columns, counts, strict=True):
        if count:
            yield f"{count:,} of {table}.{name} are not of type {kind}"


@contextlib.contextmanager
def _undecoded(connection: sqlite3.Connection) -> Iterator[None]:
    """Texts come as bytes."""
    connection.text_factory = bytes
    try:
        yield
    finally:
        connection.text_factory = str


def _bad_numbers(connection: sqlite3.Connection) -> Iterator[str]:
    names = ("attack", "layer", "metric", "statistic")
    for row in connection.execute(f"SELECT DISTINCT {', '.join(names)} FROM numbers"):
        for name, content in zip(names, row, strict=True):
            if not _is_text(content):
                yield f"numbers have a text in {name} that is no UTF-8: {content!r}"


def _bad_cells(connection: sqlite3.Connection) -> Iterator[str]:
    rows = connection.execute("PRAGMA table_info(cells)")
    names = [row[1].decode() for row in rows if row[2] == b"TEXT"]
    for row in connection.execute(f"SELECT {', '.join(names)} FROM cells"):
        cell = dict(zip(names, row, strict=True))
        bad = [name for name, content in cell.items() if not _is_text(content)]
        if not bad and cell["state"] == DONE.encode():
            bad = [name for name, kind in JSON.items() if not _is_json(cell[name], kind)]
        for name in bad:
            yield f"cell {cell['key'].decode(errors='replace')}: its {name} cannot be read"


def _is_text(content: bytes | None) -> bool:
    try:
        (content or b"").decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_json(content: bytes | None, kind: type) -> bool:
    try:
        return isinstance(json.loads(content or b""), kind)
    except (ValueError, RecursionError):
        return False
