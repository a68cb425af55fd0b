"""Can an attack's result be trusted? What its variants leave, and one finding a check."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts.alt import number
from dqviz.charts.axes import row_axis
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.masking_words import QUESTIONS, VARIANTS
from dqviz.charts.shares import whiskers
from dqviz.charts.style import SLOTS, layout
from dqviz.charts.tidy import as_shown

SURVIVAL = "survival"
MARKS = ("green", "amber", "red")
"""A check's marks by the number in its row `mark`."""

COLOURS = {"attack": SLOTS[0].colour, "other": SLOTS[1].colour}

MORE_IMAGES = "That may be chance: take more images."
NOTHING_RIGHT = (
    "No image is classified correctly, so there is nothing to attack: check that these images, "
    "their classes and their normalisation are those of the network."
)


@dataclasses.dataclass(frozen=True)
class Finding:
    """One check: its mark, what ought to hold, what was found, and what to do where it fails.

    `images` is how many it rests on, those that are classified correctly unattacked.
    """

    name: str
    mark: str
    asked: str
    evidence: str
    advice: str
    images: int


def masking_findings(table: pd.DataFrame) -> list[Finding]:
    """The checks of ONE network, the red ones first, then the amber ones.

    Raises:
        ChartError: if the table has no checks, or those of several networks.
    """
    rows = table[table["metric"].isin(QUESTIONS)]
    if rows.empty:
        raise ChartError("there are no checks of an attack in this table")
    if len(rows[["model", "weights", "weight_bits", "act_bits"]].drop_duplicates()) > 1:
        raise ChartError("these are checks of several networks; choose one of them")
    found = [
        _finding(str(metric), str(other), part)
        for (metric, other), part in rows.groupby(["metric", "other"], sort=False)
    ]
    order = list(QUESTIONS)
    return sorted(found, key=lambda f: (-MARKS.index(f.mark), order.index(f.name)))


def any_image(findings: Sequence[Finding]) -> bool:
    """Whether the network was right about any image: if not, no variant has been run."""
    return any(finding.images for finding in findings)


def verdict(findings: Sequence[Finding]) -> tuple[str, str]:
    """The worst mark and what all findings say together, in one sentence."""
    if not any_image(findings):
        return "amber", NOTHING_RIGHT
    counts = {mark: sum(f.mark == mark for f in findings) for mark in MARKS}
    if counts["red"]:
        few = f"{counts['red']} of {len(findings)} checks"
        return "red", f"{few} speak against the attack: its accuracy says little of the network."
    if counts["amber"]:
        few = f"{counts['amber']} of {len(findings)} checks"
        return "amber", f"No check is red, but {few} cannot tell: take more images."
    return "green", (
        f"None of {len(findings)} checks speaks against the attack. That is no proof: a stronger "
        "attack may still be found."
    )


def _finding(metric: str, other: str, rows: pd.DataFrame) -> Finding:
    question = QUESTIONS[metric]
    told = dict(zip(rows["statistic"], rows["value"], strict=True))
    count = int(told["count"])
    words = {"other": other, "count": f"{count:,}"}
    if not count:
        evidence = "no image is classified correctly, so there is nothing to attack"
    elif question.is_share:
        fooled = round(told["value"] * count)
        evidence = question.evidence.format(value=f"{fooled:,}", **words)
        evidence += f" ({_range(told, '%')}; up to {100 * told['limit']:.3g} % is tolerated)"
    else:
        evidence = question.evidence.format(value=_points(told["value"]), **words)
        evidence += f" ({_range(told, 'points')}; up to {100 * told['limit']:.3g} is tolerated)"
    return Finding(
        name=metric,
        mark=MARKS[int(told["mark"])],
        asked=question.asked.format(**words),
        evidence=f"{evidence[:1].upper()}{evidence[1:]}.",
        advice=MORE_IMAGES if told["mark"] == 1 else question.advice,
        images=count,
    )


def _points(share: float) -> str:
    points = 100 * share
    if abs(points) < 0.05:
        return "as many standing as"
    return f"{abs(points):.1f} points {'more' if points > 0 else 'fewer'} standing than"


def _range(told: dict[str, float], unit: str) -> str:
    return f"95 % interval {100 * told['low']:.1f} to {100 * told['high']:.1f} {unit}"


def attack_variants(table: pd.DataFrame) -> Chart:
    """How many correctly classified images withstand each variant of an attack on ONE network.

    Raises:
        ChartError: if the table has no such rows.
    """
    rows = table[table["metric"] == SURVIVAL]
    if rows.empty:
        raise ChartError("no variant of the attack has been run on any image")
    found = {
        str(variant): dict(zip(part["statistic"], 100 * part["value"], strict=True))
        for variant, part in rows.groupby("variant", sort=False)
    }
    place = {name: i for i, name in enumerate(VARIANTS)}
    names = sorted(found, key=lambda name: place.get(name, len(place)))
    labels = [VARIANTS.get(name, f"Crafted on {name}") for name in names]
    own = found["attack"]["value"]
    words = [
        f"{label} {number(found[name]['value'])} %"
        for name, label in zip(names, labels, strict=True)
    ]
    figure = {
        "data": [_trace(names, labels, found, own=True), _trace(names, labels, found, own=False)],
        "layout": layout(
            height=80 + 30 * len(names),
            key="variants",
            hovermode="closest",
            showlegend=False,
            xaxis={
                "title": {"text": "Still classified correctly (% of those that were)"},
                "range": [-2, 102],
                "zeroline": False,
            },
            yaxis=row_axis("Variant of the attack", labels),
            shapes=[_line(own)],
            margin={"l": 72, "r": 24, "t": 12, "b": 32},
        ),
    }
    return Chart(
        figure=go.Figure(figure),
        title="What each variant of the attack leaves standing",
        how_to_read="Each point is the share of images that withstand, with its 95 % interval; a "
        "variant well left of the dashed line does better than the attack as chosen.",
        formula=FORMULAS["accuracy"],
        alt=f"Points with intervals. {'; '.join(words)}.",
        table=as_shown(rows),
    )


def _line(at: float) -> dict[str, Any]:
    ends = {"x0": at, "x1": at, "y0": 0, "y1": 1, "xref": "x", "yref": "paper"}
    return {
        "type": "line",
        **ends,
        "line": {"color": COLOURS["attack"], "width": 1, "dash": "dash"},
    }


def _trace(
    names: list[str], labels: list[str], found: dict[str, dict[str, float]], *, own: bool
) -> dict[str, Any]:
    """The attack as chosen, or all the others."""
    chosen = [
        (label, found[name])
        for name, label in zip(names, labels, strict=True)
        if (name == "attack") == own
    ]
    colour = COLOURS["attack" if own else "other"]
    values, low, high = ([told[s] for _, told in chosen] for s in ("value", "low", "high"))
    return {
        "type": "scatter",
        "mode": "markers",
        "x": values,
        "y": [label for label, _ in chosen],
        "error_x": whiskers(values, low, high, color=colour, thickness=2, width=5),
        "marker": {"color": colour, "size": 11, "symbol": "diamond" if own else "circle"},
        "customdata": list(zip(low, high, strict=True)),
        "hovertemplate": "%{y}: %{x:.1f} % (%{customdata[0]:.1f} to %{customdata[1]:.1f})"
        "<extra></extra>",
    }
