"""What the measurement of one kind of experiment hands to `run`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from dqviz.measure.accuracy import Proportion
from dqviz.measure.rows import NETWORK, Row


@dataclasses.dataclass(kw_only=True)
class Findings:
    """Rows (mappings of columns), what all of them share, arrays by name, and notes.

    `extra` names the columns that this kind adds after the common ones. `samples` are mappings of
    columns whose `value` holds a number for every image. `reasons` say why a number is missing,
    `epsilon_notes` which notes concern one epsilon alone.
    """

    rows: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    columns: dict[str, Any] = dataclasses.field(default_factory=dict)
    arrays: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)
    extra: tuple[str, ...] = ()
    samples: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    reasons: dict[str, str] = dataclasses.field(default_factory=dict)
    epsilon_notes: dict[float, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    def note_at(self, epsilon: float, text: str) -> None:
        """Adds a note that concerns one epsilon (pixel units) alone."""
        note = f"At {epsilon * 255:.4g}/255: {text}."
        self.notes.append(note)
        self.epsilon_notes[epsilon] = (*self.epsilon_notes.get(epsilon, ()), note)

    def add(self, rows: Iterable[Row], **columns: Any) -> None:
        """Adds measured rows, all with the given columns."""
        self.rows += [dict(zip(Row._fields, row, strict=True), **columns) for row in rows]

    def add_sample(
        self, metric: str, value: Sequence[float] | np.ndarray, *, attack: str, epsilon: float
    ) -> None:
        """Adds a number for every image that concerns the whole network; NaN for no epsilon."""
        where = {"attack": attack, "epsilon": epsilon, "layer": NETWORK}
        self.samples.append({**where, "metric": metric, "value": value})


def proportion_rows(metric: str, share: Proportion) -> list[Row]:
    """The rows of a proportion with its 95 % interval, for the whole network."""
    parts = {"value": share.value, "low": share.low, "high": share.high}
    return [Row(NETWORK, -1, metric, name, value) for name, value in parts.items()]
