"""The error of this room."""

from __future__ import annotations


class ModelError(ValueError):
    """A network that cannot be made, loaded or used; the message says why and what to do."""
