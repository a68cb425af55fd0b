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
        on_new: called when there is a job to be sent to a worker.
        on_unwanted: called with a task that may still run and that nobody wants any more.
    """

    def __init__(
        self,
        *,
        cache_bytes: int,
        on_new: Callable[[], None],
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

    def sent(self, lane: str | None = None) -> list[Job]:
        """Those that a worker has, or had when it was lost; of one lane, or of all."""
        return [job for job in self._tasks.values() if lane in (None, job.lane)]

    def waiting(self, lane: str | None = None) -> list[Job]:
        """Those that no worker has yet, in the order in which they were asked for."""
        return [job for job in self._jobs.values() if not job.task and lane in (None, job.lane)]

    def job_of(self, task: str) -> Job | None:
        """The job that a task computes, unless it is over or was sent again."""
        return self._tasks.get(task)

    def remembers(self, key: str) -> bool:
        """Whether the result of that key is still there."""
        return self._results.get(key) is not None

    def remember(self, result: Result) -> None:
        """Takes a result that was computed before."""
        self._results.put(result.spec_key, result)

    def admit(self, spec: ExperimentSpec, lane: str) -> Job:
        """The job of a resolved specification: one under way, one that is done, or a new one.

        One that waits in another lane goes over into this one.
        """
        key = spec_key(spec)
        if key in self._jobs:
            if not self._jobs[key].task:
                self._jobs[key].lane = lane
            return self._jobs[key]
        job = Job(key=key, spec=spec, lane=lane)
        result = self._results.get(key)
        if result is not None:
            job.result, job.progress = result, Progress(1.0, "done")
            job.finish(DONE)
            return job
        self._jobs[key] = job
        self._on_new()
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

    def release(self, owner: str, channel: str | None = None) -> None:
        """Lets go of everything that an owner wanted, on one channel or on all."""
        for want in [w for w in self._wants if w[0] == owner and channel in (None, w[1])]:
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

    def move(self, job: Job, lane: str) -> None:
        """Stops a job that is at work, to be begun anew in another lane."""
        self._on_unwanted(job.task)
        self._put_back(job, "waiting for its turn among the long ones")
        job.lane = lane

    def requeue(self, job: Job) -> None:
        """Makes a lost job ready to be sent again; one that was lost twice at work has failed."""
        job.losses += 2 if job.status == RUNNING else 1
        self._put_back(job, "waiting, once more")
        if job.losses > MAX_LOSSES:
            message = (
                "the computing process ended twice while at this; perhaps memory ran out: "
                "take fewer images, a smaller batch or a smaller network"
            )
            self.fail(job, ExperimentError(message, kind="worker"))

    def _put_back(self, job: Job, text: str) -> None:
        self._tasks.pop(job.task, None)
        job.task, job.status, job.progress, job.begun = "", QUEUED, Progress(0.0, text), None

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
