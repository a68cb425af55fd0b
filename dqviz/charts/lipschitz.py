"""Lipschitz constants layer by layer: three numbers, and measured gains against their bound."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts import alt
from dqviz.charts.axes import (
    drawable,
    layer_axis,
    layer_positions,
    legend_above,
    note_annotation,
    same_layers,
    value_axis,
)
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.notes import chart_note
from dqviz.charts.style import layout
from dqviz.charts.tidy import (
    Curve,
    as_shown,
    collapse_note,
    curve_names,
    grey_out,
    read_curves,
    short_networks,
)
from dqviz.charts.traces import LEVEL_MARGIN, colour_of, curve_band, level_line, styles_of

CONSTANTS = ("sigma_matrix", "operator_norm", "operator_norm_folded")
WORDS = {
    "sigma_matrix": "kernel matrix",
    "operator_norm": "operator norm",
    "operator_norm_folded": "operator norm, BatchNorm folded",
}
DASHES = {"sigma_matrix": "dot", "operator_norm": "7px,3px", "operator_norm_folded": "solid"}
FILLS = {"sigma_matrix": "-open-dot", "operator_norm": "-open", "operator_norm_folded": ""}
NORM_TITLE = "Largest gain (ratio)"


def layer_constants(
    table: pd.DataFrame, *, constants: Sequence[str] = CONSTANTS, height: int = 500
) -> Chart:
    """The largest singular value of each layer, in up to three meanings, networks compared.

    Bounds are drawn as intervals from `lower` to `upper` around the upper one; a layer whose
    BatchNorm cannot be folded soundly has no folded value. The weights are those really used, so
    quantized ones where the table's networks are; activation bits and attacks play no part.

    Args:
        table: tidy rows of Lipschitz experiments.
        constants: some of `CONSTANTS`.
    """
    rows = rows_of_norms(table, constants)
    parts = {c: read_curves(rows[rows["metric"] == c]) for c in constants}
    whole = [c for each in parts.values() for c in each]
    along = along_axis(whole)
    styles = styles_of(whole)
    networks = short_networks(c.network for c in whole)
    traces, words = [], []
    for constant, curves in parts.items():
        for curve in curves:
            name = f"{networks[curve.network]}, {WORDS[constant]}"
            traces.append(_interval_line(curve, along, name, constant, styles))
            words.append(alt.curve_words(with_upper(curve), name, statistic="upper"))
    values = [v for c in whole for s in ("lower", "upper") for v in with_upper(c).values(s)]
    figure = {
        "data": traces,
        "layout": layout(
            height=height,
            key=f"constants {' '.join(constants)}",
            xaxis=layer_axis(along),
            yaxis=value_axis(NORM_TITLE, [*values, 1.0], log=True),
            margin=LEVEL_MARGIN,
            shapes=[level_line(1, "1: non-expansive")],
            legend=legend_above("", height),
        ),
    }
    return Chart(
        figure=go.Figure(figure),
        title="Lipschitz constants by layer",
        how_to_read="The norms are those of the weights as quantized: a layer whose operator norm "
        "is 1 or less cannot enlarge any perturbation, which the kernel matrix alone does not "
        "promise, and only the norm with BatchNorm folded in is that of what the network applies.",
        formula=FORMULAS["constants"],
        alt=" ".join([f"Line chart by layer, {len(along[0].layers)} layers.", *words]),
        table=as_shown(rows),
    )


def gain_against_bound(table: pd.DataFrame, *, height: int = 480) -> Chart:
    """How much of each layer's operator norm the batch's own differences use.

    Both are of the weights as quantized, and without BatchNorm; `linear_gain` of the amplification
    experiments is with BatchNorm folded in where it follows the layer.
    """
    rows = rows_of_norms(table, ("measured_gain", "operator_norm"))
    gains, bounds = (
        read_curves(rows[rows["metric"] == m]) for m in ("measured_gain", "operator_norm")
    )
    if not gains:
        raise ChartError("no rows with the metric measured_gain")
    along = along_axis([*gains, *bounds])
    styles = styles_of([*gains, *bounds])
    note = collapse_note(any(c.collapsed for c in gains))
    traces, words = [], []
    for curve, name in zip(gains, curve_names(gains), strict=True):
        colour = colour_of(curve, styles)
        traces.append(curve_band(curve, along, colour=colour, log=True))
        traces.append(
            _line(
                curve,
                along,
                f"{name}: measured gain",
                "median",
                colour,
                "solid",
                styles[curve.network].marker,
            )
        )
        words.append(alt.curve_words(curve, f"{name}, median gain", statistic="median"))
    networks = short_networks(c.network for c in bounds)
    for curve in _one_each(bounds):
        colour = styles[curve.network].colour
        name = f"{networks[curve.network]}: operator norm (bound)"
        marker = styles[curve.network].marker + "-open"
        traces.append(_line(with_upper(curve), along, name, "upper", colour, "3px,3px", marker))
        words.append(alt.curve_words(with_upper(curve), name, statistic="upper"))
    values = [v for c in gains for s in ("q10", "median", "q90") for v in c.values(s)]
    values += [v for c in bounds for v in with_upper(c).values("upper")]
    figure = {
        "data": traces,
        "layout": layout(
            height=height,
            key="gain bound",
            xaxis=layer_axis(along),
            yaxis=value_axis("Gain of the layer (ratio)", [*values, 1.0], log=True),
            margin=LEVEL_MARGIN,
            shapes=[level_line(1, "1: size kept")],
            legend=legend_above(note, height),
            annotations=note_annotation(note),
        ),
    }
    return Chart(
        figure=go.Figure(figure),
        title="Measured gain against its bound",
        how_to_read="The band (10 to 90 % of the images) can never rise above the dashed bound; "
        "the gap is what the worst case has in reserve; both leave BatchNorm out, which the gain "
        "of the linear layers on the Amplification page has folded in where it can be.",
        formula=FORMULAS["gain_bound"],
        alt=" ".join(["Line chart by layer.", *words]),
        table=as_shown(rows),
        note=chart_note(gains),
    )


def rows_of_norms(table: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """The rows of some norms; these depend on no attack.

    Raises:
        ChartError: if a metric is none of the norms, or there are no rows.
    """
    unknown = [m for m in metrics if m not in (*CONSTANTS, "measured_gain")]
    if unknown or not metrics:
        raise ChartError(f"constants must be some of {', '.join(CONSTANTS)}; got {list(metrics)}")
    rows = table[table["metric"].isin(metrics)]
    if rows.empty:
        found = sorted(table["metric"].unique())
        raise ChartError(f"no rows with the metric {' or '.join(metrics)}; found {found}")
    return grey_out(rows.assign(attack=rows["attack"].fillna("").astype(str)))


def with_upper(curve: Curve) -> Curve:
    """The curve with a statistic `upper`, whatever the exact value is called."""
    statistics = dict(curve.statistics)
    for name in ("value", "mean", "median"):
        if "upper" not in statistics and name in statistics:
            statistics["upper"] = statistics[name]
    return Curve(
        curve.network,
        curve.weight_bits,
        curve.act_bits,
        curve.attack,
        False,
        curve.layers,
        statistics,
    )


def along_axis(curves: Iterable[Curve]) -> list[Curve]:
    """The curves that decide the axis: where all layers are among the longest's, that one alone."""
    ordered = sorted(curves, key=lambda c: -len(c.layers))
    if not ordered:
        raise ChartError("no rows to draw")
    inside = all(set(c.layers) <= set(ordered[0].layers) for c in ordered)
    return [c for c in ordered if c.layers == ordered[0].layers] if inside else ordered


def _one_each(curves: Sequence[Curve]) -> list[Curve]:
    """The first curve of each network."""
    return list({c.network: c for c in reversed(curves)}.values())[::-1]


def _line(
    curve: Curve,
    along: Sequence[Curve],
    name: str,
    statistic: str,
    colour: str,
    dash: str,
    marker: str,
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": layer_positions(curve, along),
        "y": drawable(curve.values(statistic), log=True),
        "line": {"color": colour, "dash": dash, "width": 2},
        "marker": {"symbol": marker, "size": 7, "color": colour},
        "hovertemplate": "%{y:.3g}" + ("" if same_layers(along) else " at %{customdata}"),
        "customdata": list(curve.layers),
    }


def _interval_line(
    curve: Curve, along: Sequence[Curve], name: str, constant: str, styles: dict[str, Any]
) -> dict[str, Any]:
    style = styles[curve.network]
    drawn = with_upper(curve)
    marker = style.marker + FILLS[constant]
    line = _line(drawn, along, name, "upper", style.colour, DASHES[constant], marker)
    below = [
        up - low if math.isfinite(low) else 0.0
        for up, low in zip(drawn.values("upper"), drawn.values("lower"), strict=True)
    ]
    if any(below):
        line["error_y"] = {
            "type": "data",
            "symmetric": False,
            "array": [0.0] * len(below),
            "arrayminus": below,
            "color": style.colour,
            "thickness": 3,
            "width": 0,
        }
    return line
