"""Progress for what is mostly quick: shown only where it has taken more than two seconds."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from .terminal import ProgressLine

LATE_SECONDS = 2.0


class Late:
    """Holds progress back until it has taken long, then shows the latest.

    Args:
        progress: where it is shown.
        text: what is being done, until something else is said.
        seconds: after how long it is shown.
    """

    def __init__(self, progress: ProgressLine, text: str, *, seconds: float = LATE_SECONDS) -> None:
        self._progress = progress
        self._latest = (0.0, text)
        self._due = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self._show)
        self._timer.daemon = True

    def __enter__(self) -> Late:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __call__(self, share: float, text: str) -> None:
        """Says how far the work is, 0 to 1, and what is being done."""
        self._latest = (share, text)
        if time.monotonic() >= self._due:
            self._show()

    def close(self) -> None:
        """Nothing more is shown; what was is wiped away."""
        self._timer.cancel()
        self._timer.join()
        self._progress.clear()

    def _show(self) -> None:
        self._progress(*self._latest)
