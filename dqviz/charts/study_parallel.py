"""All settings and numbers of many experiments side by side, one line a cell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts.alt import number
from dqviz.charts.axes import log_ticks, thinned, tick_text
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.study_rows import (
    Address,
    addresses_of,
    formula_of,
    networks_of,
    spread_widely,
    study_rows,
    title_of,
    unit_of,
)
from dqviz.charts.style import GREY, LINE_SCALE, layout
from dqviz.charts.tidy import ATTACK_NAMES, as_shown, collapse_note, short_networks

CELL = [
    *("model", "weights", "weight_bits", "act_bits", "attack", "epsilon", "seed", "data"),
    *("n_samples", "crafted_on"),
]
"""What tells cells apart."""

SETTINGS = {
    "network": "Network",
    "weight_bits": "Weight bits<br>(32: full)",
    "act_bits": "Act. bits<br>(32: full)",
    "attack": "Attack",
    "epsilon": "Epsilon<br>(1/255)",
    "seed": "Seed",
    "data": "Images",
    "n_samples": "Images<br>(number)",
    "crafted_on": "Crafted on",
}
"""The axes of settings; one with a single value is left out."""

MOST_TICKS = 12
HALO = ", ".join(f"{x}px {y}px 1px Canvas" for x in (-1, 1) for y in (-1, 1))
"""Around the texts that lines run through, in the colour of the page, light or dark."""

GREY_SHARE = 0.06
"""The lowest part of the colours' scale that belongs to collapsed networks, if there are any."""


def study_parallel(
    table: pd.DataFrame,
    *,
    metrics: Mapping[str, str] | None = None,
    most: int = 3000,
    height: int = 480,
) -> Chart:
    """Parallel coordinates: the settings that vary, then numbers of the whole network.

    Args:
        table: tidy rows of any number of experiments; controls are left out.
        metrics: which numbers, each with its statistic; the first one colours the lines. None takes
            the `value` of `robust_accuracy`.
        most: the largest number of lines; of more cells some are chosen evenly.
        height: of the figure, in pixels.

    Raises:
        ChartError: if a number is not there, or no cell has all of them.
    """
    metrics = {"robust_accuracy": "value"} if metrics is None else metrics
    if not metrics:
        raise ChartError("parallel coordinates need at least one metric; got none")
    parts = [_rows(table, metric, statistic) for metric, statistic in metrics.items()]
    rows = pd.concat(parts, ignore_index=True)
    cells, left = _cells(rows, list(metrics))
    drawn = cells.iloc[thinned(len(cells), most)]
    first = next(iter(metrics))
    title = title_of(first)
    note = _note(drawn, len(cells), left)
    figure = {
        "data": [_trace(drawn, list(metrics))],
        "layout": layout(
            height=height,
            key=f"parallel {' '.join(metrics)}",
            margin={"l": 24 + 8 * _longest(drawn), "r": 24, "t": 76, "b": 24},
        ),
    }
    return Chart(
        figure=go.Figure(figure),
        title=f"{title.partition(' (')[0]} across all settings",
        how_to_read="Each line is one cell, from its settings on the left to its numbers on the "
        "right; drag along an axis to keep only the lines that pass there.",
        formula=FORMULAS[formula_of(first)],
        alt=_alt(drawn, list(metrics)),
        table=as_shown(rows),
        note=note,
    )


def study_cells(
    table: pd.DataFrame, *, metrics: Mapping[str, str]
) -> tuple[pd.DataFrame, list[Address]]:
    """What `study_parallel` draws as lines, as a table, and where the cell of each row is found.

    Returns:
        A row a cell with its settings that vary and its numbers, as the axes show them, and the
        addresses in the same order.

    Raises:
        ChartError: as `study_parallel`.
    """
    parts = [_rows(table, metric, statistic) for metric, statistic in metrics.items()]
    cells, _ = _cells(pd.concat(parts), list(metrics))
    shown = {
        words.replace("<br>", " "): _shown(name, cells[name])
        for name, words in SETTINGS.items()
        if cells[name].nunique(dropna=False) > 1
    }
    numbers = {title_of(metric): cells[metric] for metric in metrics}
    return pd.DataFrame({**shown, **numbers}).reset_index(drop=True), addresses_of(cells)


def _shown(name: str, values: pd.Series[Any]) -> pd.Series[Any]:
    if name == "attack":
        return values.map(lambda attack: ATTACK_NAMES.get(attack, attack))
    return (255 * values).round(6) if name == "epsilon" else values


def _rows(table: pd.DataFrame, metric: str, statistic: str) -> pd.DataFrame:
    rows = study_rows(table, metric, statistic, layer="network")
    return rows[rows["statistic"] == statistic]


def _cells(rows: pd.DataFrame, metrics: Sequence[str]) -> tuple[pd.DataFrame, int]:
    """A row a cell that has all the numbers, as they are shown; how many have not."""
    place = rows.groupby(CELL, dropna=False, sort=False).ngroup().rename("place")
    settings = rows.groupby(place)[[*CELL, "collapsed"]].agg("first")
    numbers = rows.pivot_table(index=place, columns="metric", values="value", aggfunc="mean")
    whole = settings.join(numbers).assign(network=networks_of(settings))
    complete = whole.dropna(subset=list(metrics))
    if complete.empty:
        raise ChartError(f"no cell has a number of each of {', '.join(metrics)}")
    shown = {metric: unit_of(metric)[0] * complete[metric] for metric in metrics}
    return complete.assign(**shown), len(whole) - len(complete)


def _trace(cells: pd.DataFrame, metrics: Sequence[str]) -> dict[str, Any]:
    varying = [name for name in SETTINGS if cells[name].nunique(dropna=False) > 1]
    return {
        "type": "parcoords",
        "dimensions": [
            *[_setting(name, cells[name]) for name in varying],
            *[_number(metric, cells[metric]) for metric in metrics],
        ],
        "line": _colours(cells, metrics[0]),
        "labelfont": {"size": 11},
        "tickfont": {"size": 12, "shadow": HALO},
        "rangefont": {"size": 11, "color": "rgba(0,0,0,0)"},
    }


def _setting(name: str, values: pd.Series[Any]) -> dict[str, Any]:
    """An axis of choices, evenly spaced, the smallest number or the first name at the bottom."""
    found = sorted(values.dropna().unique())
    words = _words(name, found)
    missing = ["none"] if values.isna().any() else []
    codes = {value: place for place, value in enumerate(found)}
    ticks = thinned(len(found) + len(missing), MOST_TICKS)
    names = [*words, *missing]
    return {
        "label": SETTINGS[name],
        "values": [codes.get(value, len(found)) for value in values],
        "range": [0, max(len(names) - 1, 1)],
        "tickvals": ticks,
        "ticktext": [names[tick] for tick in ticks],
    }


def _words(name: str, values: Sequence[Any]) -> list[str]:
    if name == "network":
        return list(short_networks(values).values())
    if name == "epsilon":
        return [f"{255 * value:.4g}" for value in values]
    return [ATTACK_NAMES.get(str(value), str(value)) for value in values]


def _number(metric: str, values: pd.Series[float]) -> dict[str, Any]:
    """An axis of numbers; of their logarithms where they are spread widely."""
    label = _two_lines(title_of(metric).replace(" an image", ""))
    log = not unit_of(metric)[1] and spread_widely(values)
    low, high = float(values.min()), float(values.max())
    if not log:
        pad = 0.5 if low == high else 0.0
        return {"label": label, "values": values.tolist(), "range": [low - pad, high + pad]}
    ticks = log_ticks(low, high)
    return {
        "label": label,
        "values": [math.log10(v) for v in values],
        "tickvals": [math.log10(t) for t in ticks],
        "ticktext": [tick_text(t) for t in ticks],
    }


def _two_lines(text: str) -> str:
    """Broken where the longer of the two lines is shortest: there is room for no third one."""
    words = text.split()
    broken = [(" ".join(words[:i]), " ".join(words[i:])) for i in range(1, len(words))]
    return "<br>".join(min(broken, key=lambda lines: max(map(len, lines)), default=(text,)))


def _colours(cells: pd.DataFrame, metric: str) -> dict[str, Any]:
    """The colour of each line by its number; below the scale, collapsed ones in grey."""
    axis = _number(metric, cells[metric])
    numbers = pd.Series(axis["values"], index=cells.index)
    low, high = float(numbers.min()), float(numbers.max())
    high = high if high > low else low + 1.0
    ticks = [low + (high - low) * step / 4 for step in range(5)]
    names = [number(10**v if "tickvals" in axis else v) for v in ticks]
    scale, collapsed = LINE_SCALE, cells["collapsed"].to_numpy(bool)
    if collapsed.any():
        band = (high - low) * GREY_SHARE / (1 - GREY_SHARE)
        numbers = numbers.where(~collapsed, low - band)
        low -= band
        ticks, names = [low, *ticks], ["collapsed", *names]
        top = [(GREY_SHARE + (1 - GREY_SHARE) * place, colour) for place, colour in LINE_SCALE]
        scale = ((0.0, GREY), (GREY_SHARE, GREY), *top)
    return {
        "color": numbers.tolist(),
        "cmin": low,
        "cmax": high,
        "colorscale": scale,
        "showscale": True,
        "colorbar": {
            "title": {"text": title_of(metric), "side": "right"},
            "tickvals": ticks,
            "ticktext": names,
            "thickness": 14,
            "outlinewidth": 0,
        },
    }


def _longest(cells: pd.DataFrame) -> int:
    """Letters of the longest name of a network, which stands left of its axis."""
    return max(map(len, short_networks(cells["network"]).values()), default=0)


def _note(drawn: pd.DataFrame, cells: int, left: int) -> str:
    cut = (
        f"{len(drawn):,} of {cells:,} cells are drawn, evenly chosen." if len(drawn) < cells else ""
    )
    without = f"Cells left out since a number is missing: {left:,}." if left else ""
    parts = [collapse_note(bool(drawn["collapsed"].any())), cut, without]
    return " ".join(part for part in parts if part)


def _alt(cells: pd.DataFrame, metrics: Sequence[str]) -> str:
    words = []
    for metric in metrics:
        unit = unit_of(metric)[1]
        low, high = (number(float(v), unit) for v in (cells[metric].min(), cells[metric].max()))
        words.append(f"{title_of(metric)} from {low} to {high}")
    networks = cells["network"].nunique()
    return (
        f"Parallel coordinates of {len(cells):,} cells of {networks} networks. {'; '.join(words)}."
    )
