"""One effect, pair by pair of trained networks, and its mean with Student's interval."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts.axes import row_axis
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.shares import whiskers
from dqviz.charts.style import LINE, SLOTS, layout

POINTS, RATIO = "points", "log ratio"
ROW_PIXELS, FRAME_PIXELS = 26, 150
NEUTRAL = {POINTS: 0.0, RATIO: 1.0}
AXES = {POINTS: "Difference (percentage points)", RATIO: "Factor (ratio, logarithmic axis)"}
FORMULA = r"\bar e \pm t_{0.975,\,n-1}\, s_e / \sqrt{n}"


def forest(effects: pd.DataFrame, verdicts: pd.DataFrame, *, title: str) -> Chart:
    """A row a pair of networks, and below them the mean over the pairs, by bit-width.

    Args:
        effects: of ONE claim, columns `training, unit, scale, value, low, high, n`; values are
            points, or natural logarithms of ratios.
        verdicts: of the same claim, columns `training, value, low, high, verdict, larger, pairs`.
        title: what is claimed.

    Raises:
        ChartError: if there is no effect, or several claims are mixed.
    """
    if effects.empty:
        raise ChartError("no pair of networks has this effect measured")
    scales = set(effects["scale"])
    if len(scales) > 1 or effects["claim"].nunique() > 1:
        raise ChartError("these are effects of several claims; choose one of them")
    scale = scales.pop()
    rows = [_pair_row(dict(row), scale) for _, row in effects.iterrows()]
    means = [_mean_row(dict(row), scale) for _, row in verdicts.iterrows() if row["pairs"] > 0]
    names = _order(rows, means)
    figure = go.Figure(
        data=[
            _trace(rows, name="one pair of networks", place=1, symbol="circle", size=9),
            _trace(means, name="mean of the pairs", place=0, symbol="diamond", size=13),
        ],
        layout=layout(
            height=FRAME_PIXELS + ROW_PIXELS * len(names),
            key=f"forest {title}",
            hovermode="closest",
            xaxis={"title": {"text": AXES[scale]}, "type": "log" if scale == RATIO else "linear"},
            yaxis=row_axis("", names),
            shapes=[_line(NEUTRAL[scale])],
        ),
    )
    neutral = "1, no difference" if scale == RATIO else "0, no difference"
    side = "right" if bool(verdicts["larger"].iloc[0]) else "left"
    return Chart(
        figure=figure,
        title=title,
        how_to_read=f"The vertical line is {neutral}: the claim says that the diamonds, with their "
        f"whole whiskers, lie to the {side} of it. Whiskers are 95 % intervals: of a pair over its "
        "images, of a mean over the pairs.",
        formula=FORMULA,
        alt=_alt(title, rows, means, scale),
        table=pd.DataFrame([*rows, *means]),
    )


def _pair_row(row: dict[Any, Any], scale: str) -> dict[str, Any]:
    return {"row": f"{row['training']}, {row['unit']}", **_shown(row, scale), "n": row["n"]}


def _mean_row(row: dict[Any, Any], scale: str) -> dict[str, Any]:
    name = f"{row['training']}, mean of {row['pairs']}: {row['verdict']}"
    return {"row": name, **_shown(row, scale), "n": row["pairs"]}


def _shown(row: dict[Any, Any], scale: str) -> dict[str, float]:
    shown = math.exp if scale == RATIO else float
    return {name: shown(float(row[name])) for name in ("value", "low", "high")}


def _order(rows: list[dict[str, Any]], means: list[dict[str, Any]]) -> list[str]:
    """The pairs of a bit-width, then their mean."""
    names = list(dict.fromkeys(row["row"] for row in rows))
    for mean in means:
        training = mean["row"].split(",")[0]
        own = [place for place, name in enumerate(names) if name.split(",")[0] == training]
        names.insert(own[-1] + 1 if own else len(names), mean["row"])
    return names


def _trace(
    rows: list[dict[str, Any]], *, name: str, place: int, symbol: str, size: int
) -> dict[str, Any]:
    columns = {key: [row[key] for row in rows] for key in ("row", "value", "low", "high", "n")}
    colour = SLOTS[place].colour
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": columns["value"],
        "y": columns["row"],
        "error_x": whiskers(
            columns["value"], columns["low"], columns["high"], color=colour, thickness=2, width=6
        ),
        "marker": {"color": colour, "symbol": symbol, "size": size},
        "customdata": list(zip(columns["low"], columns["high"], columns["n"], strict=True)),
        "hovertemplate": "%{y}: %{x:.3g} (%{customdata[0]:.3g} to %{customdata[1]:.3g}), "
        "n = %{customdata[2]}<extra></extra>",
    }


def _line(x: float) -> dict[str, Any]:
    """A vertical line through all rows."""
    return {
        **{"type": "line", "xref": "x", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": 1},
        "line": {"color": LINE, "width": 1.5, "dash": "dot"},
    }


def _alt(title: str, rows: list[dict[str, Any]], means: list[dict[str, Any]], scale: str) -> str:
    unit = " times" if scale == RATIO else " points"
    said = [f"{row['row']}: {row['value']:.3g}{unit}" for row in [*rows, *means]]
    return f"{title} {'; '.join(said)}."
