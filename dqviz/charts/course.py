"""The course of a training: loss, accuracy, and every layer's norms and noise before and now."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts.axes import level_line, value_axis
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.style import GREY, SLOTS, layout
from dqviz.charts.tidy import short_layers

HEIGHT = 360
PENALTY = r"L = L_{CE} + \frac{\beta}{2}\sum_l \lVert W_l^\top W_l - I\rVert_F^2"
AMPLIFICATION = (
    r"\frac{\lVert a_l(x') - a_l(x)\rVert / \lVert a_l(x)\rVert}"
    r"{\lVert x' - x\rVert / \lVert x\rVert}"
)

Course = Sequence[Mapping[str, Any]]
"""What was seen of a training, look by look: `step`, `loss`, `penalty`, `clean`, `robust`, and by
layer `raw`, `folded` and `distance`."""


def loss_course(course: Course) -> Chart:
    """Loss and penalty against the step, from the first step on: before it there is no loss."""
    begun = [look for look in course if look["step"] > 0]
    table = _numbers(begun, ("step", "loss", "penalty"))
    lines = {"cross-entropy": table["loss"], "penalty, times beta / 2": table["penalty"]}
    last = table.iloc[-1]
    return _lines(
        table,
        lines,
        title="Loss and penalty",
        axis=value_axis("Loss (nats)", [*table["loss"], *table["penalty"]], log=False),
        how="Training lowers both: a penalty that stays high is one that the data outweigh.",
        formula=PENALTY,
        alt=f"After {last['step']:.0f} steps the cross-entropy is {last['loss']:.3g} and the "
        f"penalty {last['penalty']:.3g}.",
    )


def accuracy_course(course: Course) -> Chart:
    """Accuracy on the probe's images against the step, clean and under FGSM."""
    table = _numbers(course, ("step", "clean", "robust"))
    lines = {"clean": 100 * table["clean"], "under FGSM at 1/255": 100 * table["robust"]}
    last = table.iloc[-1]
    return _lines(
        table,
        lines,
        title="Accuracy on 64 test images",
        axis={"title": {"text": "Accuracy (%)"}, "range": [0, 102], "automargin": True},
        how="Always the same 64 images, so steps of 1.6 points: a rough gauge, no result.",
        formula=r"\frac{1}{n}\sum_i [\arg\max_k z_k(x_i) = y_i]",
        alt=f"After {last['step']:.0f} steps {100 * last['clean']:.0f} % are classified correctly, "
        f"under attack {100 * last['robust']:.0f} %.",
    )


def norms_course(course: Course) -> Chart:
    """Every layer's norms before the first step and now, raw and with BatchNorm folded in."""
    first, last = _ends(course)
    rows = [
        {"layer": layer, "norm": norm, "when": when, "value": look[norm][layer]}
        for when, look in (("before", first), ("now", last))
        for norm in ("folded", "raw")
        for layer in look[norm]
    ]
    table = pd.DataFrame(rows)
    return _by_layer(
        table,
        title="Every layer's norm",
        axis="Largest singular value (ratio)",
        how="Folded is what the layer really applies, with its BatchNorm if it has one; raw is the "
        "kernel's matrix alone. The penalty pulls one of them towards 1, the dotted line.",
        formula=r"\sigma_{\max}(\mathrm{diag}(\gamma / s)\, W), \quad \sigma_{\max}(W)",
    )


def noise_course(course: Course) -> Chart:
    """The amplification by layer before the first step and now."""
    first, last = _ends(course)
    rows = []
    for when, look in (("before", first), ("now", last)):
        start = next(iter(look["distance"].values()))
        for layer, value in look["distance"].items():
            grown = value / start if start > 0 else math.nan
            rows.append({"layer": layer, "norm": "noise", "when": when, "value": grown})
    return _by_layer(
        pd.DataFrame(rows),
        title="How far the noise has grown",
        axis="Amplification (ratio)",
        how="FGSM at 1/255 on the same 64 images: the distance at each layer's input over that of "
        "the normalised image. Lower than before means that training damps the noise.",
        formula=AMPLIFICATION,
    )


def _numbers(course: Course, names: tuple[str, ...]) -> pd.DataFrame:
    if not course:
        raise ChartError("nothing has been seen of this training yet")
    return pd.DataFrame([{name: look[name] for name in names} for look in course])


def _ends(course: Course) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    if not course:
        raise ChartError("nothing has been seen of this training yet")
    return course[0], course[-1]


def _lines(
    table: pd.DataFrame,
    lines: Mapping[str, pd.Series[float]],
    *,
    title: str,
    axis: dict[str, Any],
    how: str,
    formula: str,
    alt: str,
) -> Chart:
    data = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name,
            "x": table["step"].tolist(),
            "y": values.tolist(),
            "line": {"color": SLOTS[place].colour, "dash": "solid" if place == 0 else "6px,3px"},
            "marker": {"symbol": SLOTS[place].marker, "size": 7},
        }
        for place, (name, values) in enumerate(lines.items())
    ]
    figure = go.Figure(
        data=data,
        layout=layout(
            height=HEIGHT,
            key=title,
            xaxis={"title": {"text": "Step (batches)"}, "rangemode": "tozero"},
            yaxis=axis,
        ),
    )
    return Chart(figure=figure, title=title, how_to_read=how, formula=formula, alt=alt, table=table)


def _by_layer(table: pd.DataFrame, *, title: str, axis: str, how: str, formula: str) -> Chart:
    """Points by layer: before in grey, now in colour; a second norm is hollow; a line at 1."""
    layers = list(dict.fromkeys(table["layer"]))
    names = dict(zip(layers, short_layers(layers), strict=True))
    data = []
    for (norm, when), rows in table.groupby(["norm", "when"], sort=False):
        colour = GREY if when == "before" else SLOTS[1].colour
        hollow = norm == "raw"
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": when if norm == "noise" else f"{norm}, {when}",
                "x": [names[layer] for layer in rows["layer"]],
                "y": rows["value"].tolist(),
                "line": {"color": colour, "width": 1.5, "dash": "3px,3px" if hollow else "solid"},
                "marker": {"symbol": "circle-open" if hollow else "circle", "size": 8},
            }
        )
    figure = go.Figure(
        data=data,
        layout=layout(
            height=HEIGHT + 60,
            key=title,
            xaxis={
                "type": "category",
                "tickangle": -55,
                "automargin": True,
                "title": {"text": "Layer, in order of execution"},
            },
            yaxis=value_axis(axis, [*table["value"], 1.0], log=True),
            shapes=[level_line(1.0)],
        ),
    )
    return Chart(
        figure=figure,
        title=title,
        how_to_read=how,
        formula=formula,
        alt=_layers_alt(table, title),
        table=table,
    )


def _layers_alt(table: pd.DataFrame, title: str) -> str:
    """The largest value of each curve, and where."""
    parts = []
    for (norm, when), rows in table.groupby(["norm", "when"], sort=False):
        value, layer = max(zip(rows["value"], rows["layer"], strict=True))
        name = when if norm == "noise" else f"{norm} {when}"
        parts.append(f"{name}: at most {value:.3g} at {layer}")
    return f"{title}, by layer. {'; '.join(parts)}."
