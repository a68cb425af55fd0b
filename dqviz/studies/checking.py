"""Whether a store is sound: the file as SQLite sees it, and what this project puts into it."""

from __future__ import annotations

import collections
import dataclasses
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from dqviz.specs import ExperimentSpec, keys, spec_key
from dqviz.specs.keys import from_json

from .cell import CLAIMED, DONE, Cell
from .owner import Owner
from .queries import Report, reading
from .schema import COORDINATES
from .soundness import broken, lost, unreadable

REPORTED_EVERY = 1000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Condition:
    """What a look at a store has found.

    `states` counts cells by state, `numbers` is how many numbers there are. `problems` are
    sentences; a store without any is sound. Where the file itself is broken or values cannot be
    read, nothing else is looked at. `gone` names the processes that have claimed cells and will
    not finish them, with the number of these claims, which count for nothing.
    """

    states: Mapping[str, int]
    numbers: int
    problems: tuple[str, ...]
    gone: Mapping[str, int]


def check_store(
    path: str | Path, *, now: float | None = None, report: Report | None = None
) -> Condition:
    """Looks through a store, without changing it.

    Args:
        path: the file.
        now: Unix time; None asks the clock.
        report: called with a share of 0 to 1 and a text.

    Raises:
        StoreError: if it is no store, is missing, or is damaged so that it cannot be looked at.
    """
    now = time.time() if now is None else now
    report = report or (lambda share, text: None)
    with reading(path) as connection:
        report(0.0, "checking the file")
        wrong = broken(connection) or unreadable(connection)
        if wrong:
            return Condition(states={}, numbers=0, problems=tuple(wrong), gone={})
        problems = [*lost(connection), *_empty_cells(connection)]
        problems += _wrong_cells(connection, report)
        gone, unknown = _claims(connection, now)
        states = connection.execute("SELECT state, count(*) FROM cells GROUP BY state").fetchall()
        numbers = connection.execute("SELECT count(*) FROM numbers").fetchone()[0]
        return Condition(
            states={row[0]: row[1] for row in states},
            numbers=numbers,
            problems=(*problems, *unknown),
            gone=gone,
        )


def _empty_cells(connection: sqlite3.Connection) -> list[str]:
    query = (
        "SELECT key FROM cells WHERE state = ? "
        "AND NOT EXISTS (SELECT 1 FROM numbers WHERE cell = cells.id)"
    )
    return [
        f"cell {row[0]} is done and has no numbers" for row in connection.execute(query, [DONE])
    ]


def _wrong_cells(connection: sqlite3.Connection, report: Report) -> Iterator[str]:
    """Finished cells with a key or coordinates that are not their specification's."""
    total = connection.execute("SELECT count(*) FROM cells WHERE state = ?", [DONE]).fetchone()[0]
    query = f"SELECT key, spec, {', '.join(COORDINATES)} FROM cells WHERE state = ?"
    for number, (key, text, *found) in enumerate(connection.execute(query, [DONE])):
        if number % REPORTED_EVERY == 0:
            report(number / total, "checking the cells' specifications")
        try:
            spec = from_json(json.loads(text))
            if not isinstance(spec, ExperimentSpec):
                raise ValueError(f"it is a {type(spec).__name__}")
            cell = Cell.of(spec)
            # A result of an older version is sound; another key is asked for today.
            versions = range(1, keys.RESULTS_VERSION)
            older = [spec_key(cell.spec, results_version=version) for version in versions]
        except (ValueError, RecursionError) as error:
            yield f"cell {key} has a specification that cannot be read: {error}"
            continue
        if key not in (cell.key, *older):
            yield f"cell {key} has the specification of {cell.key}"
            continue
        told = zip(COORDINATES, found, strict=True)
        wrong = [name for name, value in told if value != cell.coordinates[name]]
        if wrong:
            yield f"cell {key} is filed under another {', '.join(wrong)} than its specification's"


def _claims(connection: sqlite3.Connection, now: float) -> tuple[dict[str, int], list[str]]:
    """The processes that are gone with the number of their claims, and claims of nobody."""
    gone: collections.Counter[str] = collections.Counter()
    unknown = []
    rows = connection.execute("SELECT key, owner, heartbeat FROM cells WHERE state = ?", [CLAIMED])
    for key, text, heartbeat in rows:
        try:
            owner = Owner.read(text)
            if owner.is_gone(float(heartbeat), now=now):
                gone[f"process {owner.process} on {owner.machine}"] += 1
        except (ValueError, TypeError, AttributeError):
            unknown.append(f"cell {key} is claimed by nobody that can be read: {text!r}")
    return dict(gone), unknown
