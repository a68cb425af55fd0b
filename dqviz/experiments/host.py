"""The process that holds the workers: `python -m dqviz.experiments.host FOLDER`.

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
from typing import Any

from .warm_up import EAGER, NICENESS

LOOPBACK = "127.0.0.1"
INTERACTIVE, JOBS = "interactive", "jobs"
JOB_NICENESS = 10
MEMORY_SHARE = {INTERACTIVE: 0.5, JOBS: 0.35}
"""The share of the machine's memory beyond which a worker is ended and started anew."""

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
    "distributed.nanny.pre-spawn-environ": {"MALLOC_TRIM_THRESHOLD_": 65536},
    "distributed.admin.tick.interval": "200ms",
    "distributed.admin.system-monitor.interval": "2s",
    "distributed.admin.system-monitor.disk": False,
    "distributed.diagnostics.nvml": False,
}


def worker_options(lane: str, folder: str) -> dict[str, Any]:
    """How the worker of a lane is started.

    The interactive worker computes with as many threads as torch chooses by itself, as the command
    line does; jobs take half of the processors, at a lower priority, and import torch when asked.
    """
    environment = {EAGER: "1"} if lane == INTERACTIVE else {NICENESS: str(JOB_NICENESS)}
    if lane == JOBS:
        environment["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // 2))
    return {
        "host": LOOPBACK,
        "dashboard_address": f"{LOOPBACK}:0",
        "dashboard": False,
        "nthreads": 1,
        "resources": {lane: 1},
        "memory_limit": MEMORY_SHARE[lane],
        "local_directory": folder,
        "preload": ["dqviz.experiments.warm_up"],
        "env": environment,
    }


def start_cluster(folder: str) -> Any:
    """A scheduler in this process and one worker process for each lane; close() ends them."""
    import dask

    dask.config.set(CONFIG)
    from distributed import Nanny, Scheduler, SpecCluster

    scheduler = {"host": LOOPBACK, "port": 0, "dashboard": False}
    return SpecCluster(
        scheduler={
            "cls": Scheduler,
            "options": {**scheduler, "dashboard_address": f"{LOOPBACK}:0"},
        },
        workers={
            lane: {"cls": Nanny, "options": worker_options(lane, folder)}
            for lane in (INTERACTIVE, JOBS)
        },
        silence_logs=50,
    )


def main(folder: str) -> None:
    """Starts the workers, says where, and waits until standard input ends."""
    if hasattr(signal, "SIGTERM"):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        cluster = start_cluster(folder)
        try:
            print(json.dumps({"address": cluster.scheduler_address}), flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                sys.stdin.read()
        finally:
            cluster.close(timeout=2)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
