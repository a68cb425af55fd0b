"""One metric of one network over layers and bit-widths at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts.alt import number
from dqviz.charts.axes import layer_axis, layer_positions, note_annotation, row_axis
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS, TITLES
from dqviz.charts.heat_cells import Cells, heat_traces, span_of
from dqviz.charts.notes import chart_note
from dqviz.charts.style import layout
from dqviz.charts.tidy import Curve, as_shown, bits_text, collapse_note, read_curves, select
from dqviz.specs import CONTROLS

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
    curves.sort(key=by_bits(by))
    log = ("distance" in metric or metric == "amplification") if log is None else log
    note = collapse_note(any(c.collapsed for c in curves))
    height = 210 + 34 * len(curves)
    cells = curve_cells(curves, statistic)
    span = span_of((v for row in cells.numbers for v in row), log=log)
    figure = {
        "data": heat_traces(cells, TITLES[metric], span, log=log),
        "layout": layout(
            height=height,
            key=f"heatmap {metric} {by}",
            hovermode="closest",
            xaxis=layer_axis(curves),
            yaxis={
                **row_axis("Bit-width (bits)", [row_name(c) for c in curves]),
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


def row_name(curve: Curve) -> str:
    """A row's bits, and that it has collapsed."""
    return bits_text(curve.weight_bits, curve.act_bits) + (" (collapsed)" * curve.collapsed)


def curve_cells(curves: Sequence[Curve], statistic: str) -> Cells:
    """The curves of one network as the rows of a heat map, its layers across."""
    longest = max(curves, key=lambda c: len(c.layers))
    return Cells(
        columns=layer_positions(longest, curves),
        names=[row_name(c) for c in curves],
        numbers=[at_layers(c, longest.layers, statistic) for c in curves],
        collapsed=[c.collapsed for c in curves],
    )


def at_layers(curve: Curve, layers: Sequence[str], statistic: str) -> list[float]:
    """A curve's numbers at these layers; NaN where it has none."""
    found = dict(zip(curve.layers, curve.values(statistic), strict=True))
    return [found.get(layer, math.nan) for layer in layers]


def by_bits(by: str) -> Callable[[Curve], tuple[int, int]]:
    """What sorts curves by their activation or weight bits, most bits first."""
    first, second = ("weight_bits", "act_bits") if by == "weight_bits" else BITS
    return lambda curve: (-getattr(curve, first), -getattr(curve, second))


def _alt(curves: Sequence[Curve], metric: str, statistic: str) -> str:
    words = []
    for curve in curves:
        last = curve.values(statistic)[-1]
        words.append(f"{row_name(curve)}: {number(last)} at {curve.layers[-1]}")
    return (
        f"Heat map of the {metric.replace('_', ' ')} ({statistic}) of {curves[0].network}, "
        f"{len(curves[0].layers)} layers by {len(curves)} bit-widths. {'; '.join(words)}."
    )
