"""Who works on a cell: a process, named so that others can tell whether it is still there."""

from __future__ import annotations

import dataclasses
import os
import platform
import secrets

STALE_SECONDS = 120.0
"""A claim of a process on another machine counts for nothing after so long without a sign of life.
On the same machine the process itself is asked for."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Owner:
    """One run of a sweep: a random token, and the process and machine that it runs on.

    `born` is when the process began (Unix time), since numbers of processes are used again.
    """

    token: str
    machine: str
    process: int
    born: float

    @classmethod
    def new(cls) -> Owner:
        """This process, under a token of its own."""
        import psutil

        return cls(
            token=secrets.token_hex(4),
            machine=platform.node(),
            process=os.getpid(),
            born=psutil.Process().create_time(),
        )

    def __str__(self) -> str:
        """As it stands in the store; `read` is the way back."""
        return f"{self.token} {self.process} {self.born!r} {self.machine}"

    @classmethod
    def read(cls, text: str) -> Owner:
        """The owner that a text from a store names."""
        token, process, born, machine = text.split(" ", 3)
        return cls(token=token, machine=machine, process=int(process), born=float(born))

    def is_gone(self, heartbeat: float, *, now: float) -> bool:
        """Whether it will not finish any more, its last sign of life being `heartbeat`."""
        if self.machine == platform.node():
            return not self._runs()
        return now - heartbeat > STALE_SECONDS

    def _runs(self) -> bool:
        import psutil

        try:
            process = psutil.Process(self.process)
            same = abs(process.create_time() - self.born) < 1
            return bool(same and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True
