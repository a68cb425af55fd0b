"""The engine: requests in, handles out, and every computation in a process of its own.

Whoever asks says who they are (`owner`) and what for (`channel`): a newer request of the same owner
and channel replaces the older one, and what nobody wants any more is stopped. The same
specification is computed once, however many want it. What is known to take long waits its turn
among the jobs, of which a limited number run at once. No torch here, and no network.

A lost worker or host process is started anew, and what it was computing is tried once more.
"""

from __future__ import annotations

import atexit
import functools
import threading
from collections.abc import Sequence

from dqviz.specs import ExperimentSpec, spec_key

from .cluster import Cluster, Task, Tls
from .condition import READY, RESTARTED, Condition
from .costs import LONG_SECONDS, Costs
from .dispatcher import Dispatcher
from .errors import ExperimentError, describe
from .handle import CANCELLED, Handle, Job, Want
from .host import INTERACTIVE, JOBS, interactive_workers, job_workers, memory_limits
from .kept import KeptResults
from .ledger import Ledger, failed
from .resolve import is_resolved, resolve
from .result import Result
from .result_cache import RESULT_BYTES
from .worker import compute, of_same_code


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
        jobs: how many do long computations; likewise. With 0 there are no jobs: all is computed in
            the order of turns, however long it takes.
        kept: where results of long computations outlive this process; None keeps none.
    """

    def __init__(
        self,
        *,
        scheduler: str | None = None,
        tls: Tls | None = None,
        cache_bytes: int = RESULT_BYTES,
        task: Task | None = None,
        workers: int | None = None,
        jobs: int | None = None,
        kept: KeptResults | None = None,
    ) -> None:
        self.cache_bytes = cache_bytes
        self.kept = kept
        self._workers = interactive_workers() if workers is None else workers
        self._jobs = job_workers() if jobs is None else jobs
        open_cluster = functools.partial(
            Cluster,
            scheduler=scheduler,
            tls=tls,
            task=task or (compute if scheduler is None else of_same_code()),
            workers=self._workers,
            jobs=self._jobs,
        )
        self._lock = threading.RLock()
        self._condition = Condition()
        self._costs = Costs()
        self._has_started = False
        self._ledger = Ledger(
            cache_bytes=cache_bytes,
            on_new=lambda: self._dispatcher.wake(),
            on_unwanted=lambda task: self._dispatcher.drop(task),
        )
        self._dispatcher = Dispatcher(
            open_cluster,
            ledger=self._ledger,
            condition=self._condition,
            costs=self._costs,
            lock=self._lock,
            on_result=self._keep,
        )

    @property
    def state(self) -> str:
        """`starting`, `ready`, `restarted` or `failed`; see `Condition`."""
        return self._condition.state

    @property
    def has_started(self) -> bool:
        """Whether it has been asked to start."""
        return self._has_started

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
        cluster = self._dispatcher.cluster
        return None if cluster is None else cluster.host_pid

    @property
    def job_workers(self) -> int:
        """How many long computations run at once on this machine's workers."""
        return self._jobs

    def width(self, *, background: bool = False) -> int:
        """How many tasks it works on at once; 1 while it is not connected."""
        cluster = self._dispatcher.cluster
        lane = JOBS if background and self._jobs else INTERACTIVE
        return 1 if cluster is None else cluster.width(lane)

    def has_workers(self) -> bool:
        """Whether anybody is there to work; a running scheduler may still have no workers."""
        cluster = self._dispatcher.cluster
        return cluster is not None and cluster.threads() > 0

    def memory_limit(self) -> int:
        """The bytes of memory that its workers and the remembered results take at most."""
        counts = {INTERACTIVE: self._workers, JOBS: self._jobs}
        limits = memory_limits(workers=self._workers, jobs=self._jobs)
        return sum(limit * counts[lane] for lane, limit in limits.items()) + self.cache_bytes

    def start_in_background(self) -> None:
        """Starts the engine's processes and returns at once. A failed engine is tried again."""
        with self._lock:
            if self._dispatcher.is_alive:
                return
            self._has_started = True
            self._condition.start()
            self._dispatcher.start()
            atexit.register(self.shutdown)

    def wait_until_ready(self, timeout: float | None = None) -> bool:
        """Waits until the engine is ready or has failed; whether it is ready."""
        self._dispatcher.connected.wait(timeout)
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
            owner: who asks, such as a visitor's token; owners take turns.
            channel: what for, such as a page.
            background: whether it is a long job, which runs at a lower priority. What is known to
                take long is one in any case.

        Returns:
            One handle for each specification, in order.
        """
        self.start_in_background()
        resolved = [_resolve(spec) for spec in specs]
        self._recall([spec for spec in resolved if isinstance(spec, ExperimentSpec)])
        want = (owner, channel)
        with self._lock:
            self._condition.asked()
            jobs = [
                self._ledger.admit(spec, self._lane(spec, background=background))
                if isinstance(spec, ExperimentSpec)
                else failed(specs[index], spec, INTERACTIVE)
                for index, spec in enumerate(resolved)
            ]
            self._ledger.replace(want, jobs)
        return [self._handle(job, want) for job in jobs]

    def is_known(self, spec: ExperimentSpec) -> bool:
        """Whether the result of a specification is remembered, so that it comes at once."""
        resolved = _resolve(spec)
        if not isinstance(resolved, ExperimentSpec):
            return False
        key = spec_key(resolved)
        with self._lock:
            return self._ledger.remembers(key) or (self.kept is not None and key in self.kept)

    def release(self, owner: str, channel: str | None = None) -> None:
        """Lets go of what an owner asked for, on one channel or, as when it leaves, on all."""
        with self._lock:
            self._ledger.release(owner, channel)

    def shutdown(self) -> None:
        """Ends the engine and its processes; what was under way is cancelled."""
        atexit.unregister(self.shutdown)
        with self._lock:
            self._has_started = False
            for job in self._ledger.jobs():
                self._ledger.finish(job, CANCELLED)
        self._dispatcher.close()

    def _lane(self, spec: ExperimentSpec, *, background: bool) -> str:
        long = background or self._costs.is_long(spec)
        return JOBS if long and self._jobs else INTERACTIVE

    def _handle(self, job: Job, want: Want) -> Handle:
        return Handle(job, release=lambda job: self._let_go(job, want), before=self._before)

    def _let_go(self, job: Job, want: Want) -> None:
        with self._lock:
            self._ledger.let_go(job, want)

    def _before(self, job: Job) -> int:
        with self._lock:
            return self._dispatcher.before(job)

    def _recall(self, specs: Sequence[ExperimentSpec]) -> None:
        """Takes into memory what the folder of kept results holds of these."""
        if self.kept is None:
            return
        for key in map(spec_key, specs):
            with self._lock:
                if self._ledger.remembers(key):
                    continue
            if key in self.kept and (result := self.kept.get(key)) is not None:
                with self._lock:
                    self._ledger.remember(result)

    def _keep(self, result: Result, seconds: float) -> None:
        if self.kept is not None and seconds > LONG_SECONDS:
            self.kept.put(result)


def _resolve(spec: ExperimentSpec) -> ExperimentSpec | ExperimentError:
    try:
        return spec if is_resolved(spec) else resolve(spec)
    except Exception as error:
        message, kind = describe(error)
        return ExperimentError(message, kind=kind)
