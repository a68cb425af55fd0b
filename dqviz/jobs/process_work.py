"""Jobs of a process of their own, so that no page waits: reports on stores, and trainings."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import dqviz
from dqviz.experiments.handle import CANCELLED, DONE, FAILED, RUNNING, time_left

from .record import Record
from .work import View, Work

ROOT = Path(dqviz.__file__).parents[1]
"""Where a new process finds this package, wherever the app was started."""


class ProcessWork(Work):
    """A process that says how far it is, line by line: a share of 0 to 1 and a text.

    What else it says is an error, the last such line the reason if it ends badly.

    Args:
        record: the job.
        module: what is run, `python -m MODULE`, with its arguments.
        first: what it does to begin with, in words.
        kind: the kind of its errors.
        on_end: called when it is over.
    """

    def __init__(
        self,
        record: Record,
        *module: str,
        first: str,
        kind: str,
        on_end: Callable[[], None],
    ) -> None:
        super().__init__(record)
        self._command = [sys.executable, "-m", *module]
        self._kind = kind
        self._on_end = on_end
        self._fraction, self._text = 0.0, first
        self._begun = time.monotonic()
        self._outcome: Record | None = None
        self._process: subprocess.Popen[str] | None = None
        self._cancelled = threading.Event()
        threading.Thread(target=self._run, daemon=True, name="dqviz-process").start()

    def look(self) -> View:
        """See `Work.look`."""
        return View(
            record=self.record,
            state=RUNNING,
            fraction=self._fraction,
            text=self._text,
            seconds_left=time_left(self._begun, self._fraction),
        )

    def outcome(self) -> Record | None:
        """See `Work.outcome`."""
        return self._outcome

    def cancel(self) -> None:
        """See `Work.cancel`; the process ends at once, and leaves nothing half-written."""
        self._cancelled.set()
        if self._process is not None:
            self._process.kill()

    def _run(self) -> None:
        try:
            self._outcome = self._work()
        except OSError as error:
            self._outcome = self.record.over(FAILED, error=str(error), error_kind=self._kind)
        self._on_end()

    def _work(self) -> Record:
        told: list[str] = []
        with subprocess.Popen(
            self._command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        ) as process:
            self._process = process
            if self._cancelled.is_set():
                process.kill()
            assert process.stdout is not None
            for line in process.stdout:
                self._hear(line, told)
        if self._cancelled.is_set():
            return self.record.over(CANCELLED)
        if process.returncode:
            last = told[-1] if told else f"its process ended with {process.returncode}"
            return self.record.over(FAILED, error=last, error_kind=self._kind)
        return self.record.over(DONE)

    def _hear(self, line: str, told: list[str]) -> None:
        """One line of the process: a share of 0 to 1 and a text, or what is wrong."""
        share, _, text = line.strip().partition(" ")
        with contextlib.suppress(ValueError):
            self._fraction, self._text = float(share), text
            return
        if line.strip():
            told.append(line.strip())
