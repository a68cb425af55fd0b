"""The noise layer by layer of networks trained at several bits, a panel a family."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from dqviz.charts.alt import number
from dqviz.charts.axes import LAYER_TITLE, value_axis
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.family_panels import axes_of, named_once, panels_layout
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.style import LINE_SCALE
from dqviz.charts.tidy import ATTACK_NAMES, bits_words
from dqviz.specs import FULL_PRECISION

METHODS = {"vanilla": "solid", "dq": "6px,4px"}
METRICS = {
    "amplification_centred": "Centred amplification (ratio)",
    "amplification": "Amplification (ratio)",
}


_SCALE = [[place, colour] for place, colour in LINE_SCALE]


def bits_by_layer(table: pd.DataFrame, *, attack: str, metric: str) -> Chart:
    """Amplification against depth, a line a bit-width, solid for vanilla and dashed for DQ.

    Args:
        table: columns `family, method, act_bits, attack, layer, place` and the `METRICS`.
        attack: whose perturbations, as named in the table.
        metric: one of `METRICS`.

    Raises:
        ChartError: if there are no such rows.
    """
    if metric not in METRICS:
        raise ChartError(f"the metric must be one of {', '.join(METRICS)}; got {metric!r}")
    rows = table[table["attack"] == attack].sort_values("place") if len(table) else table
    if rows.empty:
        raise ChartError(f"no layers were measured under {ATTACK_NAMES.get(attack, attack)}")
    families = sorted(set(rows["family"]))
    bits = sorted(set(rows["act_bits"]), reverse=True)
    colours = _colours(bits)
    name = ATTACK_NAMES.get(attack, attack)
    return Chart(
        figure=go.Figure(
            data=named_once(
                line
                for place, family in enumerate(families)
                for line in _lines(
                    rows[rows["family"] == family], metric, colours, **axes_of(place)
                )
            ),
            layout=panels_layout(
                families,
                key=f"bits by layer {metric}",
                x=_depth_axis(int(rows["place"].max())),
                y=value_axis(METRICS[metric], [*rows[metric], 1.0], log=True),
                legend_lines=math.ceil(len(bits) * rows["method"].nunique() / 4),
            ),
        ),
        title=f"Noise layer by layer and bits: {name}",
        how_to_read="Each line is a trained network, the redder the fewer bits, dashed with DQ: "
        "where it climbs, the noise grows.",
        formula=FORMULAS[
            "relative_distance_centred" if metric == "amplification_centred" else "amplification"
        ],
        alt=f"Line chart of the {METRICS[metric].partition(' (')[0].lower()} under {name}. "
        f"{'; '.join(_words(rows, metric))}.",
        table=rows.reset_index(drop=True),
    )


def _depth_axis(count: int) -> dict[str, Any]:
    title = {"text": LAYER_TITLE, "standoff": 6}
    bare = {"zeroline": False, "showgrid": False}
    return {"title": title, "range": [0.4, count + 0.6], **bare}


def _colours(bits: Sequence[int]) -> dict[int, str]:
    """From full precision to the fewest bits along the scale of lines."""
    steps = max(len(bits) - 1, 1)
    shades = sample_colorscale(_SCALE, [place / steps for place in range(len(bits))])
    return dict(zip(bits, shades, strict=True))


def _lines(
    rows: pd.DataFrame, metric: str, colours: dict[int, str], **axes: str
) -> list[dict[str, Any]]:
    """A line for each method and bit-width that a family has."""
    return [
        {**_line(own, method, bits, colours[bits]), "y": own[metric].tolist(), **axes}
        for method in dict.fromkeys(rows["method"])
        for bits in colours
        if len(own := rows[(rows["method"] == method) & (rows["act_bits"] == bits)])
    ]


def _line(rows: pd.DataFrame, method: str, bits: int, colour: str) -> dict[str, Any]:
    width = 2.4 if bits == FULL_PRECISION else 1.8
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"{'DQ' if method == 'dq' else method}, {bits_words(bits)}",
        "legendgroup": f"{method} {bits}",
        "legendrank": 1000 + 100 * (method == "dq") - bits,
        "x": rows["place"].tolist(),
        "customdata": rows["layer"].tolist(),
        "hovertemplate": "%{customdata}: %{y:.3g}",
        "line": {"color": colour, "dash": METHODS.get(method, "2px,2px"), "width": width},
    }


def _words(rows: pd.DataFrame, metric: str) -> list[str]:
    """What each network's noise has become at the last layer but the logits."""
    inner = rows[rows["layer"] != "logits"]
    last = inner[inner["place"] == inner.groupby("family")["place"].transform("max")]
    return [
        f"{family}, {method}: "
        + ", ".join(
            f"{number(value)} at {bits_words(bits)}"
            for bits, value in sorted(zip(own["act_bits"], own[metric], strict=True), reverse=True)
        )
        for (family, method), own in last.groupby(["family", "method"])
    ]
