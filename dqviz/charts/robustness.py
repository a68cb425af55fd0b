"""Robust accuracy against epsilon or bit-width, with clean accuracy and 95 % intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts.alt import number
from dqviz.charts.axes import legend_above, note_annotation
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.robust_rows import (
    AGAINST,
    CLEAN,
    ROBUST,
    ROUNDED,
    WORDS,
    RobustCurve,
    read_robust,
    robust_names,
    robust_rows,
)
from dqviz.charts.shares import whiskers
from dqviz.charts.style import GREY, NetworkStyle, bits_dash, bits_marker, layout, network_styles
from dqviz.charts.tidy import ATTACK_NAMES, as_shown, collapse_note, epsilon_text

DASHES = {CLEAN: "7px,3px,1px,3px", ROUNDED: "1px,5px"}
"""What tells the other accuracies of a network from the one under attack."""

READ = {
    "epsilon": "Each curve falls from the clean accuracy, at 0, as the attack may change more",
    "act_bits": "Each curve is one network under attack as its activations get coarser, its clean "
    "accuracy dashed above it",
    "weight_bits": "Each curve is one network under attack as its weights get coarser, its clean "
    "accuracy dashed above it",
}


def robust_curves(
    table: pd.DataFrame,
    *,
    against: str = "epsilon",
    epsilon: float | None = None,
    height: int = 460,
) -> Chart:
    """Accuracy under ONE attack, a curve a network.

    The accuracy with images rounded to 8 bits is dotted beside it, where it was measured.

    Args:
        table: tidy rows of the kind `accuracy`.
        against: what is on the horizontal axis, one of `AGAINST`.
        epsilon: pixel units; needed against bits where the table holds several.
        height: of the figure, in pixels.

    Raises:
        ChartError: if there are no such rows, or those of several attacks.
    """
    if against not in AGAINST:
        raise ChartError(f"against must be one of {', '.join(AGAINST)}; got {against!r}")
    rows = robust_rows(table, epsilon=None if against == "epsilon" else epsilon)
    curves = read_robust(rows, against=against)
    names = robust_names(curves)
    styles = network_styles(curve.network for curve in curves)
    greyed = any(s.collapsed for c in curves for part in c.shares.values() for s in part)
    note, attack = collapse_note(greyed), _attack_words(rows, against)
    data = [
        _trace(curve, metric, name, styles[curve.network], against)
        for curve, name in zip(curves, names, strict=True)
        for metric in curve.shares
    ]
    figure = {
        "data": data,
        "layout": layout(
            height=height,
            key=f"robust {against}",
            hovermode="closest",
            xaxis={"title": {"text": AGAINST[against]}, **_x_axis(curves, against)},
            yaxis={
                "title": {"text": f"Accuracy under {attack} (%)"},
                "range": [-2, 102],
                "automargin": True,
                "zeroline": False,
            },
            legend=legend_above(note, height),
            annotations=note_annotation(note),
        ),
    }
    rounded = any(ROUNDED in curve.shares for curve in curves)
    dotted = "; dotted, with the attacked images rounded to 8 bits" if rounded else ""
    return Chart(
        figure=go.Figure(figure),
        title=f"Robust accuracy against {AGAINST[against].partition(' (')[0].lower()}",
        how_to_read=f"{READ[against]} (whiskers: 95 % intervals{dotted}).",
        formula=FORMULAS["accuracy"],
        alt=f"Line chart of the accuracy under {attack}. {'; '.join(_words(curves, names))}.",
        table=as_shown(rows),
        note=note,
    )


def _attack_words(rows: pd.DataFrame, against: str) -> str:
    attack = str(rows["attack"].iloc[0])
    name = ATTACK_NAMES.get(attack, attack)
    return name if against == "epsilon" else f"{name} {epsilon_text(rows['epsilon'].iloc[0])}"


def _x_axis(curves: Sequence[RobustCurve], against: str) -> dict[str, Any]:
    places = {share.x for c in curves for part in c.shares.values() for share in part}
    if against == "epsilon":
        most = max(places)
        return {"type": "linear", "range": [-0.02 * most, 1.03 * most], "zeroline": False}
    order = [f"{x:.0f}" for x in sorted(places, reverse=True)]
    return {"type": "category", "categoryarray": order}


def _trace(
    curve: RobustCurve, metric: str, name: str, style: NetworkStyle, against: str
) -> dict[str, Any]:
    shares, own = curve.shares[metric], metric == ROBUST
    colours = [GREY if share.collapsed else style.colour for share in shares]
    dash = bits_dash(*curve.bits) if own else DASHES[metric]
    value, low, high = ([getattr(s, end) for s in shares] for end in ("value", "low", "high"))
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name if own else f"{name}, {WORDS[metric]}",
        "legendgroup": name,
        "showlegend": own,
        "x": [share.x if against == "epsilon" else f"{share.x:.0f}" for share in shares],
        "y": value,
        "error_y": whiskers(value, low, high, thickness=1.2, color=colours[0], visible=own),
        "line": {
            "color": GREY if curve.collapsed else style.colour,
            "width": 2.2 if own else 1.3,
            "dash": dash,
        },
        "marker": {
            "symbol": bits_marker(style.marker, *curve.bits),
            "size": 8 if own else 5,
            "color": colours,
        },
        "customdata": list(zip(low, high, strict=True)),
        "hovertemplate": f"{WORDS[metric]}: %{{y:.1f}} % (%{{customdata[0]:.1f}} to "
        f"%{{customdata[1]:.1f}}) at %{{x}}<extra>{name}</extra>",
    }


def _words(curves: Sequence[RobustCurve], names: Sequence[str]) -> list[str]:
    """From where to where each curve runs."""
    words = []
    for curve, name in zip(curves, names, strict=True):
        ends = curve.shares[ROBUST][0], curve.shares[ROBUST][-1]
        said = [f"{number(share.value)} % at {share.x:g}" for share in ends]
        words.append(f"{name}: {' to '.join(dict.fromkeys(said))}")
    return words
