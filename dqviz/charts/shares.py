"""Shares of images as charts draw them: whiskers, and groups of bars a network each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dqviz.charts.axes import legend_above, note_annotation
from dqviz.charts.style import NetworkStyle, bar_marker, layout
from dqviz.charts.tidy import Curve
from dqviz.charts.traces import colour_of


def whiskers(
    value: Sequence[float], low: Sequence[float], high: Sequence[float], **style: Any
) -> dict[str, Any]:
    """Plotly's error bars from values to the ends of their intervals."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [h - v for h, v in zip(high, value, strict=True)],
        "arrayminus": [v - w for v, w in zip(value, low, strict=True)],
        **style,
    }


def share_bars(
    curve: Curve,
    name: str,
    bars: Mapping[str, Curve],
    styles: dict[str, NetworkStyle],
    place: int,
    *,
    said: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The bars of one network (%), with 95 % whiskers.

    Args:
        curve: whose colour and hatching they take.
        name: its name in the legend.
        bars: the shares (0 to 1) by the group of bars that each stands in.
        styles: of all networks, see `styles_of`.
        place: its place in every group.
        said: what is added to a bar's words, by its group.
    """
    value, low, high = (
        [100 * c.values(s)[0] for c in bars.values()] for s in ("value", "low", "high")
    )
    colour = colour_of(curve, styles)
    added = [(said or {}).get(group, "") for group in bars]
    return {
        "type": "bar",
        "name": name,
        "x": list(bars),
        "y": value,
        "offsetgroup": str(place),
        "error_y": whiskers(value, low, high, color=colour, thickness=2, width=6),
        "marker": bar_marker(
            colour, styles[curve.network].hatch, curve.weight_bits, curve.act_bits
        ),
        "customdata": list(zip(low, high, added, strict=True)),
        "hovertemplate": f"{name}, %{{x}}: %{{y:.1f}} % "
        "(%{customdata[0]:.1f} to %{customdata[1]:.1f}%{customdata[2]})<extra></extra>",
    }


def bars_layout(*, key: str, title: str, note: str, height: int) -> dict[str, Any]:
    """The layout of groups of bars; `title` says what the groups are."""
    return layout(
        height=height,
        key=key,
        hovermode="closest",
        barmode="group",
        bargap=0.25,
        bargroupgap=0.08,
        xaxis={"title": {"text": title}, "type": "category"},
        yaxis={"title": {"text": "Accuracy (%)"}, "range": [0, 102], "automargin": True},
        legend=legend_above(note, height),
        annotations=note_annotation(note),
    )


def share_words(group: str, curve: Curve) -> str:
    """A share and its interval in words: `clean 95.0 % (90.0 to 97.0)`."""
    value, low, high = (100 * curve.values(s)[0] for s in ("value", "low", "high"))
    return f"{group} {value:.1f} % ({low:.1f} to {high:.1f})"
