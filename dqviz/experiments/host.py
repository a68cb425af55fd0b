"""The process that holds the workers: `python -m dqviz.experiments.host FOLDER WORKERS JOBS`.

WORKERS is how many serve interactive requests; JOBS more, of low priority, do long ones.

Streamlit replaces `__main__`, and a worker spawned from its process would run the app once more:
so the workers are children of this small process. It says where its scheduler listens in one line
of JSON on standard output, and ends when its standard input ends, that is when its parent does,
however that happens. Its workers end with it. Everything listens on the loopback address only, and
there is no dashboard. What workers write goes into FOLDER, which is removed at the end.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import threading
from typing import Any, NoReturn

from dqviz.heap import MEMORY

from .warm_up import EAGER, NICENESS

LOOPBACK = "127.0.0.1"
INTERACTIVE, JOBS = "interactive", "jobs"
JOB_NICENESS = 10
MISSING_SECONDS = 3
CLOSE_SECONDS = 1.0
MEMORY_SHARE = {INTERACTIVE: 0.6, JOBS: 0.3}
"""The share of the machine's memory beyond which a lane's workers are ended and started anew."""

SHARE = "DQVIZ_MEMORY_SHARE"
"""The environment's variable that makes these shares smaller: they are multiplied by it."""

CONFIG: dict[str, Any] = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.allowed-failures": 0,  # the engine tries again itself, and says so
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    # Its defaults are one thread, and memory given back at once: a million page faults a second.
    "distributed.nanny.pre-spawn-environ": MEMORY,
    "distributed.admin.tick.interval": "200ms",
    "distributed.admin.system-monitor.interval": "2s",
    "distributed.admin.system-monitor.disk": False,
    "distributed.diagnostics.nvml": False,
    "distributed.deploy.lost-worker-timeout": "1h",  # a slow start is no loss; see wait_for_the_end
}


def interactive_workers() -> int:
    """How many workers serve interactive requests, where nothing else is asked for.

    Two workers that share the processors compare two networks in half the time that one takes with
    twice the threads, and more so where browser and server keep a processor busy: threads wait for
    the slowest of them at every layer (measured on two processors).
    """
    return min(2, os.cpu_count() or 1)


def job_workers() -> int:
    """How many long computations run at once, where nothing else is asked for."""
    return min(2, os.cpu_count() or 1)


def memory_share() -> float:
    """By how much the lanes' shares of memory are multiplied: 1 unless `SHARE` says less.

    Raises:
        ValueError: if it says anything but a number above 0 and up to 1.
    """
    text = os.environ.get(SHARE, "1")
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise ValueError(f"{SHARE} must be a number above 0 and up to 1; got {text!r}")
    return share


def memory_limits(*, workers: int, jobs: int) -> dict[str, int]:
    """By lane, the bytes of memory beyond which one of its workers is ended and started anew.

    Raises:
        ValueError: as `memory_share`.
    """
    import psutil

    total = psutil.virtual_memory().total * memory_share()
    counts = {INTERACTIVE: workers, JOBS: jobs}
    found = {lane: count for lane, count in counts.items() if count}
    return {lane: int(total * MEMORY_SHARE[lane] / count) for lane, count in found.items()}


def worker_options(lane: str, folder: str, *, workers: int) -> dict[str, Any]:
    """How a worker is started, one of `workers` in its lane.

    The processors are shared out between the workers of a lane. Jobs have a lower priority, leave
    half of the processors where one worker does them, and import torch when asked.
    """
    environment = {EAGER: "1"} if lane == INTERACTIVE else {NICENESS: str(JOB_NICENESS)}
    # Threads that spin while they wait for each other are up to ten times slower (measured) where
    # several processes share the processors, as browser, server and workers do here.
    environment["OMP_WAIT_POLICY"] = "PASSIVE"
    shares = max(2, workers) if lane == JOBS else workers
    environment["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // shares))
    return {
        "host": LOOPBACK,
        "dashboard_address": f"{LOOPBACK}:0",
        "dashboard": False,
        "nthreads": 1,
        "resources": {lane: 1},
        "memory_limit": MEMORY_SHARE[lane] * memory_share() / workers,
        "local_directory": folder,
        "preload": ["dqviz.experiments.warm_up"],
        "env": environment,
    }


def start_cluster(folder: str, *, workers: int, jobs: int) -> Any:
    """A scheduler in this process, and the workers of both lanes; close() ends them."""
    import dask
    from distributed import Nanny, Scheduler, SpecCluster

    dask.config.set(CONFIG)  # only now: the import adds its defaults to what is set before

    scheduler = {"host": LOOPBACK, "port": 0, "dashboard": False}
    lanes = {INTERACTIVE: workers, JOBS: jobs}
    nannies = {
        f"{lane}-{number}": {
            "cls": Nanny,
            "options": worker_options(lane, folder, workers=count),
        }
        for lane, count in lanes.items()
        for number in range(count)
    }
    return SpecCluster(
        scheduler={
            "cls": Scheduler,
            "options": {**scheduler, "dashboard_address": f"{LOOPBACK}:0"},
        },
        workers=nannies,
        silence_logs=50,
    )


def wait_for_the_end(cluster: Any) -> None:
    """Returns when standard input ends, or a worker process is missing for several seconds."""
    ended = threading.Event()
    threading.Thread(target=_read_to_the_end, args=(ended,), daemon=True).start()
    missing = 0
    while missing < MISSING_SECONDS and not ended.wait(1.0):
        nannies = list(cluster.workers.values())
        alive = len(nannies) == len(cluster.worker_spec) and all(n.is_alive() for n in nannies)
        missing = 0 if alive else missing + 1


def _read_to_the_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def main(folder: str, workers: int, jobs: int) -> NoReturn:
    """Starts the workers, says where, and waits until standard input ends.

    It also ends when a worker is gone for good, so that the engine starts a new host: the nanny of
    a worker that dies before it has reported for work does not start another, and cannot be closed
    either. Hence the time limit, and the hard end: workers that are left end when it does.
    """
    if hasattr(signal, "SIGTERM"):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        cluster = start_cluster(folder, workers=workers, jobs=jobs)
        print(json.dumps({"address": cluster.scheduler_address}), flush=True)
        with contextlib.suppress(KeyboardInterrupt, SystemExit):
            wait_for_the_end(cluster)
        closing = threading.Thread(target=cluster.close, kwargs={"timeout": 2}, daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
