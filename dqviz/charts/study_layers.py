"""A number of every layer at every bit-width, a panel a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from dqviz.charts.axes import layer_axis
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.heat_panels import Panel, panels_alt, panels_figure
from dqviz.charts.heatmap import BITS, by_bits, curve_cells
from dqviz.charts.study_rows import (
    Address,
    Mean,
    formula_of,
    mean_over_seeds,
    networks_of,
    require_alike,
    study_rows,
    title_of,
    under,
    unit_of,
)
from dqviz.charts.tidy import Curve, as_shown, collapse_note, read_curves, short_networks

ONE = ["model", "weights", "weight_bits", "act_bits"]


def study_layer_map(
    table: pd.DataFrame,
    *,
    metric: str,
    statistic: str = "median",
    by: str = "act_bits",
    attack: str | None = None,
    epsilon: float | None = None,
    log: bool | None = None,
) -> Chart:
    """A metric by layer (across) and bit-width (down), the mean over the seeds, by network.

    Args:
        table: tidy rows of any number of experiments; controls are left out.
        metric: one that layers have.
        statistic: over the images; `value` for what has only one.
        by: `act_bits` or `weight_bits`, by which the rows are sorted, most bits on top.
        attack: needed where the table holds several.
        epsilon: pixel units; needed where the table holds several.
        log: logarithmic colours; None leaves it to the numbers.

    Raises:
        ChartError: if the table has no such rows, or mixes what cannot stand side by side.
    """
    if by not in BITS:
        raise ChartError(f"by must be one of {', '.join(BITS)}; got {by!r}")
    rows = under(study_rows(table, metric, statistic), attack=attack, epsilon=epsilon)
    short = short_networks(networks_of(rows))
    panels = [
        _panel(part, short[str(network)], metric, statistic, by)
        for network, part in rows.groupby(networks_of(rows), sort=False)
    ]
    unit, title = unit_of(metric)[1], title_of(metric)
    what = title.partition(" (")[0]
    note = collapse_note(any(any(p.cells.collapsed) for p in panels))
    return Chart(
        figure=panels_figure(
            panels, title=title, unit=unit, key=f"layers {metric} {by}", note=note, log=log
        ),
        title=f"{what} by layer and bit-width",
        how_to_read="Each row is a bit-width: read it from left to right through the network, and "
        "a column downwards to fewer bits; brighter is larger, and several seeds are averaged.",
        formula=FORMULAS[formula_of(metric)],
        alt=panels_alt(f"{what} ({statistic}) by layer and bit-width", panels, unit),
        table=as_shown(rows),
        note=note,
    )


def _panel(rows: pd.DataFrame, name: str, metric: str, statistic: str, by: str) -> Panel:
    require_alike(rows, f"{name} has numbers")
    means: dict[tuple[int, int], dict[str, Mean]] = {}
    averaged: list[dict[str, Any]] = []
    for _, part in rows.groupby(ONE, sort=False):
        first = part.iloc[0]
        w, a = int(first["weight_bits"]), int(first["act_bits"])
        shared = {**first[ONE], "attack": "", "collapsed": bool(part["collapsed"].all())}
        for layer, numbers in part.groupby("layer", sort=False):
            mean = mean_over_seeds(numbers, statistic)
            means.setdefault((w, a), {})[str(layer)] = mean
            place = {"layer": layer, "depth": numbers["depth"].iloc[0]}
            value = unit_of(metric)[0] * mean.value
            averaged.append({**shared, **place, "statistic": statistic, "value": value})
    curves = sorted(read_curves(pd.DataFrame(averaged)), key=by_bits(by))
    return Panel(
        network=name,
        cells=curve_cells(curves, statistic),
        addresses=[_addresses(c, means[c.weight_bits, c.act_bits], curves) for c in curves],
        axis=layer_axis(curves),
    )


def _addresses(
    curve: Curve, means: dict[str, Mean], curves: Sequence[Curve]
) -> list[Address | None]:
    """The address of each layer's cell, in the order of the columns; None where there is none."""
    longest = max(curves, key=lambda c: len(c.layers))
    return [means[layer].address if layer in means else None for layer in longest.layers]
