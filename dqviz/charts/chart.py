"""What every chart consists of: the figure, and what lets a person read it without seeing it."""

from __future__ import annotations

import dataclasses

import pandas as pd
import plotly.graph_objects as go


class ChartError(ValueError):
    """A table that cannot be drawn; the message says what was found and what is needed."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chart:
    """A drawn chart with its words, its formula and the rows it shows.

    `how_to_read` is one sentence. `formula` is LaTeX without dollar signs. `alt` describes the
    shown data in words and is computed from it. `table` holds the rows shown, in full precision.
    `note` says what is unusual about them, such as greyed rows, and is empty otherwise.
    """

    figure: go.Figure
    title: str
    how_to_read: str
    formula: str
    alt: str
    table: pd.DataFrame
    note: str = ""

    @property
    def file_name(self) -> str:
        """A name for the downloaded data, from the title: small letters, digits, hyphens."""
        plain = (c if c.isascii() and c.isalnum() else " " for c in self.title.lower())
        return "-".join("".join(plain).split()) + ".csv"
