"""Panels and pictures that share a figure: their places, bare axes and titles."""

from __future__ import annotations

from typing import Any

Domains = tuple[list[float], list[float]]
"""Where a panel lies, across and up, in shares of the figure."""


def panel_title(where: Domains, text: str) -> dict[str, Any]:
    """A title above the left edge of a panel."""
    return {
        "text": text,
        "xref": "paper",
        "yref": "paper",
        "x": where[0][0],
        "y": where[1][1],
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 13},
    }


def picture_title(where: Domains, text: str) -> dict[str, Any]:
    """A title over the middle of a picture."""
    return {**panel_title(where, text), "x": sum(where[0]) / 2, "xanchor": "center"}


def grid_cell(line: int, column: int, lines: int, columns: int) -> Domains:
    """Where a picture lies in a grid of pictures, lines counted from the top."""
    width, tall = 1 / columns, 1 / lines
    x = [column * width + 0.01, (column + 1) * width - 0.01]
    top = 1 - line * tall
    return x, [max(0.0, top - tall + 0.02), top - 0.02]


def bare_axis(domain: list[float], anchor: str) -> dict[str, Any]:
    """An axis of a picture: without a line, ticks or numbers."""
    hidden = {"showticklabels": False, "showgrid": False, "zeroline": False, "ticks": ""}
    return {"domain": domain, "anchor": anchor, **hidden}
