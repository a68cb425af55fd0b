"""The distance between clean and perturbed activations, layer by layer: the main chart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts import alt
from dqviz.charts.axes import layer_axis, legend_above, note_annotation, value_axis
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS, TITLES
from dqviz.charts.notes import chart_note
from dqviz.charts.style import TEXT, layout
from dqviz.charts.tidy import (
    Curve,
    as_shown,
    collapse_note,
    curve_names,
    epsilon_text,
    epsilons,
    read_curves,
    select,
)
from dqviz.charts.traces import colour_of, curve_band, curve_line, line_style, styles_of
from dqviz.specs import CONTROLS

METRICS = ("relative_distance", "relative_distance_centred", "amplification")
NAMES = {
    "relative_distance": "Distance by layer",
    "relative_distance_centred": "Centred distance by layer",
    "amplification": "Amplification by layer",
}
CENTRES = ("median", "mean")


def distance_by_layer(
    table: pd.DataFrame,
    *,
    metric: str = "relative_distance",
    statistic: str = "median",
    epsilon: float | None = None,
    band: bool = True,
    controls: bool = True,
    log_y: bool = True,
    compact: bool = False,
    height: int | None = None,
) -> Chart:
    """How far perturbed activations are from clean ones, one curve a network and bit-width.

    Args:
        table: tidy rows of amplification experiments.
        metric: one of `METRICS` (ratios without a unit).
        statistic: over the images, `median` or `mean`.
        epsilon: pixel units; needed where the table holds several.
        band: shade from the 10 to the 90 % quantile of each attack's curve.
        controls: draw the matched controls, thin and dotted.
        log_y: logarithmic vertical axis.
        compact: fewer labels and a smaller figure, for an overview.
        height: pixels.

    Raises:
        ChartError: if there is nothing to draw or a choice is unknown.
    """
    _check(metric, statistic)
    rows = _rows(table, metric, statistic, epsilon, controls=controls)
    curves = read_curves(rows)
    height = height or (320 if compact else 470)
    note = collapse_note(any(c.collapsed for c in curves))
    names = curve_names(curves)
    figure = {
        "data": _traces(curves, names, statistic, band=band, log=log_y, small=compact),
        "layout": layout(
            height=height,
            key=f"distance {metric} {log_y}",
            xaxis=layer_axis(curves, compact=compact),
            yaxis=value_axis(TITLES[metric], _values(curves, statistic, band=band), log=log_y),
            legend=legend_above(note, height),
            annotations=note_annotation(note),
        ),
    }
    return _chart(go.Figure(figure), rows, curves, names, metric=metric, statistic=statistic)


def distance_animation(
    table: pd.DataFrame,
    *,
    metric: str = "relative_distance",
    statistic: str = "median",
    epsilon: float | None = None,
    controls: bool = False,
    log_y: bool = True,
    height: int = 560,
) -> Chart:
    """`distance_by_layer` for every epsilon of the table, with a play button.

    `epsilon` (pixel units) is the one shown at first, the largest by default; each frame names its
    own above the plot. The vertical axis holds all epsilons, so nothing jumps.
    """
    _check(metric, statistic)
    steps = [e for e in epsilons(table) if e > 0]
    if len(steps) < 2:
        raise ChartError(
            f"an animation needs two epsilons above 0 or more, and so far there is {len(steps)}"
        )
    start = max(steps) if epsilon is None else min(steps, key=lambda e: abs(e - epsilon))
    chosen = table[table["metric"] == metric]
    rows = {e: _rows(chosen, metric, statistic, e, controls=controls) for e in steps}
    curves = {e: read_curves(rows[e]) for e in steps}
    if len({tuple((*c.key, c.attack) for c in each) for each in curves.values()}) > 1:
        raise ChartError("the animation needs the same curves at every epsilon")
    names = curve_names(curves[start])
    values = [v for each in curves.values() for v in _values(each, statistic, band=True)]
    drawn = {e: _traces(each, names, statistic, band=True, log=log_y) for e, each in curves.items()}
    note = collapse_note(any(c.collapsed for c in curves[start]))
    figure = go.Figure(
        {
            "data": drawn[start],
            "layout": layout(
                height=height,
                key=f"animation {metric} {log_y}",
                xaxis=layer_axis(curves[start]),
                yaxis=value_axis(TITLES[metric], values, log=log_y),
                legend=legend_above("epsilon", height - 110),
                annotations=_epsilon_and_note(start, note),
                updatemenus=[_play_button()],
            ),
            "frames": [
                {
                    "name": epsilon_text(e),
                    "data": [{"x": t["x"], "y": t["y"]} for t in traces],
                    "layout": {"annotations": _epsilon_and_note(e, note)},
                }
                for e, traces in drawn.items()
            ],
        }
    )
    every = pd.concat(list(rows.values()))
    chart = _chart(figure, rows[start], curves[start], names, metric=metric, statistic=statistic)
    return Chart(
        figure=figure,
        title=f"{chart.title}, epsilon by epsilon",
        how_to_read="Press play: the perturbation grows from frame to frame; " + _SENTENCE,
        formula=chart.formula,
        alt=f"Animation over {len(steps)} epsilons from {epsilon_text(steps[0])} to "
        f"{epsilon_text(steps[-1])}, shown at {epsilon_text(start)}. {chart.alt}",
        table=as_shown(every),
        note=chart_note([c for each in curves.values() for c in each]),
    )


def _epsilon_and_note(epsilon: float, note: str) -> list[dict[str, Any]]:
    """The frame's epsilon on the right above the plot, after the note on the left."""
    text = f"<b>epsilon {epsilon_text(epsilon)}</b>"
    place = {"xref": "paper", "yref": "paper", "x": 1, "y": 1, "xanchor": "right"}
    shown = {**place, "yanchor": "bottom", "text": text, "showarrow": False, "font": {"size": 15}}
    return [*note_annotation(note), shown]


_SENTENCE = (
    "a curve that rises from left to right means that the perturbation grows on its way through "
    "the network."
)


def _check(metric: str, statistic: str) -> None:
    if metric not in METRICS:
        raise ChartError(f"the metric must be one of {', '.join(METRICS)}; got {metric!r}")
    if statistic not in CENTRES:
        raise ChartError(f"the statistic must be one of {', '.join(CENTRES)}; got {statistic!r}")


def _rows(
    table: pd.DataFrame, metric: str, statistic: str, epsilon: float | None, *, controls: bool
) -> pd.DataFrame:
    rows = select(table, metric, epsilon=epsilon)
    rows = rows[rows["statistic"].isin([statistic, "q10", "q90", "nan_count"])]
    return rows if controls else rows[~rows["attack"].isin(CONTROLS)]


def _values(curves: Sequence[Curve], statistic: str, *, band: bool) -> list[float]:
    values = [v for c in curves for v in c.values(statistic)]
    if band:
        shaded = [c for c in curves if not c.is_control]
        values += [v for c in shaded for name in ("q10", "q90") for v in c.values(name)]
    return values


def _traces(
    curves: Sequence[Curve],
    names: Sequence[str],
    statistic: str,
    *,
    band: bool,
    log: bool,
    small: bool = False,
) -> list[dict[str, Any]]:
    """Bands first, so that no band covers a line."""
    styles = styles_of(curves)
    bands = [
        curve_band(c, curves, colour=colour_of(c, styles), log=log)
        for c in curves
        if band and not c.is_control
    ]
    lines = [
        curve_line(
            c,
            curves,
            name=name,
            statistic=statistic,
            log=log,
            style=line_style(c, styles, small=small),
        )
        for c, name in zip(curves, names, strict=True)
    ]
    return bands + _one_entry_a_control(lines, curves)


def _one_entry_a_control(
    lines: Sequence[dict[str, Any]], curves: Sequence[Curve]
) -> list[dict[str, Any]]:
    """The lines with a single entry in the legend for each kind of control."""
    seen: set[str] = set()
    entries = []
    for line, curve in zip(lines, curves, strict=True):
        entries.append({**line, "showlegend": curve.attack not in seen})
        seen |= {curve.attack} if curve.is_control else set()
    return entries


def _chart(
    figure: go.Figure,
    rows: pd.DataFrame,
    curves: Sequence[Curve],
    names: Sequence[str],
    *,
    metric: str,
    statistic: str,
) -> Chart:
    what = f"Line chart of the {metric.replace('_', ' ')} by layer, {statistic} over the images"
    return Chart(
        figure=figure,
        title=NAMES[metric],
        how_to_read=f"Each point is the {statistic} over the images; " + _SENTENCE,
        formula=FORMULAS[metric],
        alt=alt.curves_alt(what, curves, names, statistic=statistic),
        table=as_shown(rows),
        note=chart_note(curves),
    )


def _play_button() -> dict[str, Any]:
    """Play and pause, below the axis title; only a redrawn frame changes what stands above."""
    timing = {"frame": {"duration": 600, "redraw": True}, "transition": {"duration": 250}}
    play = {"label": "▶ Play", "method": "animate", "args": [None, {**timing, "fromcurrent": True}]}
    stop = {"label": "❚❚ Pause", "method": "animate"}
    stop["args"] = [[None], {"mode": "immediate", "frame": {"duration": 0, "redraw": False}}]  # type: ignore[assignment]
    return {
        "type": "buttons",
        "direction": "left",
        "buttons": [play, stop],
        "x": 0,
        "y": 0,
        "xanchor": "left",
        "yanchor": "top",
        "pad": {"t": 118, "r": 10},
        "showactive": False,
        "bgcolor": "rgba(128,132,140,0.2)",
        "bordercolor": "rgba(128,132,140,0.65)",
        "font": {"color": TEXT},
    }
