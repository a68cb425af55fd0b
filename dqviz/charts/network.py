"""The whole network's Lipschitz bounds, and the singular values of one layer."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts import alt
from dqviz.charts.axes import log_ticks, row_axis, tick_text, value_axis
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.notes import left_out
from dqviz.charts.style import GREY, NetworkStyle, layout, network_styles
from dqviz.charts.tidy import as_shown, grey_out, read_curves, short_networks
from dqviz.charts.traces import LEVEL_MARGIN, level_line

BOUND = "lipschitz"
MARGIN = "margin_over_lipschitz"
NOT_MEASURED = "not measured"
REASON_WIDTH = 58
"""Letters in a line of a reason."""

Reasons = Mapping[str, Mapping[str, str]]
"""Why bounds are missing, by network and then by bound."""


def network_bounds(
    table: pd.DataFrame, *, reasons: Reasons | None = None, height: int | None = None
) -> Chart:
    """Lower and upper bound of each network's Lipschitz constant, and the margin over the upper.

    They are those at full precision, whatever the bit-widths: a network that rounds has no finite
    constant. A bound that does not exist is written as 'none' with its reason.

    Args:
        table: tidy rows with the metrics `lipschitz` (statistics `lower`, `upper`) and
            `margin_over_lipschitz` of the layer `network`.
        reasons: by network (`MODEL/WEIGHTS`) and bound (`lower` or `upper`), why it is missing.
    """
    rows = table[(table["layer"] == "network") & table["metric"].isin([BOUND, MARGIN])]
    if rows.empty:
        raise ChartError(f"no rows of the layer network with the metric {BOUND} or {MARGIN}")
    numbers = _by_network(rows)
    networks = list(numbers)
    short, styles = short_networks(networks), network_styles(networks)
    traces, notes, words = [], [], []
    said: list[str] = []
    for network in networks:
        name, found = short[network], numbers[network]
        low, high = found.get((BOUND, "lower"), math.nan), found.get((BOUND, "upper"), math.nan)
        traces.append(_interval(name, low, high, styles[network]))
        margins = [found.get((MARGIN, s), math.nan) for s in ("q10", "median", "q90")]
        if not math.isfinite(margins[1]):
            margins[1] = found.get((MARGIN, "value"), found.get((MARGIN, "mean"), math.nan))
        traces.append(_margin(name, margins, styles[network]))
        missing = [w for w, v in (("lower", low), ("upper", high)) if not math.isfinite(v)]
        for which in missing:
            why = (reasons or {}).get(network, {}).get(which, NOT_MEASURED)
            said.append(f"{which} bound of {name} is none: {why}")
            notes.append(_none(name, which, said[-1]))
        words.append(
            f"{name}: lower {alt.number(low)}, upper {alt.number(high)}, median margin over the "
            f"upper bound {alt.number(margins[1])}."
        )
    left, right = [0.0, 0.47], [0.56, 1.0]
    bounds = [found[k] for found in numbers.values() for k in found if k[0] == BOUND]
    shares = [found[k] for found in numbers.values() for k in found if k[0] == MARGIN]
    names = [short[n] for n in networks]
    figure = {
        "data": traces,
        "layout": layout(
            height=height or 190 + (62 + 14 * _most_lines(notes)) * len(networks),
            key="bounds",
            hovermode="closest",
            showlegend=False,
            xaxis={
                **_across("Lipschitz constant, logits per pixel (ratio)", bounds),
                "domain": left,
            },
            xaxis2={
                **_across("Margin / (√2 bound) (pixel units, L2)", shares),
                "domain": right,
            },
            yaxis=row_axis("Network (by name)", names),
            yaxis2={**row_axis("", names), "anchor": "x2", "showticklabels": False},
            annotations=notes,
        ),
    }
    return Chart(
        figure=go.Figure(figure),
        title="The network's bounds",
        how_to_read="Left: the true constant lies somewhere on the bar; right: no perturbation "
        "shorter than this can change the prediction, which is the fair way to compare networks; "
        "bounds and margins are those at full precision, whatever the bit-widths.",
        formula=FORMULAS["network"],
        alt=" ".join(["Interval chart of the networks' Lipschitz bounds.", *words]),
        table=as_shown(grey_out(rows)),
        note=" ".join([*map(_sentence, said), _undefined(rows)]).strip(),
    )


def _by_network(rows: pd.DataFrame) -> dict[str, dict[tuple[str, str], float]]:
    found: dict[str, dict[tuple[str, str], float]] = {}
    columns = ("model", "weights", "metric", "statistic", "value")
    for model, weights, metric, statistic, value in zip(
        *[rows[c].tolist() for c in columns], strict=True
    ):
        found.setdefault(f"{model}/{weights}", {}).setdefault((metric, statistic), float(value))
    return found


def _across(title: str, values: Sequence[float]) -> dict[str, Any]:
    axis = value_axis(title, values, log=True)
    low, high = (10**v for v in axis["range"])
    ticks = log_ticks(low, high)
    step = max(1, math.ceil(len(ticks) / 6))
    chosen = ticks[::step]
    return {**axis, "tickvals": chosen, "ticktext": [tick_text(t) for t in chosen]}


def _interval(name: str, low: float, high: float, style: NetworkStyle) -> dict[str, Any]:
    ends = [v for v in (low, high) if math.isfinite(v)]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": ends,
        "y": [name] * len(ends),
        "line": {"color": style.colour, "width": 5, "dash": style.dash},
        "marker": {"color": style.colour, "size": 13, "symbol": style.marker},
        "hovertemplate": f"{name}: %{{x:.3g}}<extra></extra>",
    }


def _margin(name: str, margins: Sequence[float], style: NetworkStyle) -> dict[str, Any]:
    low, middle, high = margins
    known = math.isfinite(middle)
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [middle] if known else [],
        "y": [name] if known else [],
        "xaxis": "x2",
        "yaxis": "y2",
        "marker": {"color": style.colour, "size": 12, "symbol": style.marker},
        "hovertemplate": f"{name}: %{{x:.3g}} (median over the images)<extra></extra>",
    }
    if known and math.isfinite(low) and math.isfinite(high):
        spread = {"array": [high - middle], "arrayminus": [middle - max(low, 0.0)]}
        trace["error_x"] = {"type": "data", "symmetric": False, **spread, "color": GREY}
    return trace


def _none(name: str, which: str, text: str) -> dict[str, Any]:
    """Why a bound is missing, in the row of its network: above the bar or, the lower one, below."""
    above = which == "upper"
    return {
        "text": "<br>".join(textwrap.wrap(text, REASON_WIDTH)),
        "align": "left",
        "xref": "x domain",
        "x": 0.01,
        "xanchor": "left",
        "y": name,
        "yanchor": "bottom" if above else "top",
        "yshift": 10 if above else -10,
        "showarrow": False,
        "font": {"size": 11},
    }


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}."


def _most_lines(notes: Sequence[Mapping[str, Any]]) -> int:
    return max((note["text"].count("<br>") + 1 for note in notes), default=0)


def _undefined(rows: pd.DataFrame) -> str:
    """How many margins were no numbers."""
    counted = rows[(rows["metric"] == MARGIN) & (rows["statistic"] == "nan_count")]
    return left_out(read_curves(grey_out(counted)))


KEPT = 64
"""As many singular values of a layer are measured at most (`MOST_SINGULAR_VALUES`)."""


def singular_values(table: pd.DataFrame, layer: str, *, height: int = 420) -> Chart:
    """The singular values of one layer's kernel matrix, largest first, one curve a network."""
    every = table[table["metric"] == "singular_value"]
    rows = every[every["layer"] == layer]
    if rows.empty:
        names = ", ".join(dict.fromkeys(every["layer"]))
        raise ChartError(f"no singular values of the layer {layer!r}; found {names or 'none'}")
    spectra = {
        network: sorted((v for v in found.values() if math.isfinite(v)), reverse=True)
        for network, found in _by_network(rows).items()
    }
    short, styles = short_networks(spectra), network_styles(spectra)
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": short[network],
            "x": list(range(1, len(values) + 1)),
            "y": values,
            "line": {"color": styles[network].colour, "dash": styles[network].dash, "width": 2.2},
            "marker": {"color": styles[network].colour, "symbol": styles[network].marker},
            "hovertemplate": "%{y:.3g}",
        }
        for network, values in spectra.items()
    ]
    longest = max(map(len, spectra.values()))
    words = [
        f"{short[n]}: {len(v)} values from {alt.number(v[0])} down to {alt.number(v[-1])}."
        for n, v in spectra.items()
        if v
    ]
    figure = {
        "data": traces,
        "layout": layout(
            height=height,
            key=f"singular {layer}",
            xaxis={"title": {"text": "Rank (1 = largest)"}, "zeroline": False, "tickformat": "d"},
            yaxis={
                "title": {"text": "Singular value (ratio)"},
                "rangemode": "tozero",
                "automargin": True,
            },
            margin=LEVEL_MARGIN,
            shapes=[level_line(1, "1: orthogonal")],
        ),
    }
    return Chart(
        figure=go.Figure(figure),
        title=f"Singular values of {layer}",
        how_to_read="The flatter the curve and the nearer to 1, the closer the kernel is to the "
        "orthogonal one that the penalty asks for.",
        formula=FORMULAS["singular"],
        alt=" ".join([f"Line chart of the singular values of {layer}.", *words]),
        table=as_shown(grey_out(rows)),
        note=f"Of a layer the {KEPT} largest are kept." if longest >= KEPT else "",
    )
