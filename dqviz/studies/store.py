"""A store of results: one SQLite file, a row a number, each cell whole or not there at all.

One process computes a cell: whoever claims it first. Claims and results are single transactions, so
that a process that is ended at any moment leaves either a claim, which counts for nothing once the
process is gone, or the finished cell. Readers see the last finished state and wait for nobody.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from dqviz.experiments.provenance import Provenance

from .cell import CLAIMED, DONE, FAILED, Cell, Finding
from .owner import Owner
from .shipped import find_store
from .store_file import connect, refused

MAX_ATTEMPTS = 3
"""So often a cell is tried by itself whose process is lost each time."""

CHUNK = 500
"""So many keys are asked for at once; SQLite takes no more than some thousand."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a cell has no numbers; `kind` is the cause's name, as in `ExperimentError`."""

    message: str
    kind: str


class Store:
    """An open store.

    Args:
        path: the file; made if it is to be written and not there. `shipped:NAME` is one that comes
            with the package.
        write: whether it is to be written.

    Raises:
        StoreError: if it is no store, is damaged, is missing, or lies where it cannot be used.
    """

    def __init__(self, path: str | Path, *, write: bool = False) -> None:
        self.path = find_store(path)
        self._connection = connect(self.path, write=write)

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()

    def states(self, keys: Iterable[str]) -> dict[str, str]:
        """`done`, `failed` or `claimed`, by key, of those cells that there are."""
        return {row["key"]: row["state"] for row in self._rows("key, state", keys)}

    def free(self, keys: Iterable[str], *, now: float | None = None) -> set[str]:
        """Which of these cells nobody has finished or works on."""
        now = time.time() if now is None else now
        keys = list(keys)
        found = {row["key"]: row for row in self._rows("key, state, owner, heartbeat", keys)}
        return {key for key in keys if _is_free(found.get(key), now=now)}

    def to_retry(self, *, every: bool) -> set[str]:
        """The keys of failed cells to try again: all, or only those whose process was lost.

        That is no fault of the cell's, unless it happens again and again.
        """
        lost = f"AND error_kind = 'worker' AND attempts < {MAX_ATTEMPTS}"
        query = f"SELECT key FROM cells WHERE state = 'failed' {'' if every else lost}"
        with refused(self.path):
            return {row["key"] for row in self._connection.execute(query)}

    def claim(
        self,
        cells: Sequence[Cell],
        owner: Owner,
        *,
        again: Collection[str] = (),
        now: float | None = None,
    ) -> list[Cell]:
        """Claims those cells that nobody has finished or works on; returns them.

        Args:
            cells: what is wanted.
            owner: who wants to compute them.
            again: the keys of failed cells that are to be tried again; see `to_retry`.
            now: Unix time; None asks the clock.
        """
        now = time.time() if now is None else now
        claimed = []
        with self._transaction():
            columns = "key, state, owner, heartbeat"
            found = {row["key"]: row for row in self._rows(columns, [c.key for c in cells])}
            for cell in cells:
                row = found.get(cell.key)
                failed = row is not None and row["state"] == FAILED
                if _is_free(row, now=now) or (failed and cell.key in again):
                    self._claim(cell, owner, now)
                    claimed.append(cell)
        return claimed

    def beat(self, owner: Owner, *, now: float | None = None) -> None:
        """A sign of life for all that an owner has claimed."""
        now = time.time() if now is None else now
        with self._transaction():
            self._connection.execute(
                "UPDATE cells SET heartbeat = ? WHERE state = 'claimed' AND owner = ?",
                (now, str(owner)),
            )

    def finish(
        self, done: Sequence[tuple[Cell, Finding]], owner: Owner, provenance: Provenance
    ) -> list[Cell]:
        """Keeps finished cells, all or none; returns those that were kept.

        A cell that somebody else has claimed in the meantime is theirs.
        """
        kept = []
        with self._transaction():
            for cell, finding in done:
                place = self._mine(cell, owner)
                if place is None:
                    continue
                self._update(
                    place,
                    state=DONE,
                    finished=time.time(),
                    shared=json.dumps(finding.shared),
                    notes=json.dumps(finding.notes),
                    error=None,
                    error_kind=None,
                    weights_hash=cell.spec.model.fingerprint,
                    data_hash=cell.spec.data.fingerprint,
                    **provenance.columns(share=len(done)),
                )
                self._connection.execute("DELETE FROM numbers WHERE cell = ?", (place,))
                self._connection.executemany(
                    "INSERT INTO numbers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    ((place, row, *number) for row, number in enumerate(finding.numbers)),
                )
                kept.append(cell)
        return kept

    def fail(self, cells: Sequence[Cell], owner: Owner, failure: Failure) -> None:
        """Notes that cells have failed, and why."""
        with self._transaction():
            for cell in cells:
                place = self._mine(cell, owner)
                if place is not None:
                    self._update(
                        place,
                        state=FAILED,
                        finished=time.time(),
                        error=failure.message,
                        error_kind=failure.kind,
                    )

    def release(self, owner: Owner) -> None:
        """Gives back all that an owner has claimed and not finished."""
        with self._transaction():
            mine = "state = 'claimed' AND owner = ?"
            self._connection.execute(
                f"DELETE FROM cells WHERE {mine} AND error IS NULL", (str(owner),)
            )
            self._connection.execute(
                f"UPDATE cells SET state = 'failed', owner = NULL WHERE {mine}", (str(owner),)
            )

    def finding(self, key: str) -> Finding | None:
        """The numbers of a finished cell."""
        rows = self._rows("id, state, shared, notes", [key])
        if not rows or rows[0]["state"] != DONE:
            return None
        with refused(self.path):
            numbers = self._connection.execute(
                "SELECT attack, epsilon, layer, depth, metric, statistic, value FROM numbers "
                "WHERE cell = ? ORDER BY place",
                (rows[0]["id"],),
            ).fetchall()
        return Finding(
            numbers=tuple(tuple(number) for number in numbers),
            shared=json.loads(rows[0]["shared"]),
            notes=tuple(json.loads(rows[0]["notes"])),
        )

    def _claim(self, cell: Cell, owner: Owner, now: float) -> None:
        values = {
            **cell.coordinates,
            "key": cell.key,
            "spec": cell.text,
            "state": CLAIMED,
            "owner": str(owner),
            "heartbeat": now,
            "attempts": 1,
        }
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        # What a failed cell says of its error stays until it is finished, for `release`.
        self._connection.execute(
            f"INSERT INTO cells ({names}) VALUES ({marks}) ON CONFLICT (key) DO UPDATE SET "
            "state = excluded.state, owner = excluded.owner, heartbeat = excluded.heartbeat, "
            "attempts = attempts + 1",
            tuple(values.values()),
        )

    def _mine(self, cell: Cell, owner: Owner) -> int | None:
        """The row of a cell that an owner has claimed."""
        row = self._connection.execute(
            "SELECT id FROM cells WHERE key = ? AND state = 'claimed' AND owner = ?",
            (cell.key, str(owner)),
        ).fetchone()
        return None if row is None else int(row["id"])

    def _update(self, place: int, **values: Any) -> None:
        names = ", ".join(f"{name} = ?" for name in values)
        self._connection.execute(
            f"UPDATE cells SET {names}, owner = NULL, heartbeat = NULL WHERE id = ?",
            (*values.values(), place),
        )

    def _rows(self, columns: str, keys: Iterable[str]) -> list[sqlite3.Row]:
        keys, found = list(keys), []
        with refused(self.path):
            for start in range(0, len(keys), CHUNK):
                part = keys[start : start + CHUNK]
                marks = ", ".join("?" * len(part))
                query = f"SELECT {columns} FROM cells WHERE key IN ({marks})"
                found += self._connection.execute(query, part).fetchall()
        return found

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with refused(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def _is_free(row: sqlite3.Row | None, *, now: float) -> bool:
    """Whether nobody has finished a cell or works on it."""
    if row is None:
        return True
    if row["state"] != CLAIMED:
        return False
    try:
        return Owner.read(row["owner"]).is_gone(row["heartbeat"], now=now)
    except (ValueError, TypeError, AttributeError):  # a claim of nobody that can be read
        return True
