"""The engine: requests in, handles out, and every computation in a process of its own.

Whoever asks says who they are (`owner`) and what for (`channel`): a newer request of the same owner
and channel replaces the older one, and what nobody wants any more is stopped. The same
specification is computed once, however many want it. No torch here, and no network.

A lost worker or host process is started anew, and what it was computing is tried once more.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import queue
import threading
import time
import uuid
from collections.abc import Sequence

from dqviz.specs import ExperimentSpec, spec_key

from .cluster import Cluster, Event, Task
from .errors import ExperimentError, describe
from .handle import CANCELLED, DONE, FAILED, QUEUED, RUNNING, Handle, Job, Progress, Want
from .host import INTERACTIVE, JOBS, interactive_workers
from .resolve import resolve
from .result import Result
from .result_cache import RESULT_BYTES, ResultCache
from .worker import compute

STARTING, READY, RESTARTED, DEAD = "starting", "ready", "restarted", "failed"

GRACE_SECONDS = 1.0
"""How long a cancelled task may take to stop before its worker is ended."""

MAX_ENDS = 3
ENDS_WITHIN_SECONDS = 60.0
"""An engine that ends more often than that within so many seconds is not started again."""

MAX_LOSSES = 3
"""How often a request may be lost while it waits; at work it may be lost once."""


class Engine:
    """Computes experiments in worker processes and remembers recent results.

    Args:
        scheduler: the address of a running dask.distributed scheduler (`tcp://...`) whose workers
            have this package; None starts workers on this machine.
        cache_bytes: how much memory the remembered results may take.
        task: what a worker calls for each specification.
        workers: how many workers of this machine serve interactive requests; None leaves it to
            the number of processors.
    """

    def __init__(
        self,
        *,
        scheduler: str | None = None,
        cache_bytes: int = RESULT_BYTES,
        task: Task = compute,
        workers: int | None = None,
    ) -> None:
        self._open = functools.partial(
            Cluster,
            self._post,
            scheduler=scheduler,
            task=task,
            workers=interactive_workers() if workers is None else workers,
        )
        self._lock = threading.RLock()
        self._jobs: dict[str, Job] = {}
        self._tasks: dict[str, Job] = {}
        self._wants: dict[Want, set[str]] = {}
        self._results: ResultCache[Result] = ResultCache(max_bytes=cache_bytes)
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._doomed: dict[str, float] = {}
        self._lost_workers: set[str] = set()
        self._ends: list[float] = []
        self._thread: threading.Thread | None = None
        self._cluster: Cluster | None = None
        self._state, self._message, self._restarts = STARTING, "the engine is starting", 0
        self._recovered = False
        self._connected = threading.Event()
        self._prefix = uuid.uuid4().hex[:8]
        self._numbers = itertools.count()

    @property
    def state(self) -> str:
        """`starting`, `ready`, `restarted` or `failed`.

        It stays `restarted` until a result has arrived and something new is asked for, so that
        whoever waited for that result can say what happened.
        """
        return self._state

    @property
    def has_started(self) -> bool:
        """Whether it has been asked to start."""
        return self._thread is not None

    @property
    def message(self) -> str:
        """The state in words, for a person."""
        return self._message

    @property
    def restarts(self) -> int:
        """How often a process was lost and started anew."""
        return self._restarts

    @property
    def host_pid(self) -> int | None:
        """The number of the process that holds our own workers, once it runs."""
        return None if self._cluster is None else self._cluster.host_pid

    def start_in_background(self) -> None:
        """Starts the engine's processes and returns at once. A failed engine is tried again."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            self._set_state(STARTING, "the engine is starting")
            self._connected.clear()
            self._ends.clear()
            self._thread = threading.Thread(
                target=self._supervise, daemon=True, name="dqviz-engine"
            )
            self._thread.start()
            atexit.register(self.shutdown)

    def wait_until_ready(self, timeout: float | None = None) -> bool:
        """Waits until the engine is ready or has failed; whether it is ready."""
        self._connected.wait(timeout)
        return self._state in (READY, RESTARTED)

    def submit(
        self,
        specs: Sequence[ExperimentSpec],
        *,
        owner: str,
        channel: str,
        background: bool = False,
    ) -> list[Handle]:
        """Asks for results, in place of what this owner asked for on this channel before.

        Args:
            specs: what is wanted, resolved or not. What cannot be resolved fails at once.
            owner: who asks, such as a session's id.
            channel: what for, such as a page's name.
            background: whether it is a long job, which runs at a lower priority.

        Returns:
            One handle for each specification, in order.
        """
        self.start_in_background()
        resolved = [_resolve(spec) for spec in specs]
        lane = JOBS if background else INTERACTIVE
        want = (owner, channel)
        with self._lock:
            if self._state == RESTARTED and self._recovered:
                self._set_state(READY, "ready")
            jobs = [
                self._admit(spec, lane)
                if isinstance(spec, ExperimentSpec)
                else _failed(specs[index], spec)
                for index, spec in enumerate(resolved)
            ]
            keys = {job.key for job in jobs if job.key in self._jobs}
            unwanted = self._wants.pop(want, set()) - keys
            if keys:
                self._wants[want] = keys
            for key in keys:
                self._jobs[key].wants.add(want)
            for key in unwanted:
                self._release(key, want)
        return [Handle(job, release=lambda job: self._let_go(job, want)) for job in jobs]

    def is_known(self, spec: ExperimentSpec) -> bool:
        """Whether the result of a specification is remembered, so that it comes at once."""
        resolved = _resolve(spec)
        if not isinstance(resolved, ExperimentSpec):
            return False
        with self._lock:
            return self._results.get(spec_key(resolved)) is not None

    def release(self, owner: str) -> None:
        """Lets go of everything that an owner asked for, such as when a session ends."""
        with self._lock:
            for want in [want for want in self._wants if want[0] == owner]:
                for key in self._wants.pop(want):
                    self._release(key, want)

    def shutdown(self) -> None:
        """Ends the engine and its processes; what was under way is cancelled."""
        atexit.unregister(self.shutdown)
        with self._lock:
            thread, self._thread = self._thread, None
            for job in list(self._jobs.values()):
                self._finish(job, CANCELLED)
        if thread is not None and thread.is_alive():
            self._post(Event(what="close", source=self))
            thread.join(timeout=10)

    def _post(self, event: Event) -> None:
        self._events.put(event)

    # What follows runs under the lock.

    def _admit(self, spec: ExperimentSpec, lane: str) -> Job:
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
        self._post(Event(what="send", source=self, text=key))
        return job

    def _release(self, key: str, want: Want) -> None:
        job = self._jobs.get(key)
        if job is not None:
            job.wants.discard(want)
            if not job.wants:
                self._finish(job, CANCELLED)

    def _finish(self, job: Job, status: str) -> None:
        """Ends a job and forgets it; a task that may still run is told to stop."""
        self._jobs.pop(job.key, None)
        if self._tasks.pop(job.task, None) is not None and status == CANCELLED:
            self._post(Event(what="drop", source=self, task=job.task))
        for want in job.wants:
            keys = self._wants.get(want, set())
            keys.discard(job.key)
            if not keys:
                self._wants.pop(want, None)
        job.finish(status)

    def _fail(self, job: Job, error: ExperimentError) -> None:
        job.error = error
        self._finish(job, FAILED)

    def _set_state(self, state: str, message: str) -> None:
        self._state, self._message = state, message

    def _let_go(self, job: Job, want: Want) -> None:
        with self._lock:
            self._wants.get(want, set()).discard(job.key)
            if self._jobs.get(job.key) is job:
                self._release(job.key, want)

    # What follows runs in the engine's own thread.

    def _supervise(self) -> None:
        while True:
            try:
                cluster = self._open()
            except Exception as error:
                self._give_up(describe(error)[0])
                return
            self._begin(cluster)
            ended = self._serve(cluster)
            self._cluster = None
            cluster.close()
            if not ended:
                return
            self._note_restart("the engine's process ended and was started again")
            self._ends = [*self._ends[-MAX_ENDS:], time.monotonic()]
            if len(self._ends) > MAX_ENDS and self._ends[-1] - self._ends[0] < ENDS_WITHIN_SECONDS:
                self._give_up(f"it ended {len(self._ends)} times within a minute")
                return
            with self._lock:
                for job in list(self._tasks.values()):
                    self._requeue(job)

    def _begin(self, cluster: Cluster) -> None:
        with self._lock:
            self._cluster = cluster
            self._doomed.clear()
            self._lost_workers.clear()
            if self._state == STARTING:
                self._set_state(READY, "ready")
            self._connected.set()
            for job in self._jobs.values():
                self._send(cluster, job)

    def _serve(self, cluster: Cluster) -> bool:
        """Handles events until the cluster ends (True) or is to be closed (False)."""
        while True:
            self._end_overdue(cluster)
            try:
                event = self._events.get(timeout=0.1 if self._doomed else 2.0)
            except queue.Empty:
                if not cluster.is_alive():
                    return True
                continue
            if event.what == "close":
                return False
            if event.what == "ended" and event.source is cluster:
                return True
            if event.source in (cluster, self):
                with self._lock:
                    self._handle(cluster, event)

    def _handle(self, cluster: Cluster, event: Event) -> None:
        if event.what == "send":
            if event.text in self._jobs:
                self._send(cluster, self._jobs[event.text])
            return
        if event.what == "drop":
            cluster.drop(event.task)
            self._doomed[event.task] = time.monotonic() + GRACE_SECONDS
            return
        job = self._tasks.get(event.task)
        if job is None:
            return
        if event.what == "started":
            job.status, job.progress = RUNNING, Progress(0.0, "starting")
        elif event.what == "progress":
            job.progress = Progress(event.fraction, event.text)
        elif event.what == "finished" and event.outcome is not None:
            self._conclude(job, event)
        elif event.what == "lost":
            if event.text not in self._lost_workers:  # else others waited for the same worker
                self._lost_workers.add(event.text)
                self._note_restart("a computing process was lost and started again")
            self._requeue(job)
            if job.key in self._jobs:
                self._send(cluster, job)

    def _conclude(self, job: Job, event: Event) -> None:
        outcome = event.outcome
        assert outcome is not None
        if outcome.result is not None:
            job.result, job.progress = outcome.result, Progress(1.0, "done")
            self._results.put(job.key, outcome.result)
            self._finish(job, DONE)
            self._recovered = True
        else:
            message = outcome.error or "the computation stopped without a result"
            self._fail(job, ExperimentError(message, kind=outcome.error_kind or "worker"))

    def _send(self, cluster: Cluster, job: Job) -> None:
        if not job.task:
            job.task = f"dqviz-{self._prefix}-{next(self._numbers)}-{job.key}"
            self._tasks[job.task] = job
            cluster.send(job.task, job.spec, lane=job.lane)

    def _requeue(self, job: Job) -> None:
        """Makes a lost job ready to be sent again; one that was lost twice at work has failed."""
        self._tasks.pop(job.task, None)
        job.losses += 2 if job.status == RUNNING else 1
        job.task, job.status, job.progress = "", QUEUED, Progress(0.0, "waiting, once more")
        if job.losses > MAX_LOSSES:
            message = (
                "the computing process ended twice while at this; perhaps memory ran out: "
                "take fewer images, a smaller batch or a smaller network"
            )
            self._fail(job, ExperimentError(message, kind="worker"))

    def _end_overdue(self, cluster: Cluster) -> None:
        now = time.monotonic()
        for task in [task for task, deadline in self._doomed.items() if deadline <= now]:
            del self._doomed[task]
            if cluster.is_running(task):
                self._lost_workers.add(cluster.end_worker(task))
                self._note_restart("a cancelled computation did not stop: its process was ended")

    def _note_restart(self, message: str) -> None:
        with self._lock:
            self._restarts += 1
            self._recovered = False
            self._set_state(RESTARTED, message)

    def _give_up(self, reason: str) -> None:
        with self._lock:
            self._set_state(DEAD, f"the engine does not run: {reason}")
            self._connected.set()
            for job in list(self._jobs.values()):
                self._fail(job, ExperimentError(self._message, kind="worker"))


def _resolve(spec: ExperimentSpec) -> ExperimentSpec | ExperimentError:
    try:
        return resolve(spec)
    except Exception as error:
        message, kind = describe(error)
        return ExperimentError(message, kind=kind)


def _failed(spec: ExperimentSpec, error: ExperimentError) -> Job:
    job = Job(key="", spec=spec, lane=INTERACTIVE, error=error)
    job.finish(FAILED)
    return job
