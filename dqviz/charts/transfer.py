"""Do perturbations carry over from one bit-width to another? Crafted on rows, judged on columns."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts.axes import note_annotation, row_axis
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.heat_cells import Cells, heat_traces, span_of
from dqviz.charts.robust_rows import CLEAN, ROBUST, robust_rows
from dqviz.charts.style import layout
from dqviz.charts.tidy import ATTACK_NAMES, as_shown, bits_text, collapse_note, epsilon_text

ITSELF = "itself"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Victim:
    """A bit-width of the network: its clean accuracy and, by the name of the bit-width that the
    perturbation was crafted on, its accuracy with the 95 % interval, all in percent. `sources` has
    what the column `crafted_on` calls those bit-widths."""

    name: str
    clean: float
    collapsed: bool
    robust: dict[str, tuple[float, float, float]]
    sources: dict[str, str]

    @property
    def own(self) -> tuple[float, float, float]:
        """Under perturbations crafted on itself."""
        return self.robust[self.name]


def victims(table: pd.DataFrame, *, epsilon: float | None = None) -> list[Victim]:
    """The bit-widths of ONE network, more bits first.

    Raises:
        ChartError: if there are none, those of several networks, or no perturbation of one's own.
    """
    rows = robust_rows(table, epsilon=epsilon)
    networks = sorted(set(rows["model"] + "/" + rows["weights"]))
    if len(networks) != 1:
        raise ChartError(f"a transfer matrix is of one network; found {', '.join(networks)}")
    found = [
        _victim(bits_text(int(str(w)), int(str(a))), part, networks[0])
        for (w, a), part in rows.groupby(["weight_bits", "act_bits"])
    ]
    found = found[::-1]
    if not all(victim.name in victim.robust for victim in found):
        raise ChartError("every bit-width needs a perturbation crafted on itself")
    return found


def _victim(name: str, rows: pd.DataFrame, network: str) -> Victim:
    robust = rows[rows["metric"] == ROBUST]
    parts = {str(source): part for source, part in robust.groupby("crafted_on", sort=False)}
    sources = {_source(source, network, name): source for source in parts}
    clean = rows[(rows["metric"] == CLEAN) & (rows["statistic"] == "value")]["value"]
    return Victim(
        name=name,
        clean=100 * float(clean.iloc[0]),
        collapsed=bool(rows["collapsed"].any()),
        robust={where: _interval(parts[source]) for where, source in sources.items()},
        sources=sources,
    )


def _source(crafted_on: str, network: str, name: str) -> str:
    """The bit-width that a perturbation was crafted on, as `bits_text` has it."""
    if crafted_on == ITSELF:
        return name
    return crafted_on.removeprefix(network).strip() or bits_text(32, 32)


def _interval(rows: pd.DataFrame) -> tuple[float, float, float]:
    told = dict(zip(rows["statistic"], 100 * rows["value"], strict=True))
    return told["value"], told.get("low", math.nan), told.get("high", math.nan)


def transfer_matrix(table: pd.DataFrame, *, epsilon: float | None = None) -> Chart:
    """Accuracy of each bit-width under perturbations crafted on each, of ONE network.

    Args:
        table: tidy rows of the kind `accuracy`, `crafted_on` saying where perturbations are from.
        epsilon: pixel units; needed where the table holds several.

    Raises:
        ChartError: see `victims`.
    """
    found = victims(table, epsilon=epsilon)
    rows = robust_rows(table, epsilon=epsilon)
    sources = [victim.name for victim in found]
    numbers = [[v.robust.get(s, (math.nan,) * 3)[0] for v in found] for s in sources]
    note = collapse_note(any(victim.collapsed for victim in found))
    attack = ATTACK_NAMES.get(str(rows["attack"].iloc[0]), str(rows["attack"].iloc[0]))
    where = f"{attack} {epsilon_text(rows['epsilon'].dropna().iloc[0])}"
    figure = {
        "data": _traces(found, sources, numbers),
        "layout": layout(
            height=190 + 48 * len(sources),
            key="transfer",
            hovermode="closest",
            xaxis={
                "title": {"text": f"Evaluated on (bits, and clean accuracy), {where}"},
                "type": "category",
                "side": "bottom",
                "showgrid": False,
                "automargin": True,
            },
            yaxis={
                **row_axis("Crafted on (bits)", sources),
                "range": [len(sources) - 0.5, -0.5],
            },
            annotations=note_annotation(note),
        ),
    }
    words = [f"{v.name} (clean {v.clean:.1f} %): {_said(v)}" for v in found]
    return Chart(
        figure=go.Figure(figure),
        title="Transfer between bit-widths",
        how_to_read="Each cell is the accuracy (%) of the bit-width below it under perturbations "
        "crafted on the bit-width to its left: a column whose lowest number is not on the diagonal "
        "is attacked better from elsewhere, a sign of masked gradients.",
        formula=FORMULAS["transfer"],
        alt=f"Heat map of accuracies under {where}. {'; '.join(words)}.",
        table=as_shown(rows),
        note=note,
    )


def _traces(
    found: list[Victim], sources: list[str], numbers: list[list[float]]
) -> list[dict[str, Any]]:
    """The sound columns in colours, the collapsed ones in greys, numbers written into each."""
    columns = [f"{victim.name}<br>clean {victim.clean:.1f} %" for victim in found]
    span = span_of((v for row in numbers for v in row), log=False)
    traces = []
    for collapsed in sorted({victim.collapsed for victim in found}):
        shown = [
            [v if victim.collapsed == collapsed else math.nan for v, victim in pairs]
            for pairs in (list(zip(row, found, strict=True)) for row in numbers)
        ]
        cells = Cells(
            columns=columns, names=sources, numbers=shown, collapsed=[collapsed] * len(sources)
        )
        text = [[f"{v:.1f}" if math.isfinite(v) else "" for v in row] for row in shown]
        words = "%{x}<br>crafted on %{y}: %{customdata:.1f} %<extra></extra>"
        more = {"text": text, "texttemplate": "%{text}", "hovertemplate": words}
        traces += heat_traces(cells, "Accuracy (%)", span, log=False, **more)
    return traces


def _said(victim: Victim) -> str:
    return ", ".join(f"{value:.1f} % from {name}" for name, (value, *_) in victim.robust.items())
