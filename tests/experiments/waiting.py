"""Waiting for a state, never for a clock."""

import contextlib
import threading
import time

import psutil

PATIENCE = 120


def until(condition):
    """Waits for a state."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.005)


def processor_share(pid, seconds=1.0):
    """The share of one processor that the processes below `pid` use in the next `seconds`."""
    before = _spent(pid)
    threading.Event().wait(seconds)
    return sum(spent - before.get(child, 0.0) for child, spent in _spent(pid).items()) / seconds


def _spent(pid):
    """Seconds of processor time by process; one that ends at this very moment has none."""
    found = {}
    for process in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            found[process.pid] = times.user + times.system
    return found
