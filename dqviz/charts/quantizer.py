"""The quantizer's view of the noise: in, out and predicted, its gain, the kinds of elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts import alt
from dqviz.charts.axes import (
    layer_axis,
    layer_positions,
    legend_above,
    note_annotation,
    stacked,
    value_axis,
)
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS, TITLES
from dqviz.charts.notes import chart_note
from dqviz.charts.style import TEXT, NetworkStyle, fade, layout
from dqviz.charts.tidy import (
    Curve,
    as_shown,
    collapse_note,
    curve_names,
    read_curves,
    select,
)
from dqviz.charts.traces import (
    LEVEL_MARGIN,
    colour_of,
    curve_band,
    curve_line,
    hover_text,
    level_line,
    line_style,
    styles_of,
)
from dqviz.specs import CONTROLS, FULL_PRECISION

ELEMENTS = ("all", "zero", "inside", "clipped")
ELEMENT_WORDS = {
    "all": "all elements",
    "zero": "elements at exactly zero",
    "inside": "elements inside the range",
    "clipped": "elements beyond the clipping range",
}
NOISE = ("in", "out", "predicted")
NORMS = ("l2", "l1")


def quantizer_view(
    table: pd.DataFrame,
    *,
    elements: str = "all",
    norm: str = "l2",
    statistic: str = "median",
    epsilon: float | None = None,
    height: int = 720,
) -> Chart:
    """Noise before and after each quantizer, with the prediction; the gain; the kinds of elements.

    Args:
        table: tidy rows of amplification experiments; rows at full activation precision and
            controls are left out.
        elements: one of `ELEMENTS`: which elements of the clean input are looked at.
        norm: `l2` or `l1`.
        statistic: over the images, `median` or `mean`.
        epsilon: pixel units; needed where the table holds several.

    Raises:
        ChartError: if nothing is quantized or a choice is unknown.
    """
    if elements not in ELEMENTS or norm not in NORMS:
        raise ChartError(
            f"elements must be one of {', '.join(ELEMENTS)} and the norm one of "
            f"{', '.join(NORMS)}; got {elements!r} and {norm!r}"
        )
    suffix = ("" if elements == "all" else f"_{elements}") + ("" if norm == "l2" else "_l1")
    metrics = [f"quantizer_noise_{kind}{suffix}" for kind in NOISE]
    gain = f"quantizer_gain{suffix}"
    shares = [f"element_share_{name}" for name in ELEMENTS[1:]]
    quantized = table[(table["act_bits"] != FULL_PRECISION) & ~table["attack"].isin(CONTROLS)]
    if quantized.empty:
        raise ChartError("the quantizer's view needs activations of 8 bits or fewer; found none")
    rows = select(quantized, [*metrics, gain, *shares], epsilon=epsilon)
    rows = rows[rows["statistic"].isin([statistic, "q10", "q90", "nan_count"])]
    parts = {m: read_curves(rows[rows["metric"] == m]) for m in [*metrics, gain, *shares]}
    curves = parts[metrics[0]]
    if not curves or not parts[gain]:
        raise ChartError(f"no rows with the metric {metrics[0]} or {gain}")
    note = collapse_note(any(c.collapsed for c in curves))
    domains = stacked((0.46, 0.27, 0.27), gap=0.07)
    noise = [v for m in metrics for c in parts[m] for v in c.values(statistic)]
    gains = [v for c in parts[gain] for s in (statistic, "q10", "q90") for v in c.values(s)]
    unit = "‖u‖₂" if norm == "l2" else "‖u‖₁"
    data = _noise_lines(parts, metrics, statistic)
    data += _gain_lines(parts[gain], statistic)
    data += _share_bars([parts[m] for m in shares], statistic)
    figure = {
        "data": data,
        "layout": layout(
            height=height,
            key=f"quantizer {elements} {norm}",
            xaxis={**layer_axis(curves), "anchor": "y3"},
            yaxis=value_axis(f"Noise / {unit} (ratio)", noise, log=True, domain=domains[0]),
            yaxis2=value_axis(TITLES["quantizer_gain"], [*gains, 1], log=True, domain=domains[1]),
            yaxis3=value_axis("Elements (%)", [], log=False, domain=domains[2], range=[0, 100.5]),
            barmode="stack",
            bargap=0.25,
            hoversubplots="axis",
            margin=LEVEL_MARGIN,
            shapes=[level_line(1, "1: unchanged", axis="y2")],
            legend=legend_above(note, height),
            annotations=[*note_annotation(note), _share_key(domains[2][1])],
        ),
    }
    names = curve_names(parts[gain])
    what = f"Three panels by layer for {ELEMENT_WORDS[elements]}: noise in, out and predicted; gain"
    return Chart(
        figure=go.Figure(figure),
        title="The quantizer's view of the noise",
        how_to_read="Where noise out lies above noise in (gain above 1), the quantizer itself "
        "enlarges the perturbation; the open grey markers are what rounding theory predicts.",
        formula=FORMULAS["quantizer"],
        alt=alt.curves_alt(f"{what} given here", parts[gain], names, statistic=statistic),
        table=as_shown(rows),
        note=chart_note(c for m in (*metrics, gain) for c in parts[m]),
    )


def _share_key(top: float) -> dict[str, Any]:
    """What the bars of the lowest panel mean, right above it."""
    return {
        "text": "Elements: pale at zero, darker in range, darkest clipped; hatched by network",
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "y": top,
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 12},
    }


def _noise_lines(
    parts: dict[str, list[Curve]], metrics: Sequence[str], statistic: str
) -> list[dict[str, Any]]:
    traces = []
    for kind, metric in zip(NOISE, metrics, strict=True):
        curves = parts[metric]
        styles = styles_of(curves)
        for curve, name in zip(curves, curve_names(curves), strict=True):
            style = _noise_style(kind, curve, styles)
            line = curve_line(
                curve, curves, name=f"{name}: {kind}", statistic=statistic, log=True, style=style
            )
            traces.append({**line, "legendgroup": name})
    return traces


def _noise_style(kind: str, curve: Curve, styles: dict[str, NetworkStyle]) -> dict[str, Any]:
    """Noise in thin, noise out dashed; the prediction as open markers around that of noise out."""
    shape = styles[curve.network].marker
    if kind == "predicted":
        marker = {"symbol": f"{shape}-open", "size": 12, "color": TEXT, "line": {"width": 1.6}}
        return {"mode": "markers", "marker": marker}
    style = line_style(curve, styles)
    out = kind == "out"
    style["line"] |= {"dash": "8px,3px", "width": 2.4} if out else {"dash": "solid", "width": 1.4}
    style["marker"] |= {"symbol": shape, "size": 7 if out else 4}
    return style


def _gain_lines(curves: Sequence[Curve], statistic: str) -> list[dict[str, Any]]:
    styles = styles_of(curves)
    names = curve_names(curves)
    bands = [curve_band(c, curves, colour=colour_of(c, styles), log=True) for c in curves]
    lines = [
        curve_line(
            c,
            curves,
            name=f"{name}: gain",
            statistic=statistic,
            log=True,
            style=line_style(c, styles),
        )
        for c, name in zip(curves, names, strict=True)
    ]
    return [{**t, "yaxis": "y2", "showlegend": False} for t in bands + lines]


def _share_bars(parts: Sequence[Sequence[Curve]], statistic: str) -> list[dict[str, Any]]:
    """Stacked shares in per cent, one stack a curve; kinds differ by depth, networks by hatch."""
    traces = []
    for kind, depth, curves in zip(ELEMENTS[1:], (0.2, 0.5, 0.9), parts, strict=True):
        styles = styles_of(curves)
        for place, (curve, name) in enumerate(zip(curves, curve_names(curves), strict=True)):
            colour = colour_of(curve, styles)
            pattern = {"shape": styles[curve.network].hatch, "fgcolor": colour, "size": 5}
            traces.append(
                {
                    "type": "bar",
                    "name": f"{name}: {kind}",
                    "x": layer_positions(curve, curves),
                    "y": [100 * v for v in curve.values(statistic)],
                    "yaxis": "y3",
                    "offsetgroup": str(place),
                    "marker": {
                        "color": fade(colour, depth),
                        "pattern": {**pattern, "solidity": 0.2, "fillmode": "overlay"},
                        "line": {"color": colour, "width": 0.8},
                    },
                    "hovertemplate": hover_text(curves, number=".1f") + " %",
                    "customdata": list(curve.layers),
                    "showlegend": False,
                }
            )
    return traces
