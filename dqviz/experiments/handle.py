"""What the one who asked for a result holds in the meantime."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from dqviz.specs import ExperimentSpec

from .errors import ExperimentError
from .result import Result

QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
FINAL = (DONE, FAILED, CANCELLED)


class Progress(NamedTuple):
    """How far a computation is: a share of 0 to 1, and what it is doing."""

    fraction: float
    text: str


WAITING = Progress(0.0, "waiting")

SHARE_TOLD = 0.03
"""Of a computation that is less far it is not said how long the rest takes."""


def time_left(begun: float, share: float) -> float | None:
    """About how many seconds something still takes; None while that cannot be said.

    Args:
        begun: when it began, by the monotonic clock.
        share: how far it is, 0 to 1.
    """
    return (time.monotonic() - begun) * (1 - share) / share if share >= SHARE_TOLD else None


Want = tuple[str, str]
"""Who wants a result: (owner, channel)."""


@dataclasses.dataclass(eq=False, kw_only=True)
class Job:
    """One computation that somebody wants; everything in it is guarded by the engine's lock."""

    key: str
    spec: ExperimentSpec
    lane: str
    wants: set[Want] = dataclasses.field(default_factory=set)
    task: str = ""
    losses: int = 0
    status: str = QUEUED
    progress: Progress = WAITING
    begun: float | None = None
    """When a worker began it, by the monotonic clock."""
    result: Result | None = None
    error: ExperimentError | None = None
    over: threading.Event = dataclasses.field(default_factory=threading.Event)

    @property
    def seconds_left(self) -> float | None:
        """About how many seconds it still takes; None while that cannot be said."""
        return None if self.begun is None else time_left(self.begun, self.progress.fraction)

    def finish(self, status: str) -> None:
        """Ends the job; nothing changes it afterwards."""
        self.status = status
        self.over.set()


class Handle:
    """One request's view of a computation that it may share with others."""

    def __init__(
        self,
        job: Job,
        *,
        release: Callable[[Job], None],
        before: Callable[[Job], int] = lambda job: 0,
    ) -> None:
        self._job = job
        self._release = release
        self._before = before
        self._cancelled = False

    @property
    def key(self) -> str:
        """The specification's key; empty if it could not be resolved."""
        return self._job.key

    @property
    def spec(self) -> ExperimentSpec:
        """The specification, resolved where that was possible."""
        return self._job.spec

    @property
    def status(self) -> str:
        """`queued`, `running`, `done`, `failed` or `cancelled`."""
        return CANCELLED if self._cancelled else self._job.status

    @property
    def is_over(self) -> bool:
        """Whether the status is final."""
        return self.status in FINAL

    @property
    def progress(self) -> Progress:
        """How far the computation is."""
        return self._job.progress

    @property
    def begun(self) -> float | None:
        """When a worker began it, by the monotonic clock; None if it waits or was there before."""
        return self._job.begun

    @property
    def before(self) -> int:
        """How many waiting computations come before this one."""
        return self._before(self._job)

    @property
    def error(self) -> str | None:
        """Why it failed, as one clear text."""
        return None if self._job.error is None else str(self._job.error)

    @property
    def error_kind(self) -> str | None:
        """The cause's name, such as `DataError`; `internal` and `worker` are no user's fault."""
        return None if self._job.error is None else self._job.error.kind

    def result(self, timeout: float | None = None) -> Result:
        """The result, waiting for it up to `timeout` seconds (None: as long as it takes).

        Raises:
            ExperimentError: if it failed (`kind` says why), was cancelled or is not there in time.
        """
        self.wait(timeout)
        if self._job.error is not None:
            raise self._job.error
        if self._cancelled or self._job.result is None:
            kind = CANCELLED if self.status == CANCELLED else "timeout"
            raise ExperimentError(f"there is no result: the request is {self.status}", kind=kind)
        return self._job.result

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the status is final; False if that took longer than `timeout` seconds."""
        return self._cancelled or self._job.over.wait(timeout)

    def cancel(self) -> None:
        """Gives the result up; the computation stops unless somebody else wants it."""
        if not self.is_over:
            self._cancelled = True
            self._release(self._job)
