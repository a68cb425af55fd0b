"""What the penalty's strength does: one number of each network of the beta series against beta."""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts.axes import level_line, value_axis
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.shares import whiskers
from dqviz.charts.style import SLOTS, layout

HEIGHT = 360
ARMS = {"raw": 0, "folded": 1, "operator": 3}
"""The slot of each arm."""
ASIDE = 0.93
SHIFT = {"raw": ASIDE, "folded": 1.0, "operator": 1.07}
"""By how much the markers of an arm stand beside their beta, so that whiskers do not overlap; those
without weight decay stand `ASIDE` of that."""
_WITHOUT = ", no BatchNorm"
BARE, BARE_SLOT = f"raw{_WITHOUT}", 5
PENALTY = r"L = L_{CE} + \frac{\beta}{2}\, P(W)"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measure:
    """A number of the series: how it is called, its axis, and how to read it."""

    title: str
    axis: str
    how: str
    log: bool = False
    line: float | None = None


MEASURES = {
    "clean": Measure(
        title="Clean accuracy",
        axis="Accuracy (%)",
        how="A penalty too strong costs accuracy.",
    ),
    "robust": Measure(
        title="Robust accuracy, PGD at 1/255",
        axis="Accuracy (%)",
        how="Higher than the grey line, with whiskers that leave it out: the penalty helps.",
    ),
    "raw_norm": Measure(
        title="Largest norm of a raw kernel",
        axis="Largest singular value (ratio)",
        how="What the raw penalty acts on. It may fall while the function stays what it was.",
        log=True,
        line=1.0,
    ),
    "folded_norm": Measure(
        title="Largest operator norm, BatchNorm folded in",
        axis="Operator norm (ratio)",
        how="What a layer really applies: at 1, the dotted line, it enlarges no noise.",
        log=True,
        line=1.0,
    ),
    "amplification": Measure(
        title="Noise at the last layer",
        axis="Amplification (ratio)",
        how="FGSM at 1/255, centred, over that of the normalised image: lower is less noise.",
        log=True,
    ),
}


def strength(table: pd.DataFrame, measure: str) -> Chart:
    """One measure against beta, a curve an arm; without a penalty a horizontal line.

    Args:
        table: columns `network, arm, beta, weight_decay, batch_norm` and the measures; `clean` and
            `robust` in percent, with `_low` and `_high`.
        measure: one of `MEASURES`.

    Raises:
        ChartError: if there is no network with a penalty.
    """
    what = MEASURES[measure]
    graded = table[table["arm"] != "none"] if len(table) else table
    if graded.empty:
        raise ChartError("no network of the beta series has been measured")
    normed, bare = (graded[graded["batch_norm"].astype(bool) == has] for has in (True, False))
    none = table[(table["arm"] == "none") & (table["weight_decay"] > 0)]
    data = [trace for arm in ARMS for trace in _traces(normed[normed["arm"] == arm], arm, measure)]
    data += [_trace(bare, BARE, BARE_SLOT, measure)] if len(bare) else []
    shapes = [
        level_line(float(row[measure]), dash="solid" if row["batch_norm"] else "dash")
        for _, row in none.iterrows()
    ]
    shapes += [] if what.line is None else [level_line(what.line)]
    values = [*table[measure], *([what.line] if what.line is not None else [])]
    figure = go.Figure(
        data=data,
        layout=layout(
            height=HEIGHT,
            key=f"strength {measure}",
            hovermode="closest",
            xaxis={
                "title": {"text": "Beta, the penalty's strength (logarithmic axis)"},
                "type": "log",
                "tickvals": sorted(set(graded["beta"])),
                "tickformat": "g",
                "automargin": True,
            },
            yaxis=value_axis(what.axis, values, log=what.log),
            shapes=shapes,
        ),
    )
    grey = " The grey line is the same training without a penalty" if len(none) else ""
    grey += ", dashed without BatchNorm." if grey and len(bare) else "." if grey else ""
    return Chart(
        figure=figure,
        title=what.title,
        how_to_read=f"{what.how}{grey} Open markers are without weight decay. Markers of one "
        "beta stand side by side. One seed each: differences as small as those between seeds mean "
        "nothing.",
        formula=PENALTY,
        alt=_alt(what.title, table, measure),
        table=table,
    )


def _traces(rows: pd.DataFrame, arm: str, measure: str) -> list[dict[str, Any]]:
    """The curve of an arm, and its networks without weight decay beside it."""
    found = []
    for decay, part in (
        (True, rows[rows["weight_decay"] > 0]),
        (False, rows[rows["weight_decay"] == 0]),
    ):
        if part.empty:
            continue
        name = arm if decay else f"{arm}, no weight decay"
        shift = SHIFT[arm] * (1.0 if decay else ASIDE)
        found.append(_trace(part, name, ARMS[arm], measure, shift=shift, filled=decay))
    return found


def _trace(
    rows: pd.DataFrame,
    name: str,
    place: int,
    measure: str,
    *,
    shift: float = 1.0,
    filled: bool = True,
) -> dict[str, Any]:
    slot, rows = SLOTS[place], rows.sort_values("beta")
    values = rows[measure].tolist()
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines+markers" if filled else "markers",
        "name": name,
        "x": (shift * rows["beta"]).tolist(),
        "customdata": rows["beta"].tolist(),
        "hovertemplate": "beta %{customdata:g}: %{y:.4g}",
        "y": values,
        "line": {"color": slot.colour, "dash": slot.dash},
        "marker": {
            "symbol": slot.marker + ("" if filled else "-open"),
            "size": 9,
            "color": slot.colour,
        },
    }
    if f"{measure}_low" in rows:
        ends = (rows[f"{measure}_low"].tolist(), rows[f"{measure}_high"].tolist())
        trace["error_y"] = whiskers(values, *ends, color=slot.colour)
    return trace


def _alt(title: str, table: pd.DataFrame, measure: str) -> str:
    """From which value to which each arm goes."""
    decayed = table[table["weight_decay"] > 0].sort_values("beta")
    words = decayed["arm"].where(decayed["batch_norm"].astype(bool), decayed["arm"] + _WITHOUT)
    parts = [
        f"{arm}: {rows[measure].iloc[0]:.3g} at beta {rows['beta'].iloc[0]:g}, "
        f"{rows[measure].iloc[-1]:.3g} at {rows['beta'].iloc[-1]:g}"
        for arm, rows in decayed.groupby(words, sort=False)
    ]
    return f"{title} against beta. {'; '.join(parts)}."
