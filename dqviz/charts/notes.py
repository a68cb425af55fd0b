"""What is unusual about a chart's rows, in words: collapsed networks, values left out."""

from __future__ import annotations

from collections.abc import Iterable

from dqviz.charts.tidy import Curve, collapse_note


def chart_note(curves: Iterable[Curve], *more: str) -> str:
    """A chart's note: what is greyed, what was left out, and `more`; empty if all is as usual."""
    drawn = list(curves)
    parts = [collapse_note(any(c.collapsed for c in drawn)), left_out(drawn), *more]
    return " ".join(part for part in parts if part)


def left_out(curves: Iterable[Curve]) -> str:
    """How many values of these curves were no numbers; empty if there are none."""
    count = sum(v for c in curves for v in c.values("nan_count") if v > 0)
    if not count:
        return ""
    words = "value was not a number" if count == 1 else "values were not numbers"
    left = "is" if count == 1 else "are"
    return f"{count:.0f} {words} (a division by zero) and {left} left out."
