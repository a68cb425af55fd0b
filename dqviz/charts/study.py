"""One number of many experiments against one of their settings, a curve for each of the others."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts.alt import number
from dqviz.charts.axes import legend_room
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.study_rows import (
    SHARES,
    Mean,
    formula_of,
    mean_over_seeds,
    spread_widely,
    study_rows,
    title_of,
    unit_of,
)
from dqviz.charts.style import GREY, bits_dash, bits_marker, layout, network_styles
from dqviz.charts.tidy import (
    ATTACK_NAMES,
    as_shown,
    bits_text,
    collapse_note,
    epsilon_text,
    short_networks,
)
from dqviz.specs import FULL_PRECISION

SETTINGS = {
    "epsilon": "Epsilon (grey levels of 255)",
    "act_bits": "Activation bits (32: full precision)",
    "weight_bits": "Weight bits (32: full precision)",
    "n_samples": "Images (number)",
}
"""What may stand on the horizontal axis, and its title."""

TELLING = (
    *("model", "weights", "weight_bits", "act_bits", "attack", "epsilon", "data", "n_samples"),
    "crafted_on",
)
"""What tells curves apart; runs that differ in the seed alone are one curve."""

DASHES = ("solid", "9px,4px", "3px,3px", "10px,3px,2px,3px", "16px,4px", "6px,2px,2px,2px,2px,2px")
FILLINGS = ("", "-open", "-dot", "-open-dot")
"""What tells apart the curves of one network that differ in more than their bits."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Point(Mean):
    """The mean over the seeds at one setting."""

    x: float


@dataclasses.dataclass(frozen=True)
class StudyCurve:
    """The points of runs that share all settings but the one on the axis and the seed."""

    settings: Mapping[str, Any]
    points: tuple[Point, ...]
    collapsed: bool

    @property
    def network(self) -> str:
        """MODEL/WEIGHTS."""
        return f"{self.settings['model']}/{self.settings['weights']}"


def study_curves(
    table: pd.DataFrame,
    *,
    metric: str,
    against: str = "epsilon",
    layer: str = "network",
    statistic: str = "value",
    height: int = 460,
) -> Chart:
    """A metric of many experiments against a setting.

    Args:
        table: tidy rows of any number of experiments, with `seed`, `data` and `crafted_on`.
        metric: one of the table's.
        against: the setting on the horizontal axis, one of `SETTINGS`.
        layer: the layer that the metric is of, `logits`, or `network`.
        statistic: over the images; `value` for what has only one.
        height: of the figure, in pixels; more where the legend is long.

    Raises:
        ChartError: if the table has no such rows, naming what it has.
    """
    if against not in SETTINGS:
        raise ChartError(f"against must be one of {', '.join(SETTINGS)}; got {against!r}")
    rows = study_rows(table, metric, statistic, layer=layer)
    curves = read_study(rows, against=against, statistic=statistic)
    names = study_names(curves, against=against)
    share, (scale, unit) = metric in SHARES, unit_of(metric)
    log = not share and spread_widely(p.value for c in curves for p in c.points)
    note = collapse_note(any(curve.collapsed for curve in curves))
    title = title_of(metric)
    where = "" if layer == "network" else f" at {layer}"
    figure = {
        "data": [
            _trace(curve, name, curves, scale=scale, against=against)
            for curve, name in zip(curves, names, strict=True)
        ],
        "layout": layout(
            height=height + legend_room(len(curves)),
            key=f"study {metric} {against}",
            hovermode="closest",
            xaxis={"title": {"text": SETTINGS[against]}, **_x_axis(curves, against)},
            yaxis={
                "title": {"text": f"{title}{where}"},
                "type": "log" if log else "linear",
                **({"range": [0, 102]} if share else {}),
                "automargin": True,
            },
        ),
    }
    intervals = any(math.isfinite(point.low) for curve in curves for point in curve.points)
    return Chart(
        figure=go.Figure(figure),
        title=f"{title.partition(' (')[0]}{where} against {SETTINGS[against].partition(' (')[0]}",
        how_to_read=_how_to_read(curves, against, intervals=intervals),
        formula=FORMULAS[formula_of(metric)],
        alt=_alt(title, curves, names, against, scale=scale, unit=unit),
        table=as_shown(rows),
        note=note,
    )


def read_study(
    rows: pd.DataFrame, *, against: str = "epsilon", statistic: str = "value"
) -> list[StudyCurve]:
    """The curves in rows of one metric and layer, in the order of the rows."""
    telling = [name for name in TELLING if name != against]
    curves = []
    for settings, part in rows.groupby(telling, sort=False, dropna=False):
        places = sorted(set(part[against].dropna()))
        means = [(x, mean_over_seeds(part[part[against] == x], statistic)) for x in places]
        points = tuple(Point(x=float(x), **vars(mean)) for x, mean in means)
        if points:
            named = dict(zip(telling, settings, strict=True))
            curves.append(StudyCurve(named, points, bool(part["collapsed"].all())))
    return curves


def study_names(curves: Sequence[StudyCurve], *, against: str) -> list[str]:
    """A name a curve: its network, and whatever else differs between the curves."""
    short = short_networks(curve.network for curve in curves)
    telling = [n for n in TELLING if n not in ("model", "weights", against)]
    differs = [n for n in telling if len({str(c.settings[n]) for c in curves}) > 1]
    names = []
    for curve in curves:
        parts = [short[curve.network]]
        if {"weight_bits", "act_bits"} & set(differs):
            parts.append(bits_text(*_bits(curve)))
        parts += [_words(n, curve.settings[n]) for n in differs if not n.endswith("_bits")]
        names.append(", ".join(parts) + (" (collapsed)" if curve.collapsed else ""))
    return names


def _trace(
    curve: StudyCurve, name: str, curves: Sequence[StudyCurve], *, scale: float, against: str
) -> dict[str, Any]:
    style = network_styles(c.network for c in curves)[curve.network]
    colour = GREY if curve.collapsed else style.colour
    dash, symbol = _dash_and_symbol(curve, curves, style.marker)
    values = [scale * p.value for p in curve.points]
    above = [scale * (p.high - p.value) for p in curve.points]
    below = [scale * (p.value - p.low) for p in curve.points]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": [_place(p.x, against) for p in curve.points],
        "y": [v if math.isfinite(v) else None for v in values],
        "error_y": {"type": "data", "array": above, "arrayminus": below, "thickness": 1.2},
        "line": {"color": colour, "width": 2, "dash": dash},
        "marker": {"symbol": symbol, "size": 8, "color": colour},
        "customdata": [point.address for point in curve.points],
        "hovertemplate": f"%{{y:.3g}} at %{{x}}<extra>{name}</extra>",
    }


def _dash_and_symbol(
    curve: StudyCurve, curves: Sequence[StudyCurve], marker: str
) -> tuple[str, str]:
    """By bits as everywhere, unless two of a network's curves would look alike."""
    own = [other for other in curves if other.network == curve.network]
    looks = [(bits_dash(*_bits(c)), bits_marker(marker, *_bits(c))) for c in own]
    if len(set(looks)) == len(own):
        return looks[own.index(curve)]
    rank = own.index(curve)
    return DASHES[rank % len(DASHES)], marker + FILLINGS[rank % len(FILLINGS)]


def _bits(curve: StudyCurve) -> list[int]:
    return [int(curve.settings.get(name, FULL_PRECISION)) for name in ("weight_bits", "act_bits")]


def _x_axis(curves: Sequence[StudyCurve], against: str) -> dict[str, Any]:
    places = sorted({point.x for curve in curves for point in curve.points})
    if against.endswith("_bits"):  # fewer bits to the right, as the network gets cheaper
        return {"type": "category", "categoryarray": [f"{x:.0f}" for x in reversed(places)]}
    return {"type": "linear", "rangemode": "tozero"}


def _place(x: float, against: str) -> float | str:
    if against.endswith("_bits"):
        return f"{x:.0f}"
    return 255 * x if against == "epsilon" else x


def _words(name: str, value: Any) -> str:
    if name == "attack":
        return ATTACK_NAMES.get(str(value), str(value))
    if name == "epsilon":
        return epsilon_text(float(value))
    return f"{value} images" if name == "n_samples" else str(value)


def _how_to_read(curves: Sequence[StudyCurve], against: str, *, intervals: bool) -> str:
    runs = max(point.runs for curve in curves for point in curve.points)
    what = f"the mean of up to {runs} seeds" if runs > 1 else "one run"
    text = f"Each point is {what} at one setting of {SETTINGS[against].partition(' (')[0].lower()}"
    return f"{text}{', its whisker the 95 % interval' if intervals else ''}."


def _alt(
    title: str,
    curves: Sequence[StudyCurve],
    names: Sequence[str],
    against: str,
    *,
    scale: float,
    unit: str,
) -> str:
    words = []
    for curve, name in zip(curves, names, strict=True):
        first, last = curve.points[0], curve.points[-1]
        ends = [f"{number(scale * p.value, unit)} at {_place(p.x, against)}" for p in (first, last)]
        words.append(f"{name}: {' to '.join(dict.fromkeys(ends))}")
    return f"Line chart of {title} against {SETTINGS[against]}. {'; '.join(words)}."
