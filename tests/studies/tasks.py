"""What workers do in the tests of sweeps, in place of real experiments.

The field `image` of a specification says what: `count`, `fail`, `sleep`, `die` or `other`, then a
slash and a detail.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from distributed import get_worker

from dqviz.experiments.provenance import provenance
from dqviz.experiments.result import Result, make_table
from dqviz.experiments.worker import OTHER_CODE, TOPIC, Outcome, Reporter
from dqviz.specs import ExperimentSpec, spec_key


def task(spec: ExperimentSpec, name: str) -> Outcome:
    """Does what the specification's image says."""
    return run(spec, name, DO[str(spec.image).partition("/")[0]])


def run(spec: ExperimentSpec, name: str, do: Callable[..., Outcome]) -> Outcome:
    """Does something as a worker does, telling when it begins and stops."""
    worker = get_worker()
    report = Reporter(lambda message: worker.log_event(TOPIC, message), name)
    report.started()
    try:
        return do(spec, worker, name, str(spec.image).partition("/")[2])
    finally:
        report.stopped()


def moment(spec, worker, name, detail):
    """Takes a moment, unless it is cancelled."""
    return after(0.3, spec, worker, name)


def after(seconds, spec, worker, name):
    """The slow cell's result, unless it is cancelled before."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        state = worker.state.tasks.get(name)
        if state is None or state.state != "executing":
            return Outcome()
        time.sleep(0.02)
    return Outcome(result=result(spec))


def count(spec, worker, name, detail):
    """Writes a line for every cell, so that a test can see what was computed how often."""
    with Path(detail).open("a") as file:
        for epsilon in spec.attack.epsilons:
            file.write(f"{spec.quant.act_bits} {255 * epsilon:.3g}\n")
    return Outcome(result=result(spec))


def fail(spec, worker, name, detail):
    """Fails by the cell's own fault, at two bits."""
    if spec.quant.act_bits == 2:
        return Outcome(error="there is no such layer", error_kind="ModelError")
    return Outcome(result=result(spec))


def sleep(spec, worker, name, detail):
    """Takes some seconds at two bits, unless it is cancelled."""
    return after(float(detail) if spec.quant.act_bits == 2 else 0.0, spec, worker, name)


def die(spec, worker, name, detail):
    """Ends its process at two bits, as often as the file named has lines to give."""
    lives = Path(detail)
    if spec.quant.act_bits == 2 and lives.stat().st_size:
        lives.write_bytes(lives.read_bytes()[1:])
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    return Outcome(result=result(spec))


def hog(spec, worker, name, detail):
    """Takes more and more memory at two bits."""
    held = []
    while spec.quant.act_bits == 2:
        held.append(bytearray(os.urandom(2**20) * 32))
    return Outcome(result=result(spec))


def other(spec, worker, name, detail):
    """Says that its code is another."""
    return Outcome(error="a worker runs another dqviz", error_kind=OTHER_CODE)


def result(spec: ExperimentSpec) -> Result:
    """One row an epsilon."""
    rows = [
        {
            "attack": spec.attack.name,
            "epsilon": epsilon,
            "layer": "network",
            "depth": -1,
            "metric": "robust_accuracy",
            "statistic": "value",
            "value": epsilon * spec.quant.act_bits,
        }
        for epsilon in spec.attack.epsilons
    ]
    return Result(
        table=make_table(rows, shared={"model": "some/net", "n_samples": 8}),
        arrays={},
        notes=(),
        spec_key=spec_key(spec),
        version="0.1.0",
        provenance=provenance(precision="float32", threads=1, seconds=0.5),
    )


DO = {"count": count, "fail": fail, "sleep": sleep, "die": die, "hog": hog, "other": other}
