"""Preloaded by each worker process: its priority, and torch imported before it is asked for.

The import happens in a thread, so that the worker is there at once; a request that comes earlier
waits for the same import and no longer.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import threading
from typing import Any

NICENESS = "DQVIZ_NICENESS"
"""The variable that tells a worker by how much to lower its priority."""

EAGER = "DQVIZ_IMPORT_EARLY"
"""The variable that tells a worker to import torch before it is asked for anything."""


def dask_setup(worker: Any) -> None:
    """Called by dask.distributed when the worker process starts."""
    niceness = int(os.environ.get(NICENESS, "0"))
    if niceness > 0 and hasattr(os, "nice"):  # Windows has no os.nice
        os.nice(niceness)
    if os.environ.get(EAGER) == "1":
        threading.Thread(target=_import_early, daemon=True, name="dqviz-import").start()


def _import_early() -> None:
    # Whatever is wrong is told to the first request, which imports the same module again.
    with contextlib.suppress(Exception):
        importlib.import_module("dqviz.experiments.run").warm_up()
