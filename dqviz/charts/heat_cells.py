"""The cells of a heat map: coloured, collapsed ones in greys on the same scale, a colour bar."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any

from dqviz.charts.axes import log_ticks, tick_text

GREYS = [[0, "#8d9095"], [1, "#c9ccd1"]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cells:
    """Rows of numbers from top to bottom; NaN where there is none.

    `columns` says where they stand across, `names` is a name a row; whole rows are collapsed.
    """

    columns: Sequence[Any]
    names: Sequence[str]
    numbers: Sequence[Sequence[float]]
    collapsed: Sequence[bool]


def span_of(numbers: Iterable[float], *, log: bool) -> tuple[float, float]:
    """The ends of the colours' scale: of the numbers, or of their logarithms."""
    levels = [level for v in numbers if (level := _level(v, log=log)) is not None]
    return (min(levels), max(levels)) if levels else (0.0, 1.0)


def heat_traces(
    cells: Cells, title: str, span: tuple[float, float], *, log: bool, **more: Any
) -> list[dict[str, Any]]:
    """Coloured rows, and above them the collapsed ones in greys; `more` goes into each trace.

    Args:
        cells: what is drawn.
        title: of the colour bar.
        span: see `span_of`.
        log: logarithmic colours.
        **more: for each trace.
    """
    low, high = span
    levels = [[_level(v, log=log) for v in row] for row in cells.numbers]
    blank = [None] * len(cells.columns)
    traces = []
    for collapsed in sorted(set(cells.collapsed)):
        shown = zip(cells.collapsed, levels, strict=True)
        traces.append(
            {
                "type": "heatmap",
                "x": list(cells.columns),
                "y": list(cells.names),
                "z": [row if is_collapsed == collapsed else blank for is_collapsed, row in shown],
                "customdata": [list(row) for row in cells.numbers],
                "hoverongaps": False,
                "hovertemplate": "%{x}, %{y}: %{customdata:.3g}<extra></extra>",
                "zmin": low,
                "zmax": high,
                "colorscale": GREYS if collapsed else "Cividis",
                "showscale": not collapsed,
                "colorbar": _colour_bar(low, high, title, log=log),
                "xgap": 1,
                "ygap": 2,
                **more,
            }
        )
    return traces


def _level(value: float, *, log: bool) -> float | None:
    if not math.isfinite(value) or (log and value <= 0):
        return None
    return math.log10(value) if log else value


def _colour_bar(low: float, high: float, title: str, *, log: bool) -> dict[str, Any]:
    bar: dict[str, Any] = {"title": {"text": title, "side": "right"}, "thickness": 14}
    if log:
        ticks = log_ticks(10**low, max(10**high, 10**low * 1.01))
        bar["tickvals"] = [math.log10(t) for t in ticks]
        bar["ticktext"] = [tick_text(t) for t in ticks]
    return bar
