"""The error of this room."""

from __future__ import annotations


class TrainError(ValueError):
    """A recipe or a training that cannot go on; the message says why and what to do."""
