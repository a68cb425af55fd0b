"""The tables of a store, and how a file is told from others. SQLite only, no other library.

A file of ours has `APPLICATION_ID` in its header and the number of its schema beside it. One that
is older is brought up to date by the steps of `MIGRATIONS`; one that is newer is refused.
"""

from __future__ import annotations

import sqlite3

from .errors import StoreError

APPLICATION_ID = 0x64717669
"""'dqvi', written into the header of every store."""

VERSION = 1

COORDINATES = (
    "kind",
    "model",
    "weights",
    "weight_bits",
    "act_bits",
    "attack",
    "norm",
    "epsilon",
    "data",
    "split",
    "n_samples",
    "seed",
    "crafted_on",
)
"""What a cell is found by; as in the tables of results, and the attack's norm and the split."""

_CELLS = """
CREATE TABLE cells (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,          -- spec_key of the resolved specification
    spec TEXT NOT NULL,                -- that specification as JSON
    state TEXT NOT NULL CHECK (state IN ('claimed', 'done', 'failed')),
    kind TEXT NOT NULL, model TEXT NOT NULL, weights TEXT NOT NULL,
    weight_bits INTEGER NOT NULL, act_bits INTEGER NOT NULL,
    attack TEXT NOT NULL, norm TEXT NOT NULL, epsilon REAL NOT NULL,
    data TEXT NOT NULL, split TEXT NOT NULL, n_samples INTEGER, seed INTEGER NOT NULL,
    crafted_on TEXT NOT NULL,
    owner TEXT, heartbeat REAL,        -- of a claim: whose, and its last sign of life (Unix time)
    attempts INTEGER NOT NULL DEFAULT 0,
    finished REAL, seconds REAL,       -- Unix time, and how long it took
    error TEXT, error_kind TEXT,
    shared TEXT,                       -- JSON: the columns that all its rows have in common
    notes TEXT,                        -- JSON: a list of sentences
    version TEXT, code TEXT, weights_hash TEXT, data_hash TEXT,
    libraries TEXT, precision TEXT, threads INTEGER, machine TEXT
)"""

_NUMBERS = """
CREATE TABLE numbers (
    cell INTEGER NOT NULL REFERENCES cells (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,            -- the row's number in the cell's table
    attack TEXT, epsilon REAL, layer TEXT NOT NULL, depth INTEGER NOT NULL,
    metric TEXT NOT NULL, statistic TEXT NOT NULL,
    value REAL,                        -- NULL where it is not a number
    PRIMARY KEY (cell, place)
) WITHOUT ROWID"""

STATEMENTS = (
    _CELLS,
    _NUMBERS,
    "CREATE INDEX numbers_by_metric ON numbers (metric, statistic, layer)",
    "CREATE INDEX cells_by_state ON cells (state)",
)

MIGRATIONS: dict[int, tuple[str, ...]] = {}
"""The statements that lead from each version to the next."""


def prepare(connection: sqlite3.Connection, *, where: str) -> None:
    """Makes an empty file a store, or brings an older store up to date, in one transaction.

    Raises:
        StoreError: if the file is another program's, or a later version's.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        if is_empty(connection):
            for statement in STATEMENTS:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        else:
            version = check(connection, where=where)
            for step in range(version, VERSION):
                for statement in MIGRATIONS[step]:
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether there is no table and no mark of another program."""
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return not tables and not _pragma(connection, "application_id")


def check(connection: sqlite3.Connection, *, where: str) -> int:
    """The version of a store.

    Raises:
        StoreError: if the file is another program's, or a later version's.
    """
    if _pragma(connection, "application_id") != APPLICATION_ID:
        raise StoreError(
            f"{where} is the database of another program, not a store of results; it is left as "
            "it is: name another file"
        )
    version = _pragma(connection, "user_version")
    if not 1 <= version <= VERSION:
        raise StoreError(
            f"{where} is a store of version {version}, this dqviz knows versions up to {VERSION}; "
            "it is left as it is: use a newer dqviz"
        )
    return version


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
