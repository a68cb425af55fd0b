"""Noise into a quantizer against noise out of it: is there a size below which it is removed?"""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts.alt import number
from dqviz.charts.axes import level_line, value_axis
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.quantizer import ELEMENT_WORDS
from dqviz.charts.style import SLOTS, layout
from dqviz.charts.tidy import bits_words

HEIGHT = 420
KINDS = {
    "measured, L2": ("noise_in", "noise_out", 0),
    "predicted, L2": ("noise_in", "predicted", 2),
    "measured, L1": ("noise_in_l1", "noise_out_l1", 1),
}
"""What goes in, what comes out, and the slot of its markers."""

FEWEST = 8
"""With fewer quantizers than these nothing is said of a turning point."""


def turning_point(table: pd.DataFrame, *, bits: int, elements: str = "all") -> Chart:
    """The gain of every quantizer at these bits against the noise that goes in.

    Args:
        table: columns `family, act_bits, epsilon, elements, layer, noise_in, noise_out, predicted,
            noise_in_l1, noise_out_l1`, noise relative to the length of the quantizer's input.
        bits: of the activations.
        elements: one of `dqviz.charts.quantizer.ELEMENTS`.

    Raises:
        ChartError: if there are no such quantizers.
    """
    rows = table
    if len(table):
        rows = table[(table["act_bits"] == bits) & (table["elements"] == elements)]
    if rows.empty:
        raise ChartError(f"no quantizers of {bits} bits were measured on {elements} elements")
    gains = {name: _gain(rows, name) for name in KINDS}
    figure = go.Figure(
        data=[_trace(rows, gains[name], name) for name in KINDS],
        layout=layout(
            height=HEIGHT,
            key=f"turning point {elements}",
            hovermode="closest",
            shapes=[level_line(1.0)],
            xaxis=value_axis(
                "Noise in / length of the input (ratio)",
                [*rows["noise_in"], *rows["noise_in_l1"]],
                log=True,
            ),
            yaxis=value_axis(
                "Gain, out / in (ratio)", [1.0, *(v for g in gains.values() for v in g)], log=True
            ),
        ),
    )
    told = verdict_words(rows)
    return Chart(
        figure=figure,
        title=f"Noise in against noise out, {bits_words(bits)}",
        how_to_read="Each point is a quantizer of a vanilla network, above the dotted line if it "
        "enlarges the noise: a turning point would show as points below the line at the left and "
        "above it at the right.",
        formula=FORMULAS["quantizer"],
        alt=f"Scatter chart of {len(rows)} quantizers, {ELEMENT_WORDS[elements]}. {told}",
        table=rows.reset_index(drop=True),
        note=told,
    )


def verdict_words(rows: pd.DataFrame) -> str:
    """Whether the smallest quarter of the noises is damped and the largest enlarged, in words."""
    gain, noise = _gain(rows, "measured, L2"), rows["noise_in"]
    if len(rows) < FEWEST:
        return f"These are {len(rows)} quantizers, too few to speak of a turning point."
    small = float(gain[noise <= noise.quantile(0.25)].median())
    large = float(gain[noise >= noise.quantile(0.75)].median())
    shows = "A turning point shows" if small < 1 < large else "No turning point shows"
    return (
        f"{shows}: the median gain in L2 is {number(small)} for the smallest quarter of the noises "
        f"and {number(large)} for the largest; {int((gain > 1).sum())} of {len(rows)} quantizers "
        f"enlarge it{_removed(gain)}."
    )


def _removed(gain: pd.Series[float]) -> str:
    """What is said of quantizers that let no noise through: a logarithmic axis has no zero."""
    none = int((gain == 0).sum())
    return f", {none} remove all of it and are not drawn" if none else ""


def _gain(rows: pd.DataFrame, name: str) -> pd.Series[float]:
    noise_in, noise_out, _ = KINDS[name]
    gain: pd.Series[float] = rows[noise_out] / rows[noise_in]
    return gain


def _trace(rows: pd.DataFrame, gain: pd.Series[float], name: str) -> dict[str, Any]:
    noise_in, _, place = KINDS[name]
    slot = SLOTS[place]
    drawn = gain > 0
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": rows.loc[drawn, noise_in].tolist(),
        "y": gain[drawn].tolist(),
        "customdata": rows.loc[drawn, ["family", "layer"]].to_numpy().tolist(),
        "hovertemplate": "%{customdata[0]}, %{customdata[1]}: %{y:.3g}",
        "marker": {
            "color": slot.colour,
            "symbol": slot.marker + ("-open" if place == 2 else ""),
            "size": 7,
        },
    }
