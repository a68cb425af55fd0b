"""What is wanted, by whom, and what became of it."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Sequence

from dqviz.specs import ExperimentSpec, spec_key

from .errors import ExperimentError
from .handle import CANCELLED, DONE, FAILED, QUEUED, RUNNING, Job, Progress, Want
from .result import Result
from .result_cache import ResultCache

MAX_LOSSES = 3
"""How often a request may be lost while it waits; at work it may be lost once."""


class Ledger:
    """Jobs by specification and by task, who wants them, and recent results.

    A job is there from the request until it is over. Nothing here waits or computes, and nothing
    is thread-safe: the engine guards it with its lock.

    Args:
        cache_bytes: how much memory the remembered results may take.
        on_new: called with the key of a job that is to be sent to a worker.
        on_unwanted: called with a task that may still run and that nobody wants any more.
    """

    def __init__(
        self,
        *,
        cache_bytes: int,
        on_new: Callable[[str], None],
        on_unwanted: Callable[[str], None],
    ) -> None:
        self._on_new = on_new
        self._on_unwanted = on_unwanted
        self._jobs: dict[str, Job] = {}
        self._tasks: dict[str, Job] = {}
        self._wants: dict[Want, set[str]] = {}
        self._results: ResultCache[Result] = ResultCache(max_bytes=cache_bytes)
        self._prefix = uuid.uuid4().hex[:8]
        self._numbers = itertools.count()

    def jobs(self) -> list[Job]:
        """All that are not over."""
        return list(self._jobs.values())

    def sent(self) -> list[Job]:
        """Those that a worker has, or had when it was lost."""
        return list(self._tasks.values())

    def job(self, key: str) -> Job | None:
        """The job of a specification's key, unless it is over."""
        return self._jobs.get(key)

    def job_of(self, task: str) -> Job | None:
        """The job that a task computes, unless it is over or was sent again."""
        return self._tasks.get(task)

    def remembers(self, key: str) -> bool:
        """Whether the result of that key is still there."""
        return self._results.get(key) is not None

    def admit(self, spec: ExperimentSpec, lane: str) -> Job:
        """The job of a resolved specification: one under way, one that is done, or a new one."""
        key = spec_key(spec)
        if key in self._jobs:
            return self._jobs[key]
        job = Job(key=key, spec=spec, lane=lane)
        result = self._results.get(key)
        if result is not None:
            job.result, job.progress = result, Progress(1.0, "done")
            job.finish(DONE)
            return job
        self._jobs[key] = job
        self._on_new(key)
        return job

    def replace(self, want: Want, jobs: Sequence[Job]) -> None:
        """Notes who wants these jobs, and lets go of what the same one wanted before."""
        keys = {job.key for job in jobs if job.key in self._jobs}
        unwanted = self._wants.pop(want, set()) - keys
        if keys:
            self._wants[want] = keys
        for key in keys:
            self._jobs[key].wants.add(want)
        for key in unwanted:
            self._release(key, want)

    def let_go(self, job: Job, want: Want) -> None:
        """One who wanted a job wants it no more."""
        self._wants.get(want, set()).discard(job.key)
        if self._jobs.get(job.key) is job:
            self._release(job.key, want)

    def release(self, owner: str) -> None:
        """Lets go of everything that an owner wanted."""
        for want in [want for want in self._wants if want[0] == owner]:
            for key in self._wants.pop(want):
                self._release(key, want)

    def begin(self, job: Job) -> str:
        """The name of the task that is to compute a job."""
        job.task = f"dqviz-{self._prefix}-{next(self._numbers)}-{job.key}"
        self._tasks[job.task] = job
        return job.task

    def succeed(self, job: Job, result: Result) -> None:
        """Ends a job with its result, which is remembered."""
        job.result, job.progress = result, Progress(1.0, "done")
        self._results.put(job.key, result)
        self.finish(job, DONE)

    def fail(self, job: Job, error: ExperimentError) -> None:
        """Ends a job with what went wrong."""
        job.error = error
        self.finish(job, FAILED)

    def finish(self, job: Job, status: str) -> None:
        """Ends a job and forgets it; a task that may still run is told to stop."""
        self._jobs.pop(job.key, None)
        if self._tasks.pop(job.task, None) is not None and status == CANCELLED:
            self._on_unwanted(job.task)
        for want in job.wants:
            keys = self._wants.get(want, set())
            keys.discard(job.key)
            if not keys:
                self._wants.pop(want, None)
        job.finish(status)

    def requeue(self, job: Job) -> None:
        """Makes a lost job ready to be sent again; one that was lost twice at work has failed."""
        self._tasks.pop(job.task, None)
        job.losses += 2 if job.status == RUNNING else 1
        job.task, job.status, job.progress = "", QUEUED, Progress(0.0, "waiting, once more")
        if job.losses > MAX_LOSSES:
            message = (
                "the computing process ended twice while at this; perhaps memory ran out: "
                "take fewer images, a smaller batch or a smaller network"
            )
            self.fail(job, ExperimentError(message, kind="worker"))

    def _release(self, key: str, want: Want) -> None:
        job = self._jobs.get(key)
        if job is not None:
            job.wants.discard(want)
            if not job.wants:
                self.finish(job, CANCELLED)


def failed(spec: ExperimentSpec, error: ExperimentError, lane: str) -> Job:
    """The job of a specification that cannot be resolved; over, and in no ledger."""
    job = Job(key="", spec=spec, lane=lane, error=error)
    job.finish(FAILED)
    return job
