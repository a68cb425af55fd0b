"""What runs inside a worker process: one experiment, with progress told and cancelling obeyed.

Importing this module needs neither torch nor dask.distributed, so that the engine can name
`compute` without them: half a second less before the first page.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import os
import time
from collections.abc import Callable
from typing import Any

from dqviz import __version__
from dqviz.specs import ExperimentSpec

from .errors import Cancelled, ExperimentError, describe
from .provenance import code_hash
from .result import Result

TOPIC = "dqviz"
"""The topic under which workers tell what they are doing."""

OTHER_CODE = "version"
"""The kind of the error of a worker whose code is not that of whoever asks."""

PROGRESS_INTERVAL = 0.1
"""Seconds between two reports of progress."""

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a task: a result, or an error, or neither where it was cancelled."""

    result: Result | None = None
    error: str | None = None
    error_kind: str = ""


class Reporter:
    """Tells how far a task is, a few times a second, through the scheduler."""

    def __init__(self, tell: Callable[[dict[str, Any]], None], task: str) -> None:
        self._tell = tell
        self._task = task
        self._last = -PROGRESS_INTERVAL

    def started(self) -> None:
        """Says which process works on the task."""
        self._tell({"task": self._task, "event": "started", "pid": os.getpid()})

    def __call__(self, fraction: float, text: str) -> None:
        """Says how far the task is, unless it was said a moment ago."""
        now = time.monotonic()
        if now - self._last >= PROGRESS_INTERVAL:
            self._last = now
            share = min(max(float(fraction), 0.0), 1.0)
            self._tell({"task": self._task, "event": "progress", "fraction": share, "text": text})

    def stopped(self) -> None:
        """Says that the process no longer works on the task."""
        self._tell({"task": self._task, "event": "stopped"})


def compute(spec: ExperimentSpec, task: str, *, code: str = "") -> Outcome:
    """Runs one experiment. Bad input comes back as a text, never as an exception.

    Args:
        spec: what is wanted.
        task: the task's name.
        code: the hash of the code of whoever asks; a worker with other code refuses. Empty trusts
            that the code is the same, as it is in workers of one's own.
    """
    from distributed import get_worker

    if code and code != code_hash():
        mine = f"{__version__} ({code_hash()})"
        return Outcome(
            error=f"a worker runs another dqviz, {mine}, than the one that asks ({code}): install "
            "the same version on every machine and start the workers anew",
            error_kind=OTHER_CODE,
        )

    worker = get_worker()

    def cancelled() -> bool:
        # The scheduler has told the worker when nobody wants the task any more. No message is sent.
        state = worker.state.tasks.get(task)
        return state is None or state.state != "executing"

    reporter = Reporter(lambda message: worker.log_event(TOPIC, message), task)
    reporter.started()
    try:
        return attempt(spec, progress=reporter, cancelled=cancelled)
    finally:
        reporter.stopped()


def of_same_code() -> Callable[[ExperimentSpec, str], Outcome]:
    """`compute`, refused by workers whose code is not this process'."""
    return functools.partial(compute, code=code_hash())


def attempt(
    spec: ExperimentSpec,
    *,
    progress: Callable[[float, str], None],
    cancelled: Callable[[], bool],
) -> Outcome:
    """The outcome of `run(spec)`, whatever happens."""
    try:
        from .run import run

        return Outcome(result=run(spec, progress=progress, cancelled=cancelled))
    except Cancelled:
        return Outcome()
    except Exception as error:
        message, kind = describe(error)
        if kind == "internal" and not isinstance(error, ExperimentError):
            log.exception("an experiment failed")
        return Outcome(error=message, error_kind=kind)
