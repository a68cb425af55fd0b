"""Heat maps one above the other, one a network, on one scale of colours.

Heat maps report no clicks to Streamlit, so an invisible marker lies on each cell: it says the
number to whoever points at it, and holds the cell's address for whoever clicks.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from dqviz.charts.alt import MOST_CURVES, number
from dqviz.charts.axes import note_annotation, row_axis, stacked
from dqviz.charts.heat_cells import Cells, heat_traces, span_of
from dqviz.charts.panels import panel_title
from dqviz.charts.study_rows import Address, spread_widely
from dqviz.charts.style import TEXT, layout

ROW, LEAST = 34, 110
"""Pixels: the height of a row, and of the lowest panel, whose axis needs room for its title."""

BETWEEN, TITLE, AXIS = 14, 30, 92
"""Pixels between two panels, for a panel's title, and for the names below a panel."""

MOST_WRITTEN = 100
"""Up to so many cells in a panel have their number written into them, if they are wide."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Panel:
    """A network's heat map: its cells, the address of each, and the axis of its columns."""

    network: str
    cells: Cells
    addresses: Sequence[Sequence[Address | None]]
    axis: Mapping[str, Any]


def panels_figure(
    panels: Sequence[Panel],
    *,
    title: str,
    unit: str,
    key: str,
    note: str,
    log: bool | None = None,
    written: bool = False,
) -> go.Figure:
    """The panels one above the other.

    Args:
        panels: of networks, with the numbers as they are shown.
        title: of the colour bar.
        unit: what stands behind a number.
        key: keeps a person's zoom when the data change.
        note: stands above the first panel.
        log: logarithmic colours; None leaves it to the numbers.
        written: whether numbers are written into the cells, where there is room.
    """
    numbers = [v for p in panels for row in p.cells.numbers for v in row]
    log = (not unit and spread_widely(numbers)) if log is None else log
    span, last = span_of(numbers, log=log), len(panels) - 1
    shared = all(p.axis == panels[0].axis for p in panels)
    heights = [float(max(ROW * len(p.cells.names), LEAST)) for p in panels]
    between = BETWEEN + TITLE + (0 if shared else AXIS)
    tall = sum(heights) + between * last
    domains = stacked(heights, gap=between / tall)
    data: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    for place, panel in enumerate(panels):
        suffix = str(place + 1) if place else ""
        own = {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
        room = written and sum(map(len, panel.cells.numbers)) <= MOST_WRITTEN
        data += _panel_traces(panel, title, span, unit=unit, log=log, written=room, **own)
        bare = shared and place < last
        x, y = _axes(panel, domains[place], bare=bare)
        axes[f"xaxis{suffix}"] = {**x, "anchor": own["yaxis"]}
        axes[f"yaxis{suffix}"] = {**y, "anchor": own["xaxis"]}
    top = TITLE + (TITLE if note else 0)
    figure = layout(
        height=round(tall) + top + AXIS + 40,
        key=key,
        hovermode="closest",
        hoverdistance=-1,  # the nearest marker is that of the cell pointed at
        margin={"l": 72, "r": 24, "t": top, "b": AXIS},
        annotations=_words_above(panels, domains, note),
        showlegend=False,
        **axes,
    )
    return go.Figure({"data": _one_colour_bar(data), "layout": figure})


def _axes(
    panel: Panel, domain: list[float], *, bare: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The axes across and down; a bare one leaves its names to the panel below."""
    hidden = {"showticklabels": False, "title": None} if bare else {}
    names = panel.cells.names
    rows = row_axis("Bit-width (bits)", names, domain=domain, range=[len(names) - 0.5, -0.5])
    return {**panel.axis, **hidden}, rows


def _words_above(
    panels: Sequence[Panel], domains: Sequence[list[float]], note: str
) -> list[dict[str, Any]]:
    """Each panel's network, and the note above the first of them."""
    titles = [
        panel_title(([0.0, 1.0], domain), panel.network)
        for panel, domain in zip(panels, domains, strict=True)
    ]
    return [*titles, *[{**said, "yshift": TITLE - 8} for said in note_annotation(note)]]


def _panel_traces(
    panel: Panel,
    title: str,
    span: tuple[float, float],
    *,
    unit: str,
    log: bool,
    written: bool,
    **axes: str,
) -> list[dict[str, Any]]:
    texts = [[number(v) if math.isfinite(v) else "" for v in row] for row in panel.cells.numbers]
    more = {"text": texts, "hoverinfo": "skip", "hovertemplate": None, "customdata": None, **axes}
    if written:
        more["texttemplate"] = "%{text}"
    heat = heat_traces(panel.cells, title, span, log=log, **more)
    if written:  # a blank row has no text of its own
        for trace in heat:
            trace["text"] = [
                row if any(v is not None for v in z) else [""] * len(row)
                for row, z in zip(texts, trace["z"], strict=True)
            ]
    return [*heat, _markers(panel, unit=unit, **axes)]


def _markers(panel: Panel, *, unit: str, **axes: str) -> dict[str, Any]:
    cells = [
        (column, name, value, address)
        for name, row, where in zip(
            panel.cells.names, panel.cells.numbers, panel.addresses, strict=True
        )
        for column, value, address in zip(panel.cells.columns, row, where, strict=True)
        if math.isfinite(value)
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": panel.network,
        "x": [column for column, *_ in cells],
        "y": [name for _, name, *_ in cells],
        "text": [number(value, unit) for _, _, value, _ in cells],
        "customdata": [address for *_, address in cells],
        "marker": {"symbol": "square", "size": 20, "opacity": 0, "color": TEXT},
        "hovertemplate": f"%{{x}}, %{{y}}: %{{text}}<extra>{panel.network}</extra>",
        **axes,
    }


def _one_colour_bar(data: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All panels share their scale: the first of them says it."""
    bars = [trace for trace in data if trace.get("showscale")]
    for trace in bars[1:]:
        trace["showscale"] = False
    return data


def panels_alt(what: str, panels: Sequence[Panel], unit: str) -> str:
    """What the panels show: every row from its first to its last number."""
    words = []
    for panel in panels:
        for name, row in zip(panel.cells.names, panel.cells.numbers, strict=True):
            pairs = list(zip(panel.cells.columns, row, strict=True))
            ends = [f"{number(v, unit)} at {column}" for column, v in (pairs[0], pairs[-1])]
            words.append(f"{panel.network}, {name}: {' to '.join(dict.fromkeys(ends))}")
    more = len(words) - MOST_CURVES
    rest = [f"{more} more rows in the data table"] if more > 0 else []
    return f"Heat map of {what}. {'; '.join([*words[:MOST_CURVES], *rest])}."
