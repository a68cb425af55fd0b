"""What is written while a command works: progress for terminals, a line now and then for logs."""

from __future__ import annotations

import math
import shutil
import sys
import time
from typing import TextIO

INTERVAL = 0.1


class ProgressLine:
    """One line on standard error that is written over; nothing where that is no terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._shown = self._stream.isatty()
        self._last = -INTERVAL
        self._logged = -math.inf

    def __call__(self, fraction: float, text: str) -> None:
        """Says how far the work is, 0 to 1, and what is being done."""
        if self._shown and time.monotonic() - self._last >= INTERVAL:
            self.say(f"{100 * fraction:3.0f} %  {text}")

    def say(self, text: str, *, log_every: float = math.inf) -> None:
        """Writes a text in place of the last one.

        Where nobody looks on, such as in a log file, a line every `log_every` seconds is written.
        """
        if not self._shown and log_every < time.monotonic() - self._logged:
            self._logged = time.monotonic()
            self._stream.write(f"{text}\n")
            self._stream.flush()
        if self._shown:
            self._last = time.monotonic()
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r{text[:width]:<{width}}")
            self._stream.flush()

    def clear(self) -> None:
        """Leaves an empty line."""
        if self._shown and self._last > 0:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r{'':<{width}}\r")
            self._stream.flush()


def message(text: str) -> None:
    """One line on standard error."""
    print(" ".join(text.split()), file=sys.stderr)
