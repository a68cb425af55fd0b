"""A number at every bit-width and epsilon, a panel a network."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.heat_cells import Cells
from dqviz.charts.heat_panels import Panel, panels_alt, panels_figure
from dqviz.charts.study_rows import (
    Mean,
    formula_of,
    mean_over_seeds,
    networks_of,
    of_attack,
    require_alike,
    study_rows,
    title_of,
    unit_of,
)
from dqviz.charts.tidy import as_shown, bits_text, collapse_note, epsilons, short_networks

BITS = ["act_bits", "weight_bits"]


def study_bits_epsilon(
    table: pd.DataFrame,
    *,
    metric: str,
    layer: str = "network",
    statistic: str = "value",
    attack: str | None = None,
    log: bool | None = None,
) -> Chart:
    """A metric by epsilon (across) and bit-width (down), the mean over the seeds, by network.

    Args:
        table: tidy rows of any number of experiments; controls are left out.
        metric: one that is measured under attack.
        layer: the layer that the metric is of, `logits`, or `network`.
        statistic: over the images; `value` for what has only one.
        attack: needed where the table holds several.
        log: logarithmic colours; None leaves it to the numbers.

    Raises:
        ChartError: if the table has no such rows, or mixes what cannot stand side by side.
    """
    rows = of_attack(study_rows(table, metric, statistic, layer=layer), attack)
    places = epsilons(rows)
    if not places:
        raise ChartError(f"{metric} is measured at no epsilon")
    short = short_networks(networks_of(rows))
    panels = [
        _panel(part, short[str(network)], metric, statistic, places)
        for network, part in rows.groupby(networks_of(rows), sort=False)
    ]
    unit, title = unit_of(metric)[1], title_of(metric)
    where = "" if layer == "network" else f" at {layer}"
    what = f"{title.partition(' (')[0]}{where}"
    note = collapse_note(any(any(p.cells.collapsed) for p in panels))
    return Chart(
        figure=panels_figure(
            panels,
            title=title,
            unit=unit,
            key=f"epsilons {metric}",
            note=note,
            log=log,
            written=True,
        ),
        title=f"{what} by bit-width and epsilon",
        how_to_read="Each row is a bit-width: read it from left to right as the attack grows "
        "stronger, and a column downwards to fewer bits; brighter is larger, and several seeds "
        "are averaged.",
        formula=FORMULAS[formula_of(metric)],
        alt=panels_alt(f"{what} by bit-width and epsilon (grey levels of 255)", panels, unit),
        table=as_shown(rows),
        note=note,
    )


def _panel(
    rows: pd.DataFrame, name: str, metric: str, statistic: str, places: list[float]
) -> Panel:
    require_alike(rows, f"{name} has numbers")
    names, collapsed, means = [], [], []
    groups = [part for _, part in rows.groupby(BITS)]
    for part in reversed(groups):  # most activation bits on top
        act_bits, weight_bits = (int(part[name].iloc[0]) for name in BITS)
        collapsed.append(bool(part["collapsed"].all()))
        names.append(bits_text(weight_bits, act_bits) + " (collapsed)" * collapsed[-1])
        means.append([_mean(part[part["epsilon"] == place], statistic) for place in places])
    scale, _ = unit_of(metric)
    columns = [f"{255 * place:.4g}" for place in places]
    return Panel(
        network=name,
        cells=Cells(
            columns=columns,
            names=names,
            numbers=[[scale * m.value if m else math.nan for m in row] for row in means],
            collapsed=collapsed,
        ),
        addresses=[[m.address if m else None for m in row] for row in means],
        axis=_axis(columns),
    )


def _mean(rows: pd.DataFrame, statistic: str) -> Mean | None:
    return None if rows.empty else mean_over_seeds(rows, statistic)


def _axis(columns: list[str]) -> dict[str, Any]:
    return {
        "title": {"text": "Epsilon (grey levels of 255)", "standoff": 8},
        "type": "category",
        "categoryarray": columns,
        "range": [-0.5, len(columns) - 0.5],
        "automargin": True,
        "showgrid": False,
    }
