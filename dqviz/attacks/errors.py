"""The error of this room."""

from __future__ import annotations


class AttackError(ValueError):
    """An attack that cannot be run; the message says what was given and what is needed."""
