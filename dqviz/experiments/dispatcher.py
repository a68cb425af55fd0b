"""The engine's own thread: it sends out what waits, turn by turn, and hears what becomes of it."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from .cluster import Cluster, Event
from .condition import Condition
from .costs import LONG_SECONDS, Costs
from .errors import ExperimentError, describe
from .handle import RUNNING, Job, Progress
from .host import INTERACTIVE, JOBS
from .ledger import Ledger
from .result import Result
from .turns import Turns, owners
from .worker import Outcome

GRACE_SECONDS = 1.0
"""How long a cancelled task may take to stop before its worker is ended."""

MAX_ENDS = 3
ENDS_WITHIN_SECONDS = 60.0
"""An engine that ends more often than that within so many seconds is not started again."""

Post = Callable[[Event], None]


class Dispatcher:
    """Sends the ledger's jobs to a cluster, and starts the cluster anew when it ends.

    Each lane has as many jobs at work as it has workers; the others wait, and take turns by whom
    they are for. A computation in the interactive lane that turns out to be long counts as one of
    the jobs; it gives its place up where somebody else waits for it, or where there are more jobs
    than may be at work, and is begun anew among them.

    Args:
        open_cluster: connects to workers; called with what is to be told of events.
        ledger: what is wanted.
        condition: what state the engine is in.
        costs: learns how long computations take.
        lock: guards all of these.
        on_result: called with every result and how long its computation took, without the lock.
    """

    def __init__(
        self,
        open_cluster: Callable[[Post], Cluster],
        *,
        ledger: Ledger,
        condition: Condition,
        costs: Costs,
        lock: threading.RLock,
        on_result: Callable[[Result, float], None],
    ) -> None:
        self._open = open_cluster
        self._ledger = ledger
        self._condition = condition
        self._costs = costs
        self._lock = lock
        self._on_result = on_result
        self._turns = Turns()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._doomed: dict[str, float] = {}
        self._ends: list[float] = []
        self._found: list[tuple[Result, float]] = []
        self._thread: threading.Thread | None = None
        self.cluster: Cluster | None = None
        self.connected = threading.Event()

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begins, in a thread of its own."""
        self.connected.clear()
        self._ends.clear()
        self._thread = threading.Thread(target=self._supervise, daemon=True, name="dqviz-engine")
        self._thread.start()

    def close(self) -> None:
        """Ends it and its cluster."""
        if self._thread is not None and self._thread.is_alive():
            self._events.put(Event(what="close", source=None))
            self._thread.join(timeout=10)

    def wake(self) -> None:
        """There is something to be sent."""
        self._events.put(Event(what="send", source=None))

    def drop(self, task: str) -> None:
        """Nobody wants a task any more."""
        self._events.put(Event(what="drop", source=None, task=task))

    def before(self, job: Job) -> int:
        """How many waiting jobs come before this one."""
        if job.task or job.over.is_set():
            return 0
        lane = job.lane
        return self._turns.before(job, self._ledger.waiting(lane), self._ledger.sent(lane))

    # What follows runs in the thread.

    def _supervise(self) -> None:
        while True:
            try:
                cluster = self._open(self._events.put)
            except Exception as error:
                self._give_up(describe(error)[0])
                return
            self._begin(cluster)
            ended = self._serve(cluster)
            self.cluster = None
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
            self.cluster = cluster
            self._doomed.clear()
            self._condition.connected()
            self.connected.set()
            self._send(cluster)

    def _serve(self, cluster: Cluster) -> bool:
        """Handles events until the cluster ends (True) or is to be closed (False)."""
        while True:
            self._end_overdue(cluster)
            try:
                event = self._events.get(timeout=self._patience())
            except queue.Empty:
                if not cluster.is_alive():
                    return True
                event = Event(what="tick", source=None)
            if event.what == "close":
                return False
            if event.what == "ended" and event.source is cluster:
                return True
            if event.source in (cluster, None):
                with self._lock:
                    self._handle(cluster, event)
                    self._move_long(cluster)
                    self._send(cluster)
            while self._found:
                self._on_result(*self._found.pop())

    def _patience(self) -> float:
        """Seconds until something is to be looked after without any event."""
        if self._doomed:
            return 0.1
        with self._lock:
            return 0.25 if self._ledger.sent(INTERACTIVE) else 2.0

    def _handle(self, cluster: Cluster, event: Event) -> None:
        if event.what == "drop":
            cluster.drop(event.task)
            self._doomed[event.task] = time.monotonic() + GRACE_SECONDS
            return
        job = self._ledger.job_of(event.task)
        if job is None:
            return
        if event.what == "started":
            job.status, job.progress = RUNNING, Progress(0.0, "starting")
            job.begun = time.monotonic()
        elif event.what == "progress":
            job.progress = Progress(event.fraction, event.text)
        elif event.what == "finished" and event.outcome is not None:
            self._conclude(job, event.outcome)
        elif event.what == "lost":
            self._condition.task_lost(event.text)
            self._ledger.requeue(job)

    def _conclude(self, job: Job, outcome: Outcome) -> None:
        if outcome.result is not None:
            seconds = 0.0 if job.begun is None else time.monotonic() - job.begun
            self._costs.learn(job.spec, seconds)
            self._found.append((outcome.result, seconds))
            self._ledger.succeed(job, outcome.result)
            self._condition.recovered()
        else:
            message = outcome.error or "the computation stopped without a result"
            self._ledger.fail(job, ExperimentError(message, kind=outcome.error_kind or "worker"))

    def _send(self, cluster: Cluster) -> None:
        """Sends what waits, as far as there is room."""
        for lane in (INTERACTIVE, JOBS):
            waiting = self._ledger.waiting(lane)
            while waiting and self._has_room(cluster, lane):
                job = self._turns.take(waiting, self._ledger.sent(lane))
                waiting.remove(job)
                cluster.send(self._ledger.begin(job), job.spec, lane=lane)

    def _has_room(self, cluster: Cluster, lane: str) -> bool:
        slots = cluster.slots(lane)
        if slots is None:
            return True
        if lane == JOBS:
            return self._room_for_jobs(cluster) > 0
        return len(self._ledger.sent(lane)) < slots

    def _move_long(self, cluster: Cluster) -> None:
        """Has long computations wait among the jobs, where they keep others from being served.

        That is where somebody else waits for an interactive worker, and where more jobs are at work
        than there may be. What began last goes first, since it loses least.
        """
        if not cluster.slots(JOBS):
            return
        waiting = [owners(job) for job in self._ledger.waiting(INTERACTIVE)]
        long = [job for job in self._ledger.sent(INTERACTIVE) if _is_long(job)]
        for job in sorted(long, key=lambda job: -(job.begun or 0.0)):
            others_wait = any(not theirs <= owners(job) for theirs in waiting)
            if others_wait or self._room_for_jobs(cluster) < 0:
                seconds = time.monotonic() - (job.begun or 0.0)
                self._costs.learn(job.spec, seconds / max(job.progress.fraction, 0.1))
                self._ledger.move(job, JOBS)

    def _room_for_jobs(self, cluster: Cluster) -> int:
        """How many more jobs may be at work; those in the interactive lane count."""
        long = sum(_is_long(job) for job in self._ledger.sent(INTERACTIVE))
        return (cluster.slots(JOBS) or 0) - len(self._ledger.sent(JOBS)) - long

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
            self.connected.set()
            for job in self._ledger.jobs():
                self._ledger.fail(job, ExperimentError(self._condition.message, kind="worker"))


def _is_long(job: Job) -> bool:
    """Whether it has run for long, and is not about to end."""
    if job.begun is None or time.monotonic() - job.begun < LONG_SECONDS:
        return False
    return job.seconds_left is None or job.seconds_left > LONG_SECONDS
