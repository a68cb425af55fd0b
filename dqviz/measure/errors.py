"""The error of this room."""

from __future__ import annotations


class MeasureError(ValueError):
    """What cannot be measured; the message says what was received and what is expected."""
