"""One metric of one network over layers and bit-widths at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts.alt import number
from dqviz.charts.axes import (
    layer_axis,
    layer_positions,
    log_ticks,
    note_annotation,
    row_axis,
    tick_text,
)
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS, TITLES
from dqviz.charts.notes import chart_note
from dqviz.charts.style import layout
from dqviz.charts.tidy import Curve, as_shown, bits_text, collapse_note, read_curves, select
from dqviz.specs import CONTROLS

GREYS = [[0, "#8d9095"], [1, "#c9ccd1"]]
FORMULA_OF = {"bucket_flip_rate": "flips", "quantizer_gain": "quantizer"}
BITS = ("act_bits", "weight_bits")


def bits_heatmap(
    table: pd.DataFrame,
    *,
    metric: str = "relative_distance",
    statistic: str = "median",
    by: str = "act_bits",
    network: str | None = None,
    epsilon: float | None = None,
    log: bool | None = None,
) -> Chart:
    """A metric by layer (across) and bit-width (down) of one network.

    Args:
        table: tidy rows; controls are left out.
        metric: any metric by layer with a title in `formulas.TITLES`.
        statistic: over the images.
        by: `act_bits` or `weight_bits`, by which the rows are sorted, most bits on top.
        network: `MODEL/WEIGHTS`; needed where the table holds several.
        epsilon: pixel units; needed where the table holds several.
        log: logarithmic colours; by default for distances and amplification.
    """
    if by not in BITS or metric not in TITLES:
        raise ChartError(
            f"by must be one of {', '.join(BITS)} and the metric one of {', '.join(TITLES)}; "
            f"got {by!r} and {metric!r}"
        )
    rows = select(table[~table["attack"].isin(CONTROLS)], metric, epsilon=epsilon)
    rows = rows[rows["statistic"].isin([statistic, "nan_count"])]
    curves = _of_one_network(read_curves(rows), network)
    place = {"act_bits": lambda c: (-c.act_bits, -c.weight_bits)}.get(
        by, lambda c: (-c.weight_bits, -c.act_bits)
    )
    curves.sort(key=place)
    log = ("distance" in metric or metric == "amplification") if log is None else log
    note = collapse_note(any(c.collapsed for c in curves))
    height = 210 + 34 * len(curves)
    figure = {
        "data": _cells(curves, metric, statistic, log=log),
        "layout": layout(
            height=height,
            key=f"heatmap {metric} {by}",
            hovermode="closest",
            xaxis=layer_axis(curves),
            yaxis={
                **row_axis("Bit-width (bits)", [_row_name(c) for c in curves]),
                "range": [len(curves) - 0.5, -0.5],
            },
            annotations=note_annotation(note),
        ),
    }
    name = curves[0].network
    return Chart(
        figure=go.Figure(figure),
        title=f"{metric.replace('_', ' ').capitalize()} by layer and bit-width",
        how_to_read=f"One row a bit-width of {name}: read a row from left to right through the "
        "network and a column downwards to fewer bits; brighter is larger.",
        formula=FORMULAS[FORMULA_OF.get(metric, "flips" if "flip" in metric else metric)],
        alt=_alt(curves, metric, statistic),
        table=as_shown(rows),
        note=chart_note(curves),
    )


def _of_one_network(curves: Sequence[Curve], network: str | None) -> list[Curve]:
    networks = sorted({c.network for c in curves})
    if network is None and len(networks) != 1:
        raise ChartError(f"a heat map shows one network; found {', '.join(networks) or 'none'}")
    chosen = [c for c in curves if network in (None, c.network)]
    if not chosen:
        raise ChartError(f"no rows of {network}; found {', '.join(networks)}")
    return chosen


def _row_name(curve: Curve) -> str:
    return bits_text(curve.weight_bits, curve.act_bits) + (" (collapsed)" * curve.collapsed)


def _cells(
    curves: Sequence[Curve], metric: str, statistic: str, *, log: bool
) -> list[dict[str, Any]]:
    """Coloured rows, and above them the collapsed ones in greys on the same scale."""
    longest = max(curves, key=lambda c: len(c.layers))
    numbers = [_at_layers(c, longest.layers, statistic) for c in curves]
    values = [[_level(v, log=log) for v in row] for row in numbers]
    finite = [v for row in values for v in row if v is not None]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    traces = []
    for collapsed in (False, True):
        if collapsed not in [c.collapsed for c in curves]:
            continue
        blank = [None] * len(longest.layers)
        traces.append(
            {
                "type": "heatmap",
                "x": layer_positions(longest, curves),
                "y": [_row_name(c) for c in curves],
                "z": [
                    v if c.collapsed == collapsed else blank
                    for c, v in zip(curves, values, strict=True)
                ],
                "customdata": numbers,
                "hoverongaps": False,
                "hovertemplate": "%{x}, %{y}: %{customdata:.3g}<extra></extra>",
                "zmin": low,
                "zmax": high,
                "colorscale": GREYS if collapsed else "Cividis",
                "showscale": not collapsed,
                "colorbar": _colour_bar(low, high, TITLES[metric], log=log),
                "xgap": 1,
                "ygap": 2,
            }
        )
    return traces


def _at_layers(curve: Curve, layers: Sequence[str], statistic: str) -> list[float]:
    """A curve's numbers at these layers; NaN where it has none."""
    found = dict(zip(curve.layers, curve.values(statistic), strict=True))
    return [found.get(layer, math.nan) for layer in layers]


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


def _alt(curves: Sequence[Curve], metric: str, statistic: str) -> str:
    words = []
    for curve in curves:
        last = curve.values(statistic)[-1]
        words.append(f"{_row_name(curve)}: {number(last)} at {curve.layers[-1]}")
    return (
        f"Heat map of the {metric.replace('_', ' ')} ({statistic}) of {curves[0].network}, "
        f"{len(curves[0].layers)} layers by {len(curves)} bit-widths. {'; '.join(words)}."
    )
