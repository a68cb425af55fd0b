"""Looking at the files that a request names, while whoever asks goes on. Needs no torch."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence

from dqviz.specs import ExperimentSpec

from .errors import Cancelled
from .handle import Progress
from .image_counts import at_most_all
from .resolve import Look, resolve


class Lookup:
    """Resolves specifications in a thread of its own, each cut down to the images that there are.

    Files are read once in a process, to name their content: gigabytes take seconds.

    Args:
        specs: what is wanted.

    Attributes:
        specs: the same, resolved, once it is over. What cannot be resolved is left as it was, for
            the engine to refuse.
    """

    def __init__(self, specs: Sequence[ExperimentSpec]) -> None:
        self.specs = tuple(specs)
        self._progress = Progress(0.0, "looking at the files")
        self._over = threading.Event()
        self._cancelled = False
        threading.Thread(target=self._look, daemon=True, name="dqviz-lookup").start()

    @property
    def is_over(self) -> bool:
        """Whether `specs` will not change any more."""
        return self._over.is_set()

    @property
    def progress(self) -> Progress:
        """How far it is with the file or folder at hand."""
        return self._progress

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until it is over; False if that took longer than `timeout` seconds."""
        return self._over.wait(timeout)

    def cancel(self) -> None:
        """Ends it within a moment; `specs` is left as it was."""
        self._cancelled = True

    def _look(self) -> None:
        try:
            look = Look(self._count)
            with contextlib.suppress(Cancelled):
                self.specs = tuple(self._resolved(spec, look) for spec in self.specs)
        finally:
            self._over.set()

    def _resolved(self, spec: ExperimentSpec, look: Look) -> ExperimentSpec:
        try:
            return resolve(at_most_all(spec), look)
        except Cancelled:
            raise
        except Exception:
            return spec

    def _count(self, done: int, total: int) -> None:
        if self._cancelled:
            raise Cancelled
        text = "looking at the files"
        if total > 10**8:
            text += f", {done / 1e9:.1f} of {total / 1e9:.1f} GB"
        self._progress = Progress(done / max(total, 1), text)
