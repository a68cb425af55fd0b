"""What networks think of one image, clean and adversarial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts.axes import legend_above
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.panels import Domains, panel_title
from dqviz.charts.style import GREY, fade, layout, network_styles
from dqviz.charts.tidy import bits_text, collapse_note, grey_out, short_networks

STAGES = ("clean", "adversarial")
MOST_CLASSES = 10
NETWORK = ("model", "weights", "weight_bits", "act_bits")


def probabilities(table: pd.DataFrame, *, height: int | None = None) -> Chart:
    """Class probabilities of each network and bit-width, for the clean and the adversarial image.

    One panel a network and bit-width; at most `MOST_CLASSES` classes, those with the largest
    probability anywhere.

    Args:
        table: rows with `model, weights, weight_bits, act_bits, stage, class, class_index,
            probability, clean_accuracy, clean_accuracy_full` (shares) of a playground, and `label`
            where known. Collapsed networks are grey.
    """
    needed = {"stage", "class", "class_index", "probability"} - set(table.columns)
    rows = table[table["probability"].notna()] if not needed else table.iloc[:0]
    if rows.empty:
        raise ChartError(f"no probabilities; the table lacks {sorted(needed) or 'such rows'}")
    rows = grey_out(rows)
    greyed = {
        (f"{model}/{weights}", int(w), int(a))
        for model, weights, w, a in rows.loc[rows["collapsed"], list(NETWORK)].itertuples(False)
    }
    classes = _classes(rows)
    rows = rows[rows["class"].isin(classes)]
    panels = _panels(rows)
    networks = [key[0] for key in panels]
    short, styles = short_networks(networks), network_styles(networks)
    columns = min(len(panels), 2)
    lines = -(-len(panels) // columns)
    height = height or 110 + 210 * lines
    data: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    notes: list[dict[str, Any]] = []
    words = []
    for place, ((network, *bits), part) in enumerate(panels.items()):
        collapsed = (network, *bits) in greyed
        name = f"{short[network]}, {bits_text(*bits)}" + (" (collapsed)" if collapsed else "")
        colour = GREY if collapsed else styles[network].colour
        where = _panel(place, columns, lines)
        axes |= _probability_axes(place, where, classes, last=place + columns >= len(panels))
        notes.append(panel_title(where, f"{name}: {_verdicts(part)}"))
        data += _stage_bars(part, classes, colour, place)
        words.append(f"{name}: {_verdicts(part)}.")
    figure = {
        "data": data,
        "layout": layout(
            height=height,
            key="probabilities",
            barmode="group",
            bargap=0.25,
            annotations=notes,
            **axes,
            legend=legend_above("panel titles", height),
        ),
    }
    return Chart(
        figure=go.Figure(figure),
        title="Class probabilities",
        how_to_read="Filled bars: what the network thinks of the clean image; hatched bars: of the "
        "adversarial one.",
        formula=FORMULAS["probability"],
        alt=" ".join(["Bar charts of class probabilities.", *words]),
        table=rows.reset_index(drop=True),
        note=collapse_note(bool(greyed)),
    )


Shares = dict[str, dict[str, float]]
"""Probabilities by stage and class."""


def _panels(rows: pd.DataFrame) -> dict[tuple[str, int, int], Shares]:
    """The probabilities of each network and bit-width, in the order of the table."""
    names = ("model", "weights", "weight_bits", "act_bits", "stage", "class", "probability")
    panels: dict[tuple[str, int, int], Shares] = {}
    for model, weights, w, a, stage, label, share in zip(
        *[rows[name].tolist() for name in names], strict=True
    ):
        part = panels.setdefault((f"{model}/{weights}", int(w), int(a)), {})
        part.setdefault(stage, {})[label] = float(share)
    return panels


def _classes(rows: pd.DataFrame) -> list[str]:
    """The classes shown, in the order of their index."""
    largest = rows.groupby(["class_index", "class"], observed=True)["probability"].max()
    chosen = largest.sort_values(ascending=False).head(MOST_CLASSES).sort_index()
    return [str(name) for _, name in chosen.index]


def _verdicts(part: Shares) -> str:
    said = []
    for stage in (s for s in STAGES if s in part):
        top = max(part[stage], key=lambda label: part[stage][label])
        said.append(f"{stage} {top} ({100 * part[stage][top]:.0f} %)")
    return " → ".join(said)


def _panel(place: int, columns: int, lines: int) -> Domains:
    """The (x, y) domains of a panel in a grid."""
    column, line = place % columns, place // columns
    width, tall = 1 / columns, 1 / lines
    x = [column * width + 0.04 * (column > 0), (column + 1) * width - 0.02 * (columns > 1)]
    top = 1 - line * tall
    return x, [top - tall + 0.10 * (lines > 1), top - 0.06]


def _probability_axes(
    place: int, where: Domains, classes: Sequence[str], *, last: bool
) -> dict[str, Any]:
    suffix = str(place + 1) if place else ""
    across: dict[str, Any] = {
        "domain": where[0],
        "anchor": f"y{suffix}",
        "type": "category",
        "categoryarray": list(classes),
        "automargin": True,
    }
    if last:
        across["title"] = {"text": "Class (by name)"}
    upward = {
        "domain": where[1],
        "anchor": f"x{suffix}",
        "range": [0, 101],
        "title": {"text": "Probability (%)"},
        "automargin": True,
    }
    return {f"xaxis{suffix}": across, f"yaxis{suffix}": upward}


def _stage_bars(
    part: Shares, classes: Sequence[str], colour: str, place: int
) -> list[dict[str, Any]]:
    suffix = str(place + 1) if place else ""
    bars = []
    for stage in STAGES:
        found = part.get(stage, {})
        clean = stage == "clean"
        bars.append(
            {
                "type": "bar",
                "name": f"{stage} image",
                "legendgroup": stage,
                "showlegend": place == 0,
                "x": list(classes),
                "y": [100 * found.get(c, 0.0) for c in classes],
                "xaxis": f"x{suffix}",
                "yaxis": f"y{suffix}",
                "marker": {
                    "color": fade(colour, 0.9 if clean else 0.25),
                    "line": {"color": colour, "width": 1.2},
                    "pattern": {"shape": "" if clean else "/", "fgcolor": colour, "size": 6},
                },
                "hovertemplate": "%{y:.1f} %",
            }
        )
    return bars
