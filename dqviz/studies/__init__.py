"""Grids of experiments, and the store that keeps their results through whatever happens.

Nothing here needs torch: cells are computed by the engine's workers.
"""

from .cell import Cell, Finding
from .errors import GridError, StoreError
from .grid_file import parse_grid, read_grid
from .groups import Group, group
from .owner import Owner
from .store import Failure, Store
from .sweep import Progress, Sweep

__all__ = [
    "Cell",
    "Failure",
    "Finding",
    "GridError",
    "Group",
    "Owner",
    "Progress",
    "Store",
    "StoreError",
    "Sweep",
    "group",
    "parse_grid",
    "read_grid",
]
