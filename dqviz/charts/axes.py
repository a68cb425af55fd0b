"""Axes shared by the charts: layers no names overlapping, logarithmic ticks, panels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from dqviz.charts.style import GREY
from dqviz.charts.tidy import Curve, short_layers

MOST_LABELS = 24
LAYER_TITLE = "Layer (in order of execution)"

LEGEND_LINE, LEGEND_LINES = 19, 4
"""The height of a line of a legend in pixels, and how many lines a figure has room for as it is."""


def layer_axis(curves: Sequence[Curve], *, compact: bool = False) -> dict[str, Any]:
    """The x axis of layers; by name where all curves share their layers, else by number."""
    longest = max((c.layers for c in curves), key=len)
    count = len(longest)
    if same_layers(curves):
        names = short_layers(longest)
        marks: list[Any] = [names[i] for i in thinned(count, MOST_LABELS // (1 + compact))]
        axis: dict[str, Any] = {"type": "category", "categoryarray": names, "tickangle": -55}
    else:
        marks = [i + 1 for i in thinned(count, MOST_LABELS // (1 + compact))]
        axis = {"type": "linear", "tickformat": "d"}
    first = 0 if same_layers(curves) else 1
    return {
        **axis,
        "tickmode": "array",
        "tickvals": marks,
        "range": [first - 0.6, first + count - 0.4],
        "title": {"text": LAYER_TITLE, "standoff": 8},
        "automargin": True,
        "showgrid": False,
        "zeroline": False,
    }


def same_layers(curves: Sequence[Curve]) -> bool:
    """Whether all curves run through layers of the same names."""
    return len({c.layers for c in curves}) <= 1


def layer_positions(curve: Curve, curves: Sequence[Curve]) -> list[Any]:
    """Where the layers of one curve, which need not be all, stand on `layer_axis(curves)`.

    On an axis of numbers that is a layer's place in the longest curve of the same network.
    """
    if same_layers(curves):
        layers = curves[0].layers if curves else curve.layers
        names = dict(zip(layers, short_layers(layers), strict=True))
        return [names.get(layer, layer) for layer in curve.layers]
    own = [c.layers for c in curves if c.network == curve.network]
    longest = max([*own, curve.layers], key=len)
    places = {layer: i for i, layer in enumerate(dict.fromkeys([*longest, *curve.layers]), 1)}
    return [places[layer] for layer in curve.layers]


def thinned(count: int, most: int) -> list[int]:
    """At most about `most` of the numbers 0 to count-1, evenly, with the last one among them."""
    step = max(1, math.ceil(count / most))
    chosen = [i for i in range(0, count, step) if i + step <= count - 1]
    return [*chosen, count - 1] if count else []


def level_line(value: float, *, dash: str = "dot") -> dict[str, Any]:
    """A thin grey line across the whole chart at a value of the y axis."""
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": value,
        "y1": value,
        "line": {"color": GREY, "width": 1, "dash": dash},
    }


def value_axis(title: str, values: Iterable[float], *, log: bool, **more: Any) -> dict[str, Any]:
    """A y axis with its title (unit in brackets), its ticks and a range that holds `values`."""
    finite = [v for v in values if math.isfinite(v)]
    axis: dict[str, Any] = {"title": {"text": title}, "automargin": True, "zeroline": not log}
    if not log:
        return {**axis, "type": "linear", **more}
    positive = [v for v in finite if v > 0] or [0.1, 1.0]
    low, high = min(positive), max(positive)
    pad = max((high / low) ** 0.06, 1.08)
    low, high = low / pad, high * pad
    ticks = log_ticks(low, high)
    return {
        **axis,
        "type": "log",
        "range": [math.log10(low), math.log10(high)],
        "tickmode": "array",
        "tickvals": ticks,
        "ticktext": [tick_text(t) for t in ticks],
        **more,
    }


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers between two positive ones: as many as a logarithmic axis can carry."""
    span = math.log10(high / low)
    if span < 0.6:
        return _even_ticks(low, high)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if span < 3.5 else (1,)
    ticks = [float(f"{s * 10.0**d:.4g}") for d in decades for s in steps]
    inside = [t for t in ticks if low <= t <= high]
    return inside[:: math.ceil(len(inside) / 12)] or _even_ticks(low, high)


SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def tick_text(value: float) -> str:
    """A tick's number: plain between 0.001 and 10,000, else as a power of ten."""
    if 1e-3 <= value < 1e4:
        return f"{value:.3g}" if value < 1000 else f"{value:.0f}"
    digits, power = f"{value:.0e}".split("e")
    ten = "10" + str(int(power)).translate(SUPERSCRIPTS)
    return ten if digits == "1" else f"{digits}·{ten}"


def row_axis(title: str, names: Sequence[str], **more: Any) -> dict[str, Any]:
    """A y axis of named rows, the first on top, with room above and below."""
    return {
        "title": {"text": title, "standoff": 12},
        "type": "category",
        "categoryarray": list(names),
        "range": [len(names) - 0.4, -0.6],
        "automargin": True,
        "showgrid": False,
        **more,
    }


def _even_ticks(low: float, high: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten, three to seven; one where the ends agree."""
    if high < 1.001 * low:
        return [low]
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(s for s in (1, 2, 5, 10) if s * power >= rough)
    first = math.ceil(low / step)
    return [float(f"{k * step:.6g}") for k in range(first, math.floor(high / step) + 1)]


def drawable(values: Iterable[float], *, log: bool) -> list[float | None]:
    """Values for a trace: None where there is nothing to draw on such an axis."""
    return [v if math.isfinite(v) and (v > 0 or not log) else None for v in values]


def stacked(heights: Sequence[float], *, gap: float = 0.06) -> list[list[float]]:
    """The domains of panels one above the other, the first on top, in shares of the figure."""
    free = 1 - gap * (len(heights) - 1)
    domains, top = [], 1.0
    for height in heights:
        size = free * height / sum(heights)
        domains.append([max(0.0, round(top - size, 6)), round(top, 6)])
        top -= size + gap
    return domains


def note_annotation(note: str) -> list[dict[str, Any]]:
    """A chart's note, right above the plot, as a list of at most one annotation."""
    if not note:
        return []
    place = {"xref": "paper", "yref": "paper", "x": 0, "y": 1, "xanchor": "left"}
    return [{**place, "yanchor": "bottom", "text": f"<i>{note}</i>", "showarrow": False}]


def legend_above(note: str, height: int) -> dict[str, Any]:
    """A horizontal legend above the plot, and above the note or heading where there is one."""
    shift = (26 if note else 6) / max(height - 120, 100)
    return {"orientation": "h", "x": 0, "xanchor": "left", "y": 1 + shift, "yanchor": "bottom"}


def legend_room(entries: int) -> int:
    """How many pixels a figure grows by, so that a long legend above it leaves the plot its place.

    Names of networks take half of the width; a legend of more than twenty lines scrolls.
    """
    return LEGEND_LINE * max(min(math.ceil(entries / 2), 20) - LEGEND_LINES, 0)


def stack_legend(note: str, height: int) -> dict[str, Any]:
    """The legend above stacked bars, its parts in the order in which they are stacked."""
    return {**legend_above(note, height), "traceorder": "normal"}
