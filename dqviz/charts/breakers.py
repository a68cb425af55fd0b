"""Which attack of an ensemble broke how many images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts.axes import note_annotation, row_axis, stack_legend
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.style import DARK_GREY, SLOTS, WRITTEN, layout, solid_bar
from dqviz.charts.tidy import Curve, collapse_note, curve_names, grey_out, read_curves

METRIC = "broken_by"
BREAKERS = ("none", "clean", "apgd_ce", "apgd_dlr", "square")
"""What broke an image, by its number: nothing, nothing had to, or an attack of the ensemble."""

WORDS = {
    "none": "withstands",
    "square": "Square",
    "apgd_dlr": "APGD-DLR",
    "apgd_ce": "APGD-CE",
    "clean": "wrong unattacked",
}
"""The parts of a bar from left to right: the last attack to try comes first."""

LOOKS = {
    "none": (SLOTS[1].colour, ""),
    "square": (SLOTS[3].colour, "x"),
    "apgd_dlr": (SLOTS[2].colour, "\\"),
    "apgd_ce": (SLOTS[0].colour, "/"),
    "clean": (DARK_GREY, "."),
}
"""Colour and hatching of each part."""


def breakers(table: pd.DataFrame, samples: pd.DataFrame) -> Chart:
    """The images of each network by what broke them.

    Args:
        table: tidy rows under ONE ensemble attack at one epsilon.
        samples: rows of `broken_by`, a number of `BREAKERS` an image.

    Raises:
        ChartError: if there are none.
    """
    counts = breaker_counts(table, samples)
    labels = list(counts)
    totals = {name: sum(found.values()) for name, found in counts.items()}
    note = collapse_note(any(name.endswith("(collapsed)") for name in labels))
    height = 140 + 46 * len(labels)
    figure = {
        "data": [_bar(part, labels, counts, totals) for part in WORDS],
        "layout": layout(
            height=height,
            key="breakers",
            hovermode="closest",
            barmode="stack",
            bargap=0.3,
            xaxis={"title": {"text": "Share of the images (%)"}, "range": [0, 100]},
            yaxis=row_axis("Network (bits)", labels),
            annotations=note_annotation(note),
            legend=stack_legend(note, height),
        ),
    }
    said = [
        f"{name}: " + ", ".join(f"{WORDS[part]} {found[part]}" for part in WORDS)
        for name, found in counts.items()
    ]
    return Chart(
        figure=go.Figure(figure),
        title="Which attack broke how many",
        how_to_read="Each bar is all images of a network: those that withstand all attacks, then "
        "those that each attack broke, run one after another on what still stood, then those "
        "wrong to begin with.",
        formula=FORMULAS["breakers"],
        alt=f"Stacked bars of images. {'; '.join(said)}.",
        table=_rows(counts, totals),
        note=note,
    )


def breaker_curves(table: pd.DataFrame) -> dict[str, Curve]:
    """The networks under an ensemble, by their names."""
    rows = table[(table["metric"] == "robust_accuracy") & (table["layer"] == "network")]
    curves = read_curves(grey_out(rows))
    return dict(zip(curve_names(curves), curves, strict=True))


def breaker_counts(table: pd.DataFrame, samples: pd.DataFrame) -> dict[str, dict[str, int]]:
    """How many images of each network what broke, by the networks' names.

    Raises:
        ChartError: if no image says what broke it.
    """
    here = samples[samples["metric"] == METRIC] if len(samples) else samples
    if here.empty:
        raise ChartError("which attack broke an image is known of the attack 'standard' alone")
    found = {}
    for name, curve in breaker_curves(table).items():
        own = here[_of(here, curve)]
        if not own.empty:
            broken = own["value"].astype(int).map(BREAKERS.__getitem__)
            found[name] = {part: int((broken == part).sum()) for part in WORDS}
    return found


def _of(samples: pd.DataFrame, curve: Curve) -> pd.Series[bool]:
    network = samples["model"] + "/" + samples["weights"] == curve.network
    bits = samples["weight_bits"] == curve.weight_bits
    return network & bits & (samples["act_bits"] == curve.act_bits)


def _bar(
    part: str, labels: Sequence[str], counts: dict[str, dict[str, int]], totals: dict[str, int]
) -> dict[str, Any]:
    numbers = [counts[name][part] for name in labels]
    return {
        "type": "bar",
        "orientation": "h",
        "name": WORDS[part],
        "x": [100 * count / totals[name] for count, name in zip(numbers, labels, strict=True)],
        "y": list(labels),
        "text": [str(count) if count else "" for count in numbers],
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textangle": 0,
        "insidetextfont": WRITTEN,
        "marker": solid_bar(*LOOKS[part]),
        "hovertemplate": f"%{{y}}, {WORDS[part]}: %{{text}} images (%{{x:.1f}} %)<extra></extra>",
    }


def _rows(counts: dict[str, dict[str, int]], totals: dict[str, int]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "network": name,
            "broken_by": part,
            "images": found[part],
            "n_samples": totals[name],
            "share": found[part] / totals[name],
        }
        for name, found in counts.items()
        for part in WORDS
    )
