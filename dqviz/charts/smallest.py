"""How small an epsilon flips each image: a curve of the images still right, by network."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts.axes import legend_above, note_annotation
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.style import GREY, bits_dash, bits_marker, layout, network_styles
from dqviz.charts.tidy import ATTACK_NAMES, Curve, collapse_note, curve_names, grey_out, read_curves

METRIC = "smallest_epsilon"
HALF = 50.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flips:
    """The smallest epsilon that flips each image of a network, in grey levels of 255.

    0 where the image is wrong unattacked, infinite where nothing up to `bound` flipped it.
    """

    curve: Curve
    by_image: pd.Series[float]
    bound: float

    @property
    def median(self) -> float:
        """Half of the images are flipped here, those wrong unattacked among them; infinite where
        more than half withstand up to the bound."""
        return float(self.by_image.quantile(0.5, interpolation="lower"))

    def steps(self) -> tuple[list[float], list[float]]:
        """Where the curve steps down, and the share (%) that is right from there on."""
        found = sorted(float(value) for value in self.by_image)
        n = len(found)
        x, y = [0.0], [100 * sum(value > 0 for value in found) / n]
        for place, value in enumerate(found, start=1):
            if 0 < value < math.inf:
                x.append(value)
                y.append(100 * (n - place) / n)
        if x[-1] < self.bound:
            x.append(self.bound)
            y.append(y[-1])
        return x, y


def read_flips(table: pd.DataFrame, samples: pd.DataFrame) -> dict[str, Flips]:
    """The smallest epsilons by network, by its name.

    Args:
        table: tidy rows of the kind `smallest_epsilon`; the largest epsilon is how far was looked.
        samples: a row an image with the metric `smallest_epsilon`, in pixel units.

    Raises:
        ChartError: if no image has such a number.
    """
    here = samples[samples["metric"] == METRIC] if len(samples) else samples
    rows = table[(table["metric"] == METRIC) & (table["layer"] == "network")]
    if here.empty or rows.empty:
        raise ChartError("no smallest epsilon has been looked for")
    curves = read_curves(grey_out(rows))
    found = {}
    for name, curve in zip(curve_names(curves), curves, strict=True):
        own = here[_of(here, curve)]
        bound = 255 * float(rows[_of(rows, curve)]["epsilon"].max())
        values = 255 * own.set_index("image")["value"].astype(float)
        if len(values):
            found[name] = Flips(curve=curve, by_image=values, bound=bound)
    return found


def _of(rows: pd.DataFrame, curve: Curve) -> pd.Series[bool]:
    network = rows["model"] + "/" + rows["weights"] == curve.network
    bits = rows["weight_bits"] == curve.weight_bits
    return network & bits & (rows["act_bits"] == curve.act_bits)


def smallest_curves(table: pd.DataFrame, samples: pd.DataFrame, *, height: int = 460) -> Chart:
    """The share of images still right, against epsilon, with each network's median.

    Args:
        table: see `read_flips`.
        samples: see `read_flips`.
        height: of the figure, in pixels.

    Raises:
        ChartError: if no image has such a number.
    """
    found = read_flips(table, samples)
    note = collapse_note(any(flips.curve.collapsed for flips in found.values()))
    attack = next(iter(found.values())).curve.attack
    figure = {
        "data": [*_lines(found), *_medians(found)],
        "layout": layout(
            height=height,
            key="smallest",
            hovermode="closest",
            xaxis={
                "title": {"text": "Epsilon (grey levels of 255)"},
                "range": [0, max(flips.bound for flips in found.values())],
                "zeroline": False,
            },
            yaxis={
                "title": {
                    "text": f"Still right under {ATTACK_NAMES.get(attack, attack)} (% of images)"
                },
                "range": [-2, 102],
                "automargin": True,
                "zeroline": False,
            },
            shapes=[_half_line()],
            legend=legend_above(note, height),
            annotations=note_annotation(note),
        ),
    }
    words = [f"{name}: {median_text(flips)}" for name, flips in found.items()]
    return Chart(
        figure=go.Figure(figure),
        title="The smallest epsilon that flips each image",
        how_to_read="Each curve falls by one image where the smallest epsilon found flips it, from "
        "the clean accuracy at 0; the marker, on the dotted line, is the median.",
        formula=FORMULAS["smallest"],
        alt=f"Falling step curves, medians of {'; '.join(words)}.",
        table=_rows(found),
        note=note,
    )


def median_text(flips: Flips) -> str:
    """A median in words: `0.83/255`, or above how far was looked."""
    if math.isinf(flips.median):
        return f"above {flips.bound:.3g}/255"
    return f"{flips.median:.3g}/255"


def _lines(found: dict[str, Flips]) -> list[dict[str, Any]]:
    styles = network_styles(flips.curve.network for flips in found.values())
    lines = []
    for name, flips in found.items():
        curve, (x, y) = flips.curve, flips.steps()
        lines.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": f"{name}, median {median_text(flips)}",
                "legendgroup": name,
                "x": x,
                "y": y,
                "line": {
                    "shape": "hv",
                    "color": GREY if curve.collapsed else styles[curve.network].colour,
                    "dash": bits_dash(curve.weight_bits, curve.act_bits),
                    "width": 2.2,
                },
                "hovertemplate": f"%{{y:.1f}} % at %{{x:.3g}}/255<extra>{name}</extra>",
            }
        )
    return lines


def _medians(found: dict[str, Flips]) -> list[dict[str, Any]]:
    styles = network_styles(flips.curve.network for flips in found.values())
    marks = []
    for name, flips in found.items():
        curve = flips.curve
        style = styles[curve.network]
        if math.isfinite(flips.median):
            marks.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": f"median of {name}",
                    "legendgroup": name,
                    "showlegend": False,
                    "x": [flips.median],
                    "y": [HALF],
                    "marker": {
                        "symbol": bits_marker(style.marker, curve.weight_bits, curve.act_bits),
                        "size": 11,
                        "color": GREY if curve.collapsed else style.colour,
                    },
                    "hovertemplate": f"median %{{x:.3g}}/255<extra>{name}</extra>",
                }
            )
    return marks


def _half_line() -> dict[str, Any]:
    ends = {"xref": "paper", "x0": 0, "x1": 1, "y0": HALF, "y1": HALF}
    return {"type": "line", **ends, "line": {"color": GREY, "width": 1.2, "dash": "dot"}}


def _rows(found: dict[str, Flips]) -> pd.DataFrame:
    """One row an image and network; epsilon in pixel units."""
    parts: Sequence[pd.DataFrame] = [
        pd.DataFrame(
            {
                "network": flips.curve.network,
                "weight_bits": flips.curve.weight_bits,
                "act_bits": flips.curve.act_bits,
                "attack": flips.curve.attack,
                "image": flips.by_image.index,
                "smallest_epsilon": flips.by_image.to_numpy() / 255,
                "collapsed": flips.curve.collapsed,
            }
        )
        for flips in found.values()
    ]
    return pd.concat(parts, ignore_index=True)
