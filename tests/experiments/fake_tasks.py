"""What workers are given to do in the engine's tests, in place of real experiments."""

from __future__ import annotations

import os
import signal
import time

from distributed import get_worker

from dqviz.experiments.result import Result, make_table
from dqviz.experiments.worker import TOPIC, Outcome, Reporter
from dqviz.specs import ExperimentSpec, spec_key


def task(spec: ExperimentSpec, name: str) -> Outcome:
    """Does what the middle of the network's id says: ANYTHING/WHAT/DETAIL."""
    worker = get_worker()
    report = Reporter(lambda message: worker.log_event(TOPIC, message), name)
    report.started()
    _, what, detail = spec.model.id.split("/", 2)
    try:
        return _DO[what](spec, name, report, detail)
    finally:
        report.stopped()


def _echo(spec, name, report, detail):
    table = make_table([{"metric": "pid", "value": float(os.getpid())}])
    return Outcome(
        result=Result(table=table, arrays={}, notes=(detail,), spec_key=spec_key(spec), version="0")
    )


def _busy(spec, name, report, detail):
    """Computes until it is told to stop."""
    worker = get_worker()
    report(0.5, "busy")
    while worker.state.tasks[name].state == "executing":
        sum(range(1000))
    return Outcome()


def _stubborn(spec, name, report, detail):
    """Computes on, whatever it is told."""
    end = time.monotonic() + 60
    report(0.5, "busy")
    while time.monotonic() < end:
        sum(range(1000))
    return Outcome()


def _die(spec, name, report, detail):
    """Ends its own process, the first time or every time."""
    marker = os.path.join(get_worker().local_directory, "..", f"died-{detail}")
    if detail != "once" or not os.path.exists(marker):
        open(marker, "w").close()
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)
    return _echo(spec, name, report, detail)


def _fail(spec, name, report, detail):
    return Outcome(error=f"bad {detail}", error_kind="DataError")


_DO = {"echo": _echo, "busy": _busy, "stubborn": _stubborn, "die": _die, "fail": _fail}
