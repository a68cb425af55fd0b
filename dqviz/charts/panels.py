"""Titles over panels and pictures that share a figure."""

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
