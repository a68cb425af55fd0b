"""The folder of job records: one JSON file a job, written whole or not at all."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import filelock

from dqviz.experiments.whole_file import write_whole

from .record import Record, read_record, write_record

MAX_BYTES = 2**22
"""A larger file is no record: a grid has at most 1 MiB, a page asks for some dozens of results."""


class JobFolder:
    """Records on disk. One server at a time has the folder; another one keeps no records.

    Attributes:
        is_ours: whether this process has it.
        unreadable: the names of files that are no records; they are left as they are.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._lock = filelock.FileLock(self._path / "lock", thread_local=False)
        self.unreadable: tuple[str, ...] = ()
        self.is_ours = False
        with contextlib.suppress(OSError, filelock.Timeout):
            self._path.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(blocking=False)  # the system lets go of it however a process ends
            self.is_ours = True

    def load(self) -> list[Record]:
        """All records, in the order in which the jobs were asked for."""
        found, unreadable = [], []
        for file in self._path.glob("*.json") if self.is_ours else ():
            try:
                if file.stat().st_size > MAX_BYTES:
                    raise ValueError("it is too large")
                record = read_record(file.read_text(encoding="utf-8"))
                if file.stem != record.id:
                    raise ValueError("it is another job's")
                found.append(record)
            except (OSError, ValueError):
                unreadable.append(file.name)
        self.unreadable = tuple(sorted(unreadable))
        return sorted(found, key=lambda record: record.made)

    def save(self, record: Record) -> None:
        """Writes a record. Where that is not possible, the job is not found again, and goes on."""
        if not self.is_ours:
            return
        with contextlib.suppress(OSError):
            write_whole(self._file(record.id), write_record(record).encode())

    def remove(self, id: str) -> None:
        """Forgets a job."""
        if self.is_ours:
            with contextlib.suppress(OSError):
                self._file(id).unlink(missing_ok=True)

    def close(self) -> None:
        """Lets another server have the folder."""
        self._lock.release()
        self.is_ours = False

    def _file(self, id: str) -> Path:
        if not re.fullmatch(r"[0-9a-f]{16}", id):
            raise ValueError(f"expected 16 hexadecimal digits; got {id!r}")
        return self._path / f"{id}.json"
