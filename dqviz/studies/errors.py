"""What can go wrong with grids and stores; each message says what was wrong and what to do."""

from __future__ import annotations


class GridError(ValueError):
    """A grid that cannot be computed."""


class StoreError(ValueError):
    """A file that is no store of results, or cannot be used as one."""
