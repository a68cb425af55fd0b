"""Starting the process that holds the workers, and knowing when it ends."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import dqviz

from .errors import ExperimentError

START_SECONDS = 120.0
STOP_SECONDS = 5.0


class HostProcess:
    """A running `dqviz.experiments.host` with so many interactive workers, and some for jobs.

    `on_end` is called from a thread when it has ended.
    """

    def __init__(self, *, workers: int, jobs: int, on_end: Callable[[], None]) -> None:
        self.folder = tempfile.mkdtemp(prefix="dqviz-engine-")
        self._on_end = on_end
        self._errors: collections.deque[str] = collections.deque(maxlen=20)
        self._address: str | None = None
        self._told = threading.Event()
        self._process = self._start(workers, jobs)
        self._readers = [
            threading.Thread(target=read, daemon=True, name="dqviz-host")
            for read in (self._read_output, self._read_errors)
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        """The process' number."""
        return self._process.pid

    def address(self) -> str:
        """Where the scheduler listens; waits until the process says so.

        Raises:
            ExperimentError: if it ends before, or says nothing for two minutes.
        """
        self._told.wait(START_SECONDS)
        if self._address is None:
            said = "; ".join(list(self._errors)[-2:]) or "it said nothing"
            raise ExperimentError(f"the computing process did not start: {said}", kind="worker")
        return self._address

    def stop(self) -> None:
        """Ends the process and its workers, and removes their folder."""
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for reader in self._readers:
            reader.join(STOP_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, workers: int, jobs: int) -> subprocess.Popen[str]:
        package_home = str(Path(dqviz.__file__).parents[1])
        paths = [package_home, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        return subprocess.Popen(
            [sys.executable, "-m", "dqviz.experiments.host", self.folder, str(workers), str(jobs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,  # Ctrl-C in the terminal is the parent's to handle
        )

    def _read_output(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                if self._address is None and line.startswith("{"):
                    self._address = json.loads(line)["address"]
                    self._told.set()
        self._told.set()
        self._on_end()

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            self._errors.extend(line.strip() for line in lines if line.strip())
