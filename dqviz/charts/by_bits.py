"""One number of many trained networks against their bits, a panel a data set and architecture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts.alt import number
from dqviz.charts.axes import stacked, value_axis
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.levels import LEVELS, Level
from dqviz.charts.panels import Domains, panel_title
from dqviz.charts.shares import whiskers
from dqviz.charts.style import SLOTS, layout
from dqviz.specs import FULL_PRECISION

PANEL, FRAME = 235, 130
"""Pixels: the height of a row of panels, and of what stands above and below them."""

ASIDE, SEED_ASIDE = 0.16, 0.045
"""By how much the markers of a curve, and those of a seed, stand beside their bits."""

BITS_TITLE = "Activation bits (bits)"


def by_bits(table: pd.DataFrame, *, where: str = "") -> Chart:
    """A measure against activation bits, a panel a family, a curve a series.

    Args:
        table: rows of ONE measure, one a network and series: columns `measure, series, network,
            family, seed, act_bits, value, low, high, n`; 32 bits are full precision, series are
            drawn in the order of the rows, and intervals may be missing.
        where: the attack and epsilon in words, for the title.

    Raises:
        ChartError: if there are no rows, or several measures.
    """
    if table.empty:
        raise ChartError("none of these networks has this number measured")
    if table["measure"].nunique() > 1 or (measure := table["measure"].iloc[0]) not in LEVELS:
        raise ChartError(
            f"rows of one measure of {', '.join(LEVELS)} are needed; found "
            f"{', '.join(dict.fromkeys(table['measure']))}"
        )
    level = LEVELS[measure]
    families = sorted(set(table["family"]))
    bits = sorted(set(table["act_bits"]), reverse=True)
    places = panel_places(len(families))
    data, axes = [], {}
    for panel, family in enumerate(families):
        suffix = str(panel + 1) if panel else ""
        own = {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
        data += _traces(table, family, bits, first=panel == 0, **own)
        x, y = places[panel]
        lowest = panel + 2 >= len(families)
        axes[f"xaxis{suffix}"] = {
            **_bits_axis(bits, named=lowest),
            "domain": x,
            "anchor": f"y{suffix}",
        }
        axes[f"yaxis{suffix}"] = {**_value_axis(level, table), "domain": y, "anchor": f"x{suffix}"}
    lines = [] if level.line is None else [_level(level.line, n) for n in range(len(families))]
    title = f"{level.title}{f', {where}' if where else ''}"
    seeds = table["seed"].nunique() > 1
    more = "; several markers of a curve are seeds, and it runs through their mean" if seeds else ""
    interval = "; whiskers: 95 % intervals over the images" if table["low"].notna().any() else ""
    return Chart(
        figure=go.Figure(
            data=data,
            layout=layout(
                height=FRAME + PANEL * math.ceil(len(families) / 2),
                key=f"by bits {measure}",
                hovermode="closest",
                shapes=lines,
                annotations=panel_titles(places, families),
                legend={"orientation": "h", "x": 0, "y": 1.06, "yanchor": "bottom"},
                margin={"l": 72, "r": 24, "t": 64, "b": 48},
                **axes,
            ),
        ),
        title=title,
        how_to_read=f"{level.how}{more}{interval}.",
        formula=level.formula,
        alt=f"{title}. {'; '.join(_words(table, bits))}.",
        table=table.reset_index(drop=True),
    )


def panel_places(count: int) -> list[Domains]:
    """Where the panels lie, two a row, the first on top at the left."""
    rows = stacked([1.0] * math.ceil(count / 2), gap=0.14)
    across = [[0.0, 1.0]] if count == 1 else [[0.0, 0.44], [0.56, 1.0]]
    return [(across[place % 2], rows[place // 2]) for place in range(count)]


def panel_titles(places: Sequence[Domains], names: Sequence[str]) -> list[dict[str, Any]]:
    """A title for each panel."""
    return [panel_title(where, name) for where, name in zip(places, names, strict=True)]


def _bits_axis(bits: Sequence[int], *, named: bool) -> dict[str, Any]:
    return {
        "tickmode": "array",
        "tickvals": list(range(len(bits))),
        "ticktext": ["full" if b == FULL_PRECISION else str(b) for b in bits],
        "range": [-0.5, len(bits) - 0.5],
        "title": {"text": BITS_TITLE, "standoff": 6} if named else None,
        "zeroline": False,
        "showgrid": False,
    }


def _value_axis(level: Level, table: pd.DataFrame) -> dict[str, Any]:
    """The same in every panel, so that these can be compared."""
    ends = table[["value", "low", "high"]].to_numpy(float).ravel()
    values = [float(v) for v in ends if math.isfinite(v)]
    values += [] if level.line is None else [level.line]
    if level.log:
        return value_axis(level.axis, values, log=True)
    span = [0.0, min(1.1 * max(values) + 1, 102.0)] if level.percent else _padded(values)
    return value_axis(level.axis, values, log=False, range=span)


def _padded(values: Sequence[float]) -> list[float]:
    pad = 0.06 * (max(values) - min(values)) or 1.0
    return [min(values) - pad, max(values) + pad]


def _level(value: float, panel: int) -> dict[str, Any]:
    """The dotted line of a panel."""
    suffix = str(panel + 1) if panel else ""
    return {
        "type": "line",
        "xref": f"x{suffix} domain",
        "yref": f"y{suffix}",
        **{"x0": 0, "x1": 1, "y0": value, "y1": value},
        "line": {"color": "#85888d", "width": 1, "dash": "dot"},
    }


def _traces(
    table: pd.DataFrame, family: str, bits: Sequence[int], *, first: bool, **axes: str
) -> list[dict[str, Any]]:
    """Of each series the line through the means, and a marker for every network."""
    names = list(dict.fromkeys(table["series"]))
    found = []
    for place, name in enumerate(names):
        rows = table[(table["series"] == name) & (table["family"] == family)]
        rows = rows.sort_values("act_bits", ascending=False)
        shift = ASIDE * (place - (len(names) - 1) / 2)
        means = rows.groupby("act_bits")["value"].mean().sort_index(ascending=False)
        slot = SLOTS[place]
        shared = {"type": "scatter", "name": name, "legendgroup": name, **axes}
        found.append(
            {
                **shared,
                "mode": "lines",
                "x": [bits.index(b) + shift for b in means.index],
                "y": means.tolist(),
                "line": {"color": slot.colour, "dash": slot.dash, "width": 1.6},
                "hoverinfo": "skip",
                "showlegend": False,
            }
        )
        seeds = rows["seed"] - (rows["seed"].max() if len(rows) else 0) / 2
        places = [bits.index(b) for b in rows["act_bits"]]
        value, low, high = (rows[c].tolist() for c in ("value", "low", "high"))
        found.append(
            {
                **shared,
                "mode": "markers",
                "x": [p + shift + SEED_ASIDE * s for p, s in zip(places, seeds, strict=True)],
                "y": value,
                "error_y": whiskers(value, low, high, color=slot.colour, thickness=1, width=3),
                "marker": {"color": slot.colour, "symbol": slot.marker, "size": 8},
                "customdata": rows[["network", "n"]].to_numpy().tolist(),
                "hovertemplate": "%{customdata[0]}: %{y:.4g}, n = %{customdata[1]}"
                f"<extra>{name}</extra>",
                "showlegend": first,
            }
        )
    return found


def _words(table: pd.DataFrame, bits: Sequence[int]) -> list[str]:
    """From the most to the fewest bits of each panel's curves, the mean over the seeds."""
    said = []
    for (family, series), rows in table.groupby(["family", "series"], sort=False):
        means = rows.groupby("act_bits")["value"].mean()
        ends = [b for b in bits if b in means.index]
        told = [
            f"{number(means[b])} at {bits_words(b)}" for b in dict.fromkeys((ends[0], ends[-1]))
        ]
        said.append(f"{family}, {series}: {', '.join(told)}")
    return said


def bits_words(bits: int) -> str:
    """Bits in words: `full precision`, `4 bits`."""
    return "full precision" if bits == FULL_PRECISION else f"{bits} bit{'s' * (bits != 1)}"
