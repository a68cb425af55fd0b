"""The cells of a grid, resolved, and the part of them that one of several machines computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dqviz.experiments.errors import describe
from dqviz.experiments.resolve import Look, resolve
from dqviz.specs import ExperimentSpec, SpecError, SweepSpec

from .cell import Cell
from .errors import GridError
from .groups import group

Report = Callable[[float, str], None]


def resolve_cells(grid: SweepSpec, *, progress: Report | None = None) -> list[Cell]:
    """Every cell of a grid under its key, without repetition, in the grid's order.

    Args:
        grid: the grid.
        progress: called with a share of 0 to 1 and a text.

    Raises:
        GridError: for values that do not go together, and networks or data that are not there.
    """
    report = progress or (lambda share, text: None)
    look = Look(lambda done, total: report(done / max(total, 1), "looking at the files"))
    found: dict[Cell, None] = {}
    try:
        for number, spec in enumerate(grid.cells()):
            found[_cell(spec, look)] = None
            report(number / grid.product, "naming the cells")
    except SpecError as error:
        raise GridError(str(error)) from error
    return list(found)


def _cell(spec: ExperimentSpec, look: Look) -> Cell:
    try:
        return Cell.of(resolve(spec, look))
    except ValueError as error:
        raise GridError(f"{spec.model.label} on {spec.data.name}: {describe(error)[0]}") from error


def shard(cells: Sequence[Cell], part: int, parts: int) -> list[Cell]:
    """The cells of one of several parts, counted from 1; together they are all the cells.

    Cells of one task stay together, and so does, as far as possible, what shares a network.
    """
    groups = group(cells)
    low, high = (len(groups) * end // parts for end in (part - 1, part))
    return [cell for each in groups[low:high] for cell in each.cells]
