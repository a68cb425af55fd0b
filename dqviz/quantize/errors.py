"""The error of this room."""

from __future__ import annotations


class QuantizeError(ValueError):
    """A network, range or calibration that cannot be quantized; the message says what is needed."""
