"""What workers are given to do in the engine's tests, in place of real experiments.

The field `image` of a specification says what: `echo`, `clock`, `busy`, `stubborn`, `die` or
`fail`, then a slash and a detail.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from distributed import get_worker

from dqviz.experiments.result import Result, make_table
from dqviz.experiments.worker import TOPIC, Outcome, Reporter
from dqviz.specs import ExperimentSpec, spec_key


def task(spec: ExperimentSpec, name: str) -> Outcome:
    """Does what the specification's image says."""
    worker = get_worker()
    report = Reporter(lambda message: worker.log_event(TOPIC, message), name)
    report.started()
    what, _, detail = str(spec.image).partition("/")
    try:
        return DO[what](spec, name, report, detail)
    finally:
        report.stopped()


def echo(spec, name, report, detail):
    """The worker's process number."""
    table = make_table([{"metric": "pid", "value": float(os.getpid())}])
    result = Result(table=table, arrays={}, notes=(detail,), spec_key=spec_key(spec), version="0")
    return Outcome(result=result)


def environ(spec, name, report, detail):
    """A variable of the worker's environment."""
    return echo(spec, name, report, os.environ.get(detail, "not set"))


def clock(spec, name, report, detail):
    """When it ran."""
    return echo(spec, name, report, repr(time.monotonic()))


def busy(spec, name, report, detail):
    """Computes until it is told to stop."""
    worker = get_worker()
    report(0.5, "busy")
    while (state := worker.state.tasks.get(name)) is not None and state.state == "executing":
        sum(range(1000))
    return Outcome()


def stubborn(spec, name, report, detail):
    """Computes on, whatever it is told."""
    report(0.5, "busy")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        sum(range(1000))
    return Outcome()


def die(spec, name, report, detail):
    """Ends its own process: every time, or, with a file's name, only if there is no such file."""
    marker = Path(detail) if detail else None
    if marker is None or not marker.exists():
        if marker is not None:
            marker.touch()
        report(0.5, "about to die")
        os.kill(os.getpid(), signal.SIGKILL)
    return echo(spec, name, report, detail)


def fail(spec, name, report, detail):
    """Bad input."""
    return Outcome(error=detail, error_kind="DataError")


DO = {
    "echo": echo,
    "environ": environ,
    "clock": clock,
    "busy": busy,
    "stubborn": stubborn,
    "die": die,
    "fail": fail,
}
