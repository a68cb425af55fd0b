"""What robustness costs: accuracy under attack against bit operations or bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts.alt import number
from dqviz.charts.axes import legend_above, note_annotation, value_axis
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.efficiency_points import COSTS, Placed, cost_rows, decades, placed_points
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.pareto import pareto_front
from dqviz.charts.study_rows import (
    SHARES,
    require_alike,
    study_rows,
    title_of,
    under,
)
from dqviz.charts.style import GREY, TEXT, bits_marker, layout, network_styles
from dqviz.charts.tidy import as_shown, bits_text, collapse_note, short_networks

LABEL_WIDE, LABEL_TALL = 0.08, 0.06
"""How much room a label takes, in shares of the panel."""


def efficiency_plane(
    table: pd.DataFrame,
    *,
    cost: str = "bit_operations",
    metric: str = "robust_accuracy",
    attack: str | None = None,
    epsilon: float | None = None,
    height: int = 480,
) -> Chart:
    """Accuracy against cost, a point for each network and bit-width, and their Pareto front.

    A network's cost is looked up in any row of the table, since no attack changes it. Collapsed
    networks are drawn in grey and are not part of the front.

    Args:
        table: tidy rows of the metric and of the cost; controls are left out.
        cost: `bit_operations` or `weight_bytes`.
        metric: `robust_accuracy`, `clean_accuracy` or `robust_accuracy_uint8`.
        attack: needed where the table holds several.
        epsilon: pixel units; needed where the table holds several.
        height: of the figure, in pixels.

    Raises:
        ChartError: if rows are missing, or mix what cannot stand side by side.
    """
    if cost not in COSTS or metric not in SHARES:
        raise ChartError(
            f"cost must be one of {', '.join(COSTS)} and the metric one of {', '.join(SHARES)}; "
            f"got {cost!r} and {metric!r}"
        )
    rows = under(
        study_rows(table, metric, "value", layer="network"), attack=attack, epsilon=epsilon
    )
    require_alike(rows, "accuracies")
    points, unknown = placed_points(rows, table, cost)
    if not points:
        raise ChartError(f"none of these networks has a number of {cost!r}")
    judged = [p for p in points if not p.collapsed]
    front = [
        judged[i] for i in pareto_front([p.cost for p in judged], [p.accuracy for p in judged])
    ]
    missing = f"Without {cost.replace('_', ' ')}, not drawn: {', '.join(unknown)}."
    note = " ".join([collapse_note(len(judged) < len(points)), missing * bool(unknown)]).strip()
    words, title = COSTS[cost][0].partition(" (")[0], title_of(metric)
    return Chart(
        figure=_figure(points, front, x=COSTS[cost][0], y=title, height=height, note=note),
        title=f"{title.partition(' (')[0]} against {words.lower()}",
        how_to_read="Each point is a network at its bits, its whisker the 95 % interval; on the "
        "ringed ones, joined by a line, no other is at once as cheap and as accurate (whiskers "
        "not considered; those of equal cost stand side by side).",
        formula=FORMULAS[cost],
        alt=_alt(points, front, words, title),
        table=as_shown(pd.concat([rows, cost_rows(table, rows, cost)])),
        note=note,
    )


def _figure(
    points: Sequence[Placed], front: Sequence[Placed], *, x: str, y: str, height: int, note: str
) -> go.Figure:
    short = short_networks(p.network for p in points)
    groups = dict.fromkeys((p.network, p.collapsed) for p in points)
    traces = [
        _trace([p for p in points if (p.network, p.collapsed) == group], short)
        for group in sorted(groups)
    ]
    highest = max((p.high for p in points if math.isfinite(p.high)), default=100.0)
    top = max([highest, *[p.accuracy + 6 for p in front]])
    figure = layout(
        height=height,
        key=f"plane {x} {y}",
        hovermode="closest",
        xaxis=_cost_axis(points, x),
        yaxis={"title": {"text": y}, "range": [0, min(102, 1.04 * top)], "automargin": True},
        legend=legend_above(note, height),
        annotations=note_annotation(note),
    )
    return go.Figure({"data": [_front(front, points), *traces], "layout": figure})


def _cost_axis(points: Sequence[Placed], title: str) -> dict[str, Any]:
    """Logarithmic, with room for the labels left of their points."""
    costs, wide = [p.cost for p in points], decades(points)
    middle = math.sqrt(min(costs) * max(costs))
    ends = [middle * 10 ** (share * wide) for share in (-0.6, 0.5)]
    return value_axis(f"{title}, logarithmic", ends, log=True)


def _trace(points: Sequence[Placed], short: dict[str, str]) -> dict[str, Any]:
    network, collapsed = points[0].network, points[0].collapsed
    style = network_styles(short)[network]
    colour = GREY if collapsed else style.colour
    name = short[network] + " (collapsed)" * collapsed
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [p.x for p in points],
        "y": [p.accuracy if math.isfinite(p.accuracy) else None for p in points],
        "error_y": {
            "type": "data",
            "array": [p.high - p.accuracy for p in points],
            "arrayminus": [p.accuracy - p.low for p in points],
            "thickness": 1.2,
            "color": colour,
        },
        "marker": {
            "symbol": [bits_marker(style.marker, *p.bits) for p in points],
            "size": 7 if collapsed else 10,
            "color": colour,
        },
        "customdata": [p.mean.address for p in points],
        "text": [_said(p) for p in points],
        "hovertemplate": f"%{{text}}: %{{y:.3g}} %<extra>{name}</extra>",
    }


def _said(point: Placed) -> str:
    seeds = f", {point.mean.runs} seeds" if point.mean.runs > 1 else ""
    return f"{bits_text(*point.bits)}{seeds}, cost {number(point.cost)}"


def _front(front: Sequence[Placed], points: Sequence[Placed]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers+text",
        "name": "Pareto front",
        "x": [p.x for p in front],
        "y": [p.accuracy for p in front],
        "text": _labels(front, points),
        "textposition": "top left",
        "textfont": {"size": 12},
        "cliponaxis": False,
        "line": {"color": TEXT, "width": 1.5, "dash": "4px,3px"},
        "marker": {"symbol": "circle-open", "size": 19, "color": TEXT, "line": {"width": 1.5}},
        "hoverinfo": "skip",
    }


def _labels(front: Sequence[Placed], points: Sequence[Placed]) -> list[str]:
    """The bits of each point of the front, unless they would be written over the last ones."""
    wide = decades(points)
    tall = max((p.accuracy for p in points if math.isfinite(p.accuracy)), default=0.0) or 1.0
    labels: list[str] = []
    last = (-math.inf, -math.inf)
    for p in front:
        place = math.log10(p.cost) / wide, p.accuracy / tall
        free = place[0] - last[0] > LABEL_WIDE or place[1] - last[1] > LABEL_TALL
        labels.append(bits_text(*p.bits) if free else "")
        last = place if free else last
    return labels


def _alt(points: Sequence[Placed], front: Sequence[Placed], words: str, title: str) -> str:
    short = short_networks(p.network for p in points)
    ends = [
        f"{short[p.network]} {bits_text(*p.bits)}: {number(p.accuracy, ' %')} at {number(p.cost)}"
        for p in front
    ]
    return (
        f"Scatter chart of {title} against {words.lower()}, {len(points)} points. "
        f"On the Pareto front: {'; '.join(ends) or 'none'}."
    )
