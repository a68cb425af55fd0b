"""The engine: requests in, handles out, and every computation in a process of its own.

Whoever asks says who they are (`owner`) and what for (`channel`): a newer request of the same owner
and channel replaces the older one, and what nobody wants any more is stopped. The same
specification is computed once, however many want it. No torch here, and no network.

A lost worker or host process is started anew, and what it was computing is tried once more.
"""

from __future__ import annotations

import atexit
import functools
import queue
import threading
import time
from collections.abc import Sequence

from dqviz.specs import ExperimentSpec, spec_key

from .cluster import Cluster, Event, Task, Tls
from .condition import READY, RESTARTED, Condition
from .errors import ExperimentError, describe
from .handle import CANCELLED, RUNNING, Handle, Job, Progress, Want
from .host import INTERACTIVE, JOBS, interactive_workers
from .ledger import Ledger, failed
from .resolve import is_resolved, resolve
from .result_cache import RESULT_BYTES
from .worker import Outcome, compute, of_same_code

GRACE_SECONDS = 1.0
"""How long a cancelled task may take to stop before its worker is ended."""

MAX_ENDS = 3
ENDS_WITHIN_SECONDS = 60.0
"""An engine that ends more often than that within so many seconds is not started again."""


class Engine:
    """Computes experiments in worker processes and remembers recent results.

    Args:
        scheduler: the address of a running dask.distributed scheduler (`tcp://...`) whose workers
            have this package, of the same version; None starts workers on this machine.
        tls: for a scheduler at `tls://...`.
        cache_bytes: how much memory the remembered results may take.
        task: what a worker calls for each specification; None takes `compute`.
        workers: how many workers of this machine serve interactive requests; None leaves it to
            the number of processors.
    """

    def __init__(
        self,
        *,
        scheduler: str | None = None,
        tls: Tls | None = None,
        cache_bytes: int = RESULT_BYTES,
        task: Task | None = None,
        workers: int | None = None,
    ) -> None:
        self._open = functools.partial(
            Cluster,
            self._post,
            scheduler=scheduler,
            tls=tls,
            task=task or (compute if scheduler is None else of_same_code()),
            workers=interactive_workers() if workers is None else workers,
        )
        self._lock = threading.RLock()
        self._ledger = Ledger(
            cache_bytes=cache_bytes,
            on_new=lambda key: self._post(Event(what="send", source=self, text=key)),
            on_unwanted=lambda task: self._post(Event(what="drop", source=self, task=task)),
        )
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._doomed: dict[str, float] = {}
        self._ends: list[float] = []
        self._thread: threading.Thread | None = None
        self._cluster: Cluster | None = None
        self._condition = Condition()
        self._connected = threading.Event()

    @property
    def state(self) -> str:
        """`starting`, `ready`, `restarted` or `failed`; see `Condition`."""
        return self._condition.state

    @property
    def has_started(self) -> bool:
        """Whether it has been asked to start."""
        return self._thread is not None

    @property
    def message(self) -> str:
        """The state in words, for a person."""
        return self._condition.message

    @property
    def restarts(self) -> int:
        """How often a process was lost, or ended since it did not stop, and started anew."""
        return self._condition.restarts

    @property
    def host_pid(self) -> int | None:
        """The number of the process that holds our own workers, once it runs."""
        return None if self._cluster is None else self._cluster.host_pid

    @property
    def width(self) -> int:
        """How many tasks it works on at once; 1 while it is not connected."""
        return 1 if self._cluster is None else self._cluster.width

    def start_in_background(self) -> None:
        """Starts the engine's processes and returns at once. A failed engine is tried again."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            self._condition.start()
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
        return self.state in (READY, RESTARTED)

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
            specs: what is wanted, resolved (see `Lookup`) or not. What cannot be fails at once.
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
            self._condition.asked()
            jobs = [
                self._ledger.admit(spec, lane)
                if isinstance(spec, ExperimentSpec)
                else failed(specs[index], spec, lane)
                for index, spec in enumerate(resolved)
            ]
            self._ledger.replace(want, jobs)
        return [Handle(job, release=lambda job: self._let_go(job, want)) for job in jobs]

    def is_known(self, spec: ExperimentSpec) -> bool:
        """Whether the result of a specification is remembered, so that it comes at once."""
        resolved = _resolve(spec)
        if not isinstance(resolved, ExperimentSpec):
            return False
        with self._lock:
            return self._ledger.remembers(spec_key(resolved))

    def release(self, owner: str) -> None:
        """Lets go of everything that an owner asked for, such as when a session ends."""
        with self._lock:
            self._ledger.release(owner)

    def shutdown(self) -> None:
        """Ends the engine and its processes; what was under way is cancelled."""
        atexit.unregister(self.shutdown)
        with self._lock:
            thread, self._thread = self._thread, None
            for job in self._ledger.jobs():
                self._ledger.finish(job, CANCELLED)
        if thread is not None and thread.is_alive():
            self._post(Event(what="close", source=self))
            thread.join(timeout=10)

    def _post(self, event: Event) -> None:
        self._events.put(event)

    def _let_go(self, job: Job, want: Want) -> None:
        with self._lock:
            self._ledger.let_go(job, want)

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
            with self._lock:
                self._condition.host_lost()
            self._ends = [*self._ends[-MAX_ENDS:], time.monotonic()]
            if len(self._ends) > MAX_ENDS and self._ends[-1] - self._ends[0] < ENDS_WITHIN_SECONDS:
                self._give_up(f"it ended {len(self._ends)} times within a minute")
                return
            with self._lock:
                for job in self._ledger.sent():
                    self._ledger.requeue(job)

    def _begin(self, cluster: Cluster) -> None:
        with self._lock:
            self._cluster = cluster
            self._doomed.clear()
            self._condition.connected()
            self._connected.set()
            for job in self._ledger.jobs():
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
            wanted = self._ledger.job(event.text)
            if wanted is not None:
                self._send(cluster, wanted)
            return
        if event.what == "drop":
            cluster.drop(event.task)
            self._doomed[event.task] = time.monotonic() + GRACE_SECONDS
            return
        job = self._ledger.job_of(event.task)
        if job is None:
            return
        if event.what == "started":
            job.status, job.progress = RUNNING, Progress(0.0, "starting")
        elif event.what == "progress":
            job.progress = Progress(event.fraction, event.text)
        elif event.what == "finished" and event.outcome is not None:
            self._conclude(job, event.outcome)
        elif event.what == "lost":
            self._condition.task_lost(event.text)
            self._ledger.requeue(job)
            if self._ledger.job(job.key) is job:
                self._send(cluster, job)

    def _conclude(self, job: Job, outcome: Outcome) -> None:
        if outcome.result is not None:
            self._ledger.succeed(job, outcome.result)
            self._condition.recovered()
        else:
            message = outcome.error or "the computation stopped without a result"
            self._ledger.fail(job, ExperimentError(message, kind=outcome.error_kind or "worker"))

    def _send(self, cluster: Cluster, job: Job) -> None:
        if not job.task:
            cluster.send(self._ledger.begin(job), job.spec, lane=job.lane)

    def _end_overdue(self, cluster: Cluster) -> None:
        now = time.monotonic()
        for task in [task for task, deadline in self._doomed.items() if deadline <= now]:
            del self._doomed[task]
            if worker := cluster.end_worker(task):
                with self._lock:
                    self._condition.worker_ended(worker)

    def _give_up(self, reason: str) -> None:
        with self._lock:
            self._condition.give_up(reason)
            self._connected.set()
            for job in self._ledger.jobs():
                self._ledger.fail(job, ExperimentError(self.message, kind="worker"))


def _resolve(spec: ExperimentSpec) -> ExperimentSpec | ExperimentError:
    try:
        return spec if is_resolved(spec) else resolve(spec)
    except Exception as error:
        message, kind = describe(error)
        return ExperimentError(message, kind=kind)
