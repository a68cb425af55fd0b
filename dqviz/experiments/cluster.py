"""The engine's view of dask.distributed: tasks sent, dropped and ended; what happens, as events.

Nothing else but `host` and `worker` knows that dask.distributed is there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from dqviz.specs import ExperimentSpec

from .host import INTERACTIVE, JOBS
from .host_process import HostProcess
from .worker import TOPIC, Outcome, compute

CONNECT_SECONDS = 10.0

Task = Callable[[ExperimentSpec, str], Outcome]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened: `started`, `progress`, `stopped`, `finished`, `lost` or `ended`.

    `task` names the task (none for `ended`, the end of the whole cluster). `finished` carries the
    outcome, `lost` its worker in `text`, `progress` a share and a text.
    """

    what: str
    source: object
    task: str = ""
    fraction: float = 0.0
    text: str = ""
    outcome: Outcome | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tls:
    """The files with which a connection is encrypted and both ends show who they are (PEM)."""

    ca: str
    certificate: str
    key: str


class Cluster:
    """A connection to workers: those of a host process of our own, or of a running scheduler.

    Args:
        post: called with every event, from any thread.
        scheduler: the address of a running dask.distributed scheduler, or None for our own workers.
        tls: for a scheduler at `tls://...`.
        task: what a worker calls, with the specification and the task's name.
        workers: how many workers of our own serve interactive requests.
        jobs: how many do long ones.

    Raises:
        ExperimentError, OSError: if there is nothing to connect to.
    """

    def __init__(
        self,
        post: Callable[[Event], None],
        *,
        scheduler: str | None = None,
        tls: Tls | None = None,
        task: Task = compute,
        workers: int = 1,
        jobs: int = 1,
    ) -> None:
        from distributed import Client

        _silence("distributed", "tornado")
        self._post = post
        self._task = task
        self._slots = {INTERACTIVE: workers, JOBS: jobs}
        self._lock = threading.Lock()
        self._running: dict[str, dict[str, Any]] = {}
        self._futures: dict[str, Any] = {}
        self._host: HostProcess | None = None
        if scheduler is None:
            self._host = HostProcess(workers=workers, jobs=jobs, on_end=self._ended)
        try:
            address = scheduler if self._host is None else self._host.address()
            self._client = Client(
                address, timeout=CONNECT_SECONDS, set_as_default=False, security=_security(tls)
            )
            self._client.subscribe_topic(TOPIC, self._told)
        except BaseException:
            if self._host is not None:
                self._host.stop()
            raise

    @property
    def host_pid(self) -> int | None:
        """The number of our own host process, if there is one."""
        return None if self._host is None else self._host.pid

    def slots(self, lane: str) -> int | None:
        """How many tasks of a lane to send at once; None for a scheduler that has its own queue."""
        return None if self._host is None else self._slots[lane]

    def width(self, lane: str) -> int:
        """How many tasks of a lane are worked on at once."""
        if self._host is not None:
            return self._slots[lane]
        return max(1, self.threads())

    def threads(self) -> int:
        """How many tasks its workers take at once; 0 while none is connected to its scheduler."""
        if self._host is not None:
            return sum(self._slots.values())
        info: dict[str, Any] = self._client.scheduler_info(n_workers=-1)["workers"]
        return sum(int(worker["nthreads"]) for worker in info.values())

    def send(self, task: str, spec: ExperimentSpec, *, lane: str) -> None:
        """Queues a task behind those sent before. `lane` chooses which of our workers runs it."""
        resources = {lane: 1} if self._host is not None else None
        # By default what is sent within 100 ms is run in any order.
        future = self._client.submit(
            self._task,
            spec,
            task,
            key=task,
            resources=resources,
            pure=False,
            retries=0,
            fifo_timeout="0ms",
        )
        self._futures[task] = future
        future.add_done_callback(self._done)

    def drop(self, task: str) -> None:
        """Takes a task from the queue, and tells the worker that runs it to stop."""
        future = self._futures.pop(task, None)
        if future is not None:
            future.cancel()

    def end_worker(self, task: str) -> str:
        """Ends the process that runs a task; another takes its place.

        Returns:
            Its address; empty if no worker has begun the task, or it has stopped.
        """
        with self._lock:
            message = self._running.pop(task, None)
        if message is None:
            return ""
        address = str(message["worker"])
        if self._host is None:
            self._client.restart_workers([address], timeout=CONNECT_SECONDS)
        else:
            with contextlib.suppress(OSError):
                os.kill(message["pid"], getattr(signal, "SIGKILL", signal.SIGTERM))
        return address

    def is_alive(self) -> bool:
        """Whether the connection stands or is being made again."""
        return self._client.status in ("running", "connecting")

    def close(self) -> None:
        """Ends the connection, and our own workers."""
        self._futures.clear()
        with contextlib.suppress(Exception):  # it may be gone already
            self._client.close(timeout=1)
        if self._host is not None:
            self._host.stop()

    def _ended(self) -> None:
        self._post(Event(what="ended", source=self))

    def _told(self, stamped: tuple[float, dict[str, Any]]) -> None:
        message = stamped[1]
        task, what = message["task"], message["event"]
        with self._lock:
            if what == "started":
                self._running[task] = message
            elif what == "stopped":
                self._running.pop(task, None)
        fraction, text = message.get("fraction", 0.0), message.get("text", "")
        self._post(Event(what=what, source=self, task=task, fraction=fraction, text=text))

    def _done(self, future: Any) -> None:
        task = str(future.key)
        try:
            outcome = future.result()
        except BaseException as error:  # a cancelled task is one too, and is no Exception
            if self._futures.pop(task, None) is not None:  # nobody dropped it: the worker is lost
                with self._lock:
                    self._running.pop(task, None)
                worker = getattr(getattr(error, "last_worker", None), "address", "")
                self._post(Event(what="lost", source=self, task=task, text=worker))
            return
        self._futures.pop(task, None)
        self._post(Event(what="finished", source=self, task=task, outcome=outcome))


def _security(tls: Tls | None) -> Any:
    from distributed import Security

    if tls is None:
        return None
    return Security(
        require_encryption=True,
        tls_ca_file=tls.ca,
        tls_client_cert=tls.certificate,
        tls_client_key=tls.key,
    )


def _silence(*libraries: str) -> None:
    """Nothing of what they write about lost connections: the engine says what a person needs."""
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] in libraries:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
