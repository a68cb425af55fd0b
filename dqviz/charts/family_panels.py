"""Panels that share their axes, two a row, one for each family of networks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dqviz.charts.axes import level_line, note_annotation, stacked
from dqviz.charts.panels import Domains, panel_title
from dqviz.charts.style import layout

PANEL, FRAME, LEGEND = 235, 104, 26
"""Pixels: the height of a row of panels, of what stands above and below, of a line of a legend."""


def panels_layout(
    families: Sequence[str],
    *,
    key: str,
    x: Mapping[str, Any],
    y: Mapping[str, Any],
    line: float | None = None,
    legend_lines: int = 1,
    note: str = "",
) -> dict[str, Any]:
    """The layout of a figure with a panel a family.

    Args:
        families: the panels' titles, in order.
        key: keeps a person's zoom when the data change.
        x: the horizontal axis of every panel; its title stands below the lowest ones alone.
        y: the vertical axis of every panel.
        line: where a dotted line runs across every panel.
        legend_lines: for how many lines the legend needs room.
        note: stands above the first panel.
    """
    places = _places(len(families))
    axes: dict[str, Any] = {}
    for place, (across, up) in enumerate(places):
        suffix = suffix_of(place)
        lowest = place + 2 >= len(families)
        title = {} if lowest else {"title": None}
        axes[f"xaxis{suffix}"] = {**x, **title, "domain": across, "anchor": f"y{suffix}"}
        axes[f"yaxis{suffix}"] = {**y, "domain": up, "anchor": f"x{suffix}"}
    top = LEGEND * legend_lines + LEGEND * bool(note) + 28
    above = 26 + LEGEND * bool(note)
    tall = FRAME + PANEL * math.ceil(len(families) / 2)
    titles = [panel_title(where, name) for where, name in zip(places, families, strict=True)]
    return layout(
        height=tall + LEGEND * (legend_lines - 1) + LEGEND * bool(note),
        key=key,
        hovermode="closest",
        shapes=[] if line is None else [_across(line, place) for place in range(len(families))],
        annotations=[*titles, *[{**said, "yshift": 22} for said in note_annotation(note)]],
        legend={"orientation": "h", "x": 0, "y": 1 + above / (tall - 84), "yanchor": "bottom"},
        margin={"l": 72, "r": 24, "t": top, "b": 48},
        **axes,
    )


def named_once(traces: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The traces of all panels, each name in the legend once: of the first that has points."""
    found, named = [], set[str]()
    for trace in traces:
        shown = trace.get("showlegend", True) and len(trace["x"]) and trace["name"] not in named
        if shown:
            named.add(trace["name"])
        found.append({**trace, "showlegend": bool(shown)})
    return found


def suffix_of(place: int) -> str:
    """What Plotly puts behind the names of a panel's axes."""
    return str(place + 1) if place else ""


def axes_of(place: int) -> dict[str, str]:
    """The axes that a trace of that panel lies on."""
    return {"xaxis": f"x{suffix_of(place)}", "yaxis": f"y{suffix_of(place)}"}


def _places(count: int) -> list[Domains]:
    """Where the panels lie, the first on top at the left."""
    rows = stacked([1.0] * math.ceil(count / 2), gap=0.14)
    across = [[0.0, 1.0]] if count == 1 else [[0.0, 0.44], [0.56, 1.0]]
    return [(across[place % 2], rows[place // 2]) for place in range(count)]


def _across(value: float, place: int) -> dict[str, Any]:
    suffix = suffix_of(place)
    return {**level_line(value), "xref": f"x{suffix} domain", "yref": f"y{suffix}"}
