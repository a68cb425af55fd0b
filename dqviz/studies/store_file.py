"""Opening the file of a store: what it may be, where it may lie, and who may write."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from . import schema
from .errors import StoreError
from .shipped import is_shipped

HEADER = b"SQLite format 3\x00"
HEADER_BYTES, APPLICATION_ID_AT = 100, 68
BUSY_SECONDS = 30.0
"""How long a writer waits for another one."""

WAL_TRIES = 100

NETWORK_FILE_SYSTEMS = (
    *("9p", "afp", "afs", "beegfs", "ceph", "cifs", "davfs", "fuse.davfs", "fuse.glusterfs"),
    *("fuse.rclone", "fuse.s3fs", "fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs"),
    *("smb", "vboxsf", "webdav"),
)
"""How the names of file systems begin that lie on another machine."""


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """An open store; one that is not there is made where it is to be written.

    A store that comes with the package, or whose file or folder cannot be written, is read as it
    stands, which is right for stores that never change.

    Raises:
        StoreError: if it is no store, is damaged, is missing, or lies where it cannot be used.
    """
    _check_place(path, write=write)
    _check_kind(path, write=write)
    with refused(path):
        as_it_stands = not write and (is_shipped(path) or not _can_write(path))
        options = "mode=rwc" if write else "mode=rw"
        if as_it_stands:
            _refuse_unmerged(path)
            options = "mode=ro&immutable=1"
        connection = _open(path, options)
        try:
            if not _is_current(connection, path, may_change=not as_it_stands):
                schema.prepare(connection, where=str(path))
            if write:
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA foreign_keys = ON")
                _use_wal(connection)
            else:
                connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
        return connection


def _refuse_unmerged(path: Path) -> None:
    """Refuses a store that was copied while it was written: the file alone is not all of it.

    Raises:
        StoreError: saying what to do.
    """
    beside = path.with_name(f"{path.name}-wal")
    if beside.is_file() and beside.stat().st_size:
        raise StoreError(
            f"{path} has results in {beside.name} that are not in it yet, and cannot be written to "
            "bring them in: copy both files to where they can"
        )


def _is_current(connection: sqlite3.Connection, path: Path, *, may_change: bool) -> bool:
    """Whether a file is a store of this version, so that nothing need be written.

    Raises:
        StoreError: if it is not, and cannot be changed.
    """
    current = path.stat().st_size > 0
    current = current and schema.check(connection, where=str(path)) == schema.VERSION
    if not current and not may_change:
        raise StoreError(
            f"{path} is a store of an older version, and cannot be written to bring it up to date: "
            "copy it to where it can"
        )
    return current


@contextlib.contextmanager
def refused(path: Path, *, write: bool = True) -> Iterator[None]:
    """Turns what SQLite says into one clear text.

    Args:
        path: the store.
        write: whether it is open for writing: reading fills no disk, and finds a file too short.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = str(error)
        damaged = "Could not decode" in text or ("full" in text and not write)
        if isinstance(error, sqlite3.OperationalError) and not damaged:
            raise StoreError(f"{path}: {_advice(error)}") from error
        raise StoreError(
            f"{path} is damaged, or no store of results ({' '.join(text.split())[:80]}); "
            "it is left as it is: name another file, or bring back a copy"
        ) from error


def _advice(error: sqlite3.OperationalError) -> str:
    text = str(error)
    if "full" in text:
        return "the disk is full; every finished cell is kept: make room and start again"
    if "locked" in text or "busy" in text:
        return "another program has kept it locked for half a minute; try again when it is done"
    if "readonly" in text or "read-only" in text:
        return "it cannot be written: check its permissions, or name another file"
    return f"it cannot be used ({text})"


def _open(path: Path, options: str) -> sqlite3.Connection:
    address = f"file:{quote(str(path.resolve()))}?{options}"
    connection = sqlite3.connect(
        address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Lets readers and the writer work at the same time. To be done once the tables are there.

    Until then whatever marks the file as ours would stand in a file beside it.
    """
    for _ in range(WAL_TRIES):
        try:
            if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] == "wal":
                return
        except sqlite3.OperationalError as error:  # another program is just opening it
            if "locked" not in str(error):
                raise
        time.sleep(0.05)
    raise sqlite3.OperationalError("locked")


def _can_write(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _check_place(path: Path, *, write: bool) -> None:
    """Refuses what can hold no store: a folder, a missing folder, a network file system."""
    try:
        place = path.absolute().resolve()
        if path.is_dir():
            raise StoreError(f"{path} is a folder; name a file for the store")
        if not path.parent.is_dir():
            raise StoreError(f"there is no folder {path.parent} for the store {path.name}")
        if not write and not path.exists():
            raise StoreError(f"there is no store {path}; `dqviz sweep GRID.toml --store` makes one")
        if write and is_shipped(place):
            raise StoreError(f"{path} comes with dqviz and is only read: name another file")
        if write and not (_can_write(path) if path.exists() else os.access(path.parent, os.W_OK)):
            raise StoreError(f"{path} cannot be written: check permissions, or name another file")
    except ValueError as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"no file can be called {str(path)!r}") from error
    system = file_system(place)
    if system.startswith(NETWORK_FILE_SYSTEMS):
        raise StoreError(
            f"{path} lies on a network file system ({system}), where SQLite cannot keep two "
            "programs from writing at once: keep the store on a disk of this machine and bring "
            "parts together with `dqviz results merge`"
        )


def _check_kind(path: Path, *, write: bool) -> None:
    """Refuses a file that is no store, before SQLite touches it."""
    if not path.exists():
        return
    try:
        with path.open("rb") as file:
            start = file.read(HEADER_BYTES)
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}") from error
    if not start and write:
        return
    if not start.startswith(HEADER):
        raise StoreError(f"{path} is no store of results; it is left as it is: name another file")
    if start[APPLICATION_ID_AT:][:4] != schema.APPLICATION_ID.to_bytes(4, "big"):
        raise StoreError(
            f"{path} is the database of another program, not a store of results; it is left as it "
            "is: name another file"
        )


def file_system(place: Path) -> str:
    """The kind of file system that a resolved path lies on, in small letters; empty if unknown."""
    import psutil

    best, found = -1, ""
    try:
        partitions = psutil.disk_partitions(all=True)
    except OSError:
        return ""
    for part in partitions:
        mount = Path(part.mountpoint)
        depth = len(mount.parts)
        if depth > best and place.is_relative_to(mount):
            remote = "remote" in part.opts.split(",")
            best, found = depth, "smb" if remote else part.fstype.lower()
    return found
