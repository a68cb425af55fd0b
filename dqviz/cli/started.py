"""An engine for the length of a command."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from dqviz.experiments import Engine

from .terminal import ProgressLine

START_SECONDS = 180.0


@contextlib.contextmanager
def started(engine: Engine, progress: ProgressLine, error: type[ValueError]) -> Iterator[Engine]:
    """The engine once it runs; it is shut down at the end.

    Args:
        engine: not yet started.
        progress: says that it is starting.
        error: what is raised if it does not.
    """
    engine.start_in_background()
    progress.say("starting the workers")
    try:
        if not engine.wait_until_ready(START_SECONDS):
            raise error(f"{engine.message}; nothing was computed")
        yield engine
    finally:
        engine.shutdown()
