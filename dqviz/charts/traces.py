"""Traces shared by the charts, as plain dictionaries: lines, bands and interval marks by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dqviz.charts.axes import drawable, layer_positions, same_layers
from dqviz.charts.style import GREY, NetworkStyle, bits_dash, bits_marker, fade, network_styles
from dqviz.charts.tidy import ATTACK_NAMES, Curve

CONTROL_DASHES = {
    "random_signs": "2px,{gap}px",
    "gaussian": "2px,{gap}px,2px,{gap}px,7px,{gap}px",
    "other_image": "7px,{gap}px,2px,{gap}px",
}
BAND_OPACITY = 0.14
SKIP = {"hoverinfo": "skip", "showlegend": False}


def styles_of(curves: Sequence[Curve]) -> dict[str, NetworkStyle]:
    """The style of each network among the curves."""
    return network_styles(c.network for c in curves)


def colour_of(curve: Curve, styles: dict[str, NetworkStyle]) -> str:
    """The network's colour, or grey for a curve whose clean accuracy has collapsed."""
    return GREY if curve.collapsed else styles[curve.network].colour


def line_style(
    curve: Curve, styles: dict[str, NetworkStyle], *, small: bool = False
) -> dict[str, Any]:
    """Line and marker of a curve: colour and marker by network, dash and filling by bits."""
    colour = colour_of(curve, styles)
    symbol = bits_marker(styles[curve.network].marker, curve.weight_bits, curve.act_bits)
    if curve.is_control:
        marker = {"symbol": symbol, "size": 4, "color": colour}
        return {
            "line": {"color": colour, "width": 1.2, "dash": _control_dash(curve)},
            "marker": marker,
        }
    dash = bits_dash(curve.weight_bits, curve.act_bits)
    many = small or len(curve.layers) > 40
    marker = {"symbol": symbol, "size": 5 if many else 8, "color": colour}
    width = 1.3 if curve.collapsed else 2.2
    return {"line": {"color": colour, "width": width, "dash": dash}, "marker": marker}


def _control_dash(curve: Curve) -> str:
    """Dots by the kind of control, the further apart the fewer the bits."""
    bits = min(curve.act_bits, curve.weight_bits)
    return CONTROL_DASHES[curve.attack].format(gap=max(3, 12 - bits))


def curve_line(
    curve: Curve,
    curves: Sequence[Curve],
    *,
    name: str,
    statistic: str,
    log: bool,
    style: dict[str, Any],
    number: str = ".3g",
) -> dict[str, Any]:
    """The line of one curve, with the layers' names in its hover text where the axis lacks them."""
    kind = {"name": name}
    if curve.is_control:
        kind = {"name": f"control: {ATTACK_NAMES[curve.attack]}", "legendgroup": curve.attack}
    return {
        "type": "scatter",
        "mode": "lines+markers",
        **kind,
        "x": layer_positions(curve, curves),
        "y": drawable(curve.values(statistic), log=log),
        "hovertemplate": f"{hover_text(curves, number=number)}<extra>{name}</extra>",
        "customdata": None if same_layers(curves) else list(curve.layers),
        "connectgaps": False,
        **style,
    }


def hover_text(curves: Sequence[Curve], *, number: str = ".3g") -> str:
    """The hover text of one trace: its value, and its layer where the axis has numbers only."""
    layer = "" if same_layers(curves) else " at %{customdata}"
    return f"%{{y:{number}}}{layer}"


def curve_band(curve: Curve, curves: Sequence[Curve], *, colour: str, log: bool) -> dict[str, Any]:
    """The band from the 10 to the 90 % quantile, as one closed shape."""
    x, low, high = [], [], []
    for place, q10, q90 in zip(
        layer_positions(curve, curves), curve.values("q10"), curve.values("q90"), strict=True
    ):
        if math.isfinite(q10) and math.isfinite(q90) and (q10 > 0 or not log):
            x.append(place)
            low.append(q10)
            high.append(q90)
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x + x[::-1],
        "y": high + low[::-1],
        "fill": "toself",
        "fillcolor": fade(colour, BAND_OPACITY),
        "line": {"width": 0, "color": colour},
        "name": "10 to 90 %",
        **SKIP,
    }


LEVEL_MARGIN = {"l": 72, "r": 92, "t": 24, "b": 32}
"""A figure's margins with room for the text of a `level_line`."""


def level_line(value: float, text: str, *, axis: str = "y") -> dict[str, Any]:
    """A horizontal reference line across a panel, said by its text in the right margin."""
    label = {"text": text, "textposition": "end", "xanchor": "left", "yanchor": "middle"}
    return {
        "type": "line",
        "xref": "paper",
        "yref": axis,
        "x0": 0,
        "x1": 1,
        "y0": value,
        "y1": value,
        "line": {"color": GREY, "width": 1.4, "dash": "dot"},
        "label": {**label, "padding": 6, "font": {"size": 11}},
    }
