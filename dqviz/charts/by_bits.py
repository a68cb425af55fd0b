"""One number of many trained networks against their bits, a panel a data set and architecture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts.alt import number
from dqviz.charts.axes import value_axis
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.family_panels import axes_of, named_once, panels_layout
from dqviz.charts.levels import LEVELS, Level
from dqviz.charts.shares import whiskers
from dqviz.charts.style import GREY, SLOTS, NetworkStyle
from dqviz.charts.tidy import bits_words, collapse_note
from dqviz.specs import FULL_PRECISION

ASIDE, SEED_ASIDE = 0.16, 0.045
"""By how much the markers of a curve, and those of a seed, stand beside their bits."""

BITS_TITLE = "Activation bits (bits)"


def by_bits(table: pd.DataFrame, *, where: str = "") -> Chart:
    """A measure against activation bits, a panel a family, a curve a series.

    Args:
        table: rows of ONE measure, one a network and series: columns `measure, series, network,
            family, seed, act_bits, value, low, high, n, collapsed`; 32 bits are full precision,
            series are drawn in the order of the rows, and intervals may be missing.
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
    level, bits = LEVELS[measure], sorted(set(table["act_bits"]), reverse=True)
    families = sorted(set(table["family"]))
    note = collapse_note(bool(table["collapsed"].any()))
    title = f"{level.title}{f', {where}' if where else ''}"
    return Chart(
        figure=go.Figure(
            data=named_once(
                trace
                for place, family in enumerate(families)
                for trace in _traces(table, family, bits, **axes_of(place))
            ),
            layout=panels_layout(
                families,
                key=f"by bits {measure}",
                x=_bits_axis(bits),
                y=_value_axis(level, table),
                line=level.line,
                note=note,
            ),
        ),
        title=title,
        how_to_read=f"{level.how}{_markers_words(table)}.",
        formula=level.formula,
        alt=f"{title}. {'; '.join(_words(table, bits))}.",
        table=table.reset_index(drop=True),
        note=note,
    )


def _markers_words(table: pd.DataFrame) -> str:
    """What several markers and whiskers mean, where there are any."""
    seeds = "; several markers of a curve are seeds, and it runs through their mean"
    whiskers = "; whiskers: 95 % intervals over the images"
    told = (seeds, table["seed"].nunique() > 1), (whiskers, table["low"].notna().any())
    return "".join(words for words, there in told if there)


def _bits_axis(bits: Sequence[int]) -> dict[str, Any]:
    return {
        "tickmode": "array",
        "tickvals": list(range(len(bits))),
        "ticktext": ["full" if b == FULL_PRECISION else str(b) for b in bits],
        "range": [-0.5, len(bits) - 0.5],
        "title": {"text": BITS_TITLE, "standoff": 6},
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


def _traces(
    table: pd.DataFrame, family: str, bits: Sequence[int], **axes: str
) -> list[dict[str, Any]]:
    """Of each series the line through the means, and a marker for every network."""
    names = list(dict.fromkeys(table["series"]))
    found = []
    for place, name in enumerate(names):
        rows = table[(table["series"] == name) & (table["family"] == family)]
        shift = ASIDE * (place - (len(names) - 1) / 2)
        shared = {"type": "scatter", "name": name, "legendgroup": name, **axes}
        found.append({**shared, **_line(rows, bits, SLOTS[place], shift)})
        markers = _markers(rows.sort_values("act_bits", ascending=False), bits, SLOTS[place], shift)
        extra = f"<extra>{name}</extra>"
        markers["hovertemplate"] = f"%{{customdata[0]}}: %{{y:.4g}}, n = %{{customdata[1]}}{extra}"
        found.append({**shared, **markers})
    return found


def _line(
    rows: pd.DataFrame, bits: Sequence[int], slot: NetworkStyle, shift: float
) -> dict[str, Any]:
    """Through the means of what has not collapsed."""
    kept = rows[~rows["collapsed"].astype(bool)]
    means = kept.groupby("act_bits")["value"].mean().sort_index(ascending=False)
    return {
        "mode": "lines",
        "x": [bits.index(b) + shift for b in means.index],
        "y": means.tolist(),
        "line": {"color": slot.colour, "dash": slot.dash, "width": 1.6},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _markers(
    rows: pd.DataFrame, bits: Sequence[int], slot: NetworkStyle, shift: float
) -> dict[str, Any]:
    """A network each, seeds side by side, grey where it has collapsed."""
    middle = (rows["seed"].max() if len(rows) else 0) / 2
    value, low, high = (rows[c].tolist() for c in ("value", "low", "high"))
    colours = [GREY if gone else slot.colour for gone in rows["collapsed"]]
    return {
        "mode": "markers",
        "x": [
            bits.index(b) + shift + SEED_ASIDE * (seed - middle)
            for b, seed in zip(rows["act_bits"], rows["seed"], strict=True)
        ],
        "y": value,
        "error_y": whiskers(value, low, high, color=slot.colour, thickness=1, width=3),
        "marker": {"color": colours, "symbol": slot.marker, "size": 8},
        "customdata": rows[["network", "n"]].to_numpy().tolist(),
    }


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
