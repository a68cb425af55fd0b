"""Waiting for a state, never for a clock."""

import threading
import time

PATIENCE = 120


def until(condition):
    """Waits for a state."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.005)
