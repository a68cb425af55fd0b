"""What an attack does to the images that all networks compared classify correctly."""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts.axes import legend_above, note_annotation, row_axis
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.right_images import compared
from dqviz.charts.robust_rows import CLEAN, ROBUST, ROUNDED
from dqviz.charts.shares import whiskers
from dqviz.charts.style import SLOTS, layout
from dqviz.charts.tidy import Curve
from dqviz.proportions import Proportion, wilson


@dataclasses.dataclass(frozen=True)
class CommonImages:
    """The images that all networks classify correctly unattacked, and whom the attack fooled.

    `fooled` is a frame of booleans: a row an image, a column a network by its name; `rounded` the
    same with attacked images rounded to 8 bits, without columns where that was not measured.
    """

    fooled: pd.DataFrame
    rounded: pd.DataFrame
    left_out: tuple[str, ...]


def common_images(
    table: pd.DataFrame, samples: pd.DataFrame, *, epsilon: float | None = None
) -> CommonImages:
    """What an attack does to the images that all networks get right; collapsed ones are left out.

    Raises:
        ChartError: if no network has both its clean and its attacked images judged one by one.
    """
    curves = compared(table, epsilon=epsilon)
    sound = {name: curve for name, curve in curves.items() if not curve.collapsed}
    clean = _by_network(samples, sound, CLEAN)
    fooled, rounded = (_by_network(samples, sound, metric) for metric in (ROBUST, ROUNDED))
    if clean.empty or fooled.empty:
        raise ChartError("no network has been judged image by image, or all have collapsed")
    common = clean.index[(clean > 0).all(axis=1)]
    left_out = tuple(name for name in curves if name not in sound)
    return CommonImages(
        fooled.loc[fooled.index.isin(common)] == 0,
        rounded.loc[rounded.index.isin(common)] == 0,
        left_out,
    )


def _by_network(samples: pd.DataFrame, curves: dict[str, Curve], metric: str) -> pd.DataFrame:
    """A column a network, a row an image that all of them have."""
    if samples.empty:
        return pd.DataFrame()
    here = samples[(samples["metric"] == metric) & (samples["layer"] == "network")]
    columns = {}
    for name, curve in curves.items():
        of_network = (here["model"] + "/" + here["weights"]) == curve.network
        bits = (here["weight_bits"] == curve.weight_bits) & (here["act_bits"] == curve.act_bits)
        own = here[of_network & bits & (here["attack"] == curve.attack)]
        if not own.empty:
            columns[name] = own.set_index("image")["value"].astype(float)
    return pd.concat(columns, axis=1, join="inner") if columns else pd.DataFrame()


def attack_success(
    table: pd.DataFrame, samples: pd.DataFrame, *, epsilon: float | None = None
) -> Chart:
    """How many of the images that ALL networks classify correctly the attack flips, by network.

    Args:
        table: tidy rows with accuracies under one attack.
        samples: whether each image is classified correctly, of the same epsilon.
        epsilon: pixel units; needed where the table holds several.

    Raises:
        ChartError: if there is no such image.
    """
    common = common_images(table, samples, epsilon=epsilon)
    n = len(common.fooled)
    if n == 0:
        raise ChartError("there is no image that all networks classify correctly")
    found = {
        "as the attack left them": _successes(common.fooled),
        "rounded to 8 bits": _successes(common.rounded),
    }
    names = list(found["as the attack left them"])
    note = ""
    if common.left_out:
        note = f"Collapsed, and left out: {'; '.join(common.left_out)}."
    height = 140 + 44 * len(names)
    words = [
        f"{name} {100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"
        for name, share in found["as the attack left them"].items()
    ]
    figure = {
        "data": [
            _points(kind, shares, place)
            for place, (kind, shares) in enumerate(found.items())
            if shares
        ],
        "layout": layout(
            height=height,
            key="success",
            hovermode="closest",
            xaxis={"title": {"text": "Flipped by the attack (% of images)"}, "range": [-2, 102]},
            yaxis=row_axis("Network (bits)", names),
            annotations=note_annotation(note),
            legend=legend_above(note, height),
        ),
    }
    return Chart(
        figure=go.Figure(figure),
        title="Attack success on images that all classify correctly",
        how_to_read=f"Each point is the share of the {n} images right for every network that the "
        "attack flips, its whisker the 95 % interval (open squares: images rounded to 8 bits): "
        "networks of different clean accuracy can be compared so.",
        formula=FORMULAS["success"],
        alt=f"Points with intervals, {n} images. {'; '.join(words)}.",
        table=_success_rows(found, n),
        note=note,
    )


def _successes(fooled: pd.DataFrame) -> dict[str, Proportion]:
    return {str(name): wilson(int(fooled[name].sum()), len(fooled)) for name in fooled}


def _points(kind: str, shares: dict[str, Proportion], place: int) -> dict[str, Any]:
    colour = SLOTS[place].colour
    values = [100 * share.value for share in shares.values()]
    low, high = (
        [100 * getattr(share, end) for share in shares.values()] for end in ("low", "high")
    )
    return {
        "type": "scatter",
        "mode": "markers",
        "name": kind,
        "x": values,
        "y": list(shares),
        # the two nearly lie on one another
        "error_x": whiskers(
            values, low, high, thickness=2, width=5, color=colour, visible=place == 0
        ),
        "marker": {
            "symbol": ("circle", "square-open")[place],
            "size": 11 + 3 * place,
            "color": colour,
        },
        "customdata": list(zip(low, high, strict=True)),
        "hovertemplate": "%{y}: %{x:.1f} % (%{customdata[0]:.1f} to %{customdata[1]:.1f})"
        f"<extra>{kind}</extra>",
    }


def _success_rows(found: dict[str, dict[str, Proportion]], n: int) -> pd.DataFrame:
    return pd.DataFrame(
        {"network": name, "images": kind, "n_common": n, **dataclasses.asdict(share)}
        for kind, shares in found.items()
        for name, share in shares.items()
    )
