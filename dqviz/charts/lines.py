"""Plain line charts by layer: signal to quantization noise, and the gain of the linear layers."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts import alt
from dqviz.charts.axes import (
    layer_axis,
    legend_above,
    note_annotation,
    value_axis,
)
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS, TITLES
from dqviz.charts.notes import chart_note
from dqviz.charts.style import layout
from dqviz.charts.tidy import (
    as_shown,
    collapse_note,
    curve_names,
    read_curves,
    select,
)
from dqviz.charts.traces import (
    LEVEL_MARGIN,
    colour_of,
    curve_band,
    curve_line,
    level_line,
    line_style,
    styles_of,
)
from dqviz.specs import CONTROLS, FULL_PRECISION


def sqnr(table: pd.DataFrame, *, statistic: str = "median", height: int = 420) -> Chart:
    """Signal to quantization noise by layer: quantized against full precision, same clean image.

    Rows at full precision are left out, where there is no quantization noise. It does not depend
    on the attack; of several epsilons and attacks in the table the first is read.
    """
    quantized = table[(table["act_bits"] != FULL_PRECISION) | (table["weight_bits"] != 32)]
    rows = quantized[quantized["metric"] == "sqnr_db"]
    if rows.empty:
        raise ChartError("no rows with the metric sqnr_db of a quantized network")
    rows = rows[~rows["attack"].isin(CONTROLS)]
    rows = select(
        rows[rows["epsilon"].isna() | (rows["epsilon"] == rows["epsilon"].min())], "sqnr_db"
    )
    return lines_by_layer(
        rows,
        statistic=statistic,
        height=height,
        title="Signal to quantization noise by layer",
        how_to_read="Higher is better: 20 dB means that the error made by quantization, on the "
        "clean image and without any attack, is a tenth of the signal.",
        number=".1f",
        unit=" dB",
    )


def linear_gain(
    table: pd.DataFrame,
    *,
    statistic: str = "median",
    epsilon: float | None = None,
    height: int = 420,
) -> Chart:
    """How much each convolution or linear layer enlarges the perturbation that reaches it.

    BatchNorm is folded into the weights where it follows the layer.
    """
    rows = select(table[~table["attack"].isin(CONTROLS)], "linear_gain", epsilon=epsilon)
    return lines_by_layer(
        rows,
        statistic=statistic,
        height=height,
        title="Gain of the linear layers",
        how_to_read="Above 1 the layer's weights enlarge the perturbation that reaches it; below "
        "1 they shrink it (BatchNorm folded in where it follows the layer).",
        log=True,
        level=(1.0, "1: size kept"),
    )


def lines_by_layer(
    rows: pd.DataFrame,
    *,
    statistic: str,
    title: str,
    how_to_read: str,
    height: int,
    log: bool = False,
    number: str = ".3g",
    unit: str = "",
    level: tuple[float, str] | None = None,
) -> Chart:
    """A plain line chart of rows of one metric."""
    metric = str(rows["metric"].iloc[0])
    rows = rows[rows["statistic"].isin([statistic, "q10", "q90", "nan_count"])]
    curves = read_curves(rows)
    names = curve_names(curves)
    styles = styles_of(curves)
    note = collapse_note(any(c.collapsed for c in curves))
    values = [v for c in curves for s in (statistic, "q10", "q90") for v in c.values(s)]
    lines = [
        curve_line(
            c,
            curves,
            name=n,
            statistic=statistic,
            log=log,
            number=number,
            style=line_style(c, styles),
        )
        for c, n in zip(curves, names, strict=True)
    ]
    bands = [curve_band(c, curves, colour=colour_of(c, styles), log=log) for c in curves]
    values += [level[0]] if level else []
    figure = {
        "data": bands + lines,
        "layout": layout(
            height=height,
            key=metric,
            xaxis=layer_axis(curves),
            yaxis=value_axis(TITLES[metric], values, log=log),
            margin=LEVEL_MARGIN,
            shapes=[level_line(*level)] if level else [],
            legend=legend_above(note, height),
            annotations=note_annotation(note),
        ),
    }
    return Chart(
        figure=go.Figure(figure),
        title=title,
        how_to_read=how_to_read,
        formula=FORMULAS[metric],
        alt=alt.curves_alt(
            f"Line chart: {title.lower()}, {statistic} over the images",
            curves,
            names,
            statistic=statistic,
            unit=unit,
        ),
        table=as_shown(rows),
        note=chart_note(curves),
    )
