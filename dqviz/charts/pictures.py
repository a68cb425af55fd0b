"""One image and its perturbation, as pictures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.panels import bare_axis, grid_cell, picture_title
from dqviz.charts.style import layout

Map = NDArray[np.float32]


def image_triplet(
    clean: Map,
    perturbation: Map,
    adversarial: Map,
    *,
    magnify: float | None = None,
    height: int = 300,
) -> Chart:
    """The clean image, the perturbation made visible, and the adversarial image, in square pixels.

    Args:
        clean, adversarial: (C, H, W), pixels in [0, 1], C 1 or 3.
        perturbation: their difference, same shape and units.
        magnify: the factor by which the perturbation is drawn around mid-grey; None chooses the
            one that makes its largest value white or black.
    """
    if not clean.shape == perturbation.shape == adversarial.shape or clean.ndim != 3:
        raise ChartError(
            "the three images must have the same shape (C, H, W); got "
            f"{clean.shape}, {perturbation.shape}, {adversarial.shape}"
        )
    largest = float(np.max(np.abs(perturbation)))
    factor = magnify or (0.5 / largest if largest > 0 else 1.0)
    length = float(np.linalg.norm(perturbation.astype(np.float64)))
    pictures = {
        "clean": clean,
        f"perturbation, {factor:.3g} times": 0.5 + factor * perturbation,
        "adversarial": adversarial,
    }
    data, axes, notes = [], {}, []
    for place, (title, picture) in enumerate(pictures.items()):
        suffix = str(place + 1) if place else ""
        x, y = grid_cell(0, place, 1, 3)
        data.append(
            {
                "type": "image",
                "z": _pixels(picture),
                "colormodel": "rgb",
                "zsmooth": False,
                "xaxis": f"x{suffix}",
                "yaxis": f"y{suffix}",
                "hovertemplate": "%{z}<extra></extra>",
            }
        )
        axes[f"xaxis{suffix}"] = bare_axis(x, f"y{suffix}") | {"constrain": "domain"}
        axes[f"yaxis{suffix}"] = bare_axis(y, f"x{suffix}") | {"constrain": "domain"}
        notes.append(picture_title((x, y), title))
    figure = {
        "data": data,
        "layout": layout(
            height=height, key="triplet", hovermode="closest", annotations=notes, **axes
        ),
    }
    changed = f"largest change {largest * 255:.3g}/255, L2 length {length:.3g} (pixel units)"
    return Chart(
        figure=go.Figure(figure),
        title="The image and its perturbation",
        how_to_read=f"Mid-grey means unchanged; the perturbation is drawn {factor:.3g} times "
        "larger than it is.",
        formula=FORMULAS["image"],
        alt=f"A clean image, the perturbation magnified {factor:.3g} times, and the adversarial "
        f"image, {clean.shape[2]} by {clean.shape[1]} pixels; {changed}.",
        table=_pixel_table(clean, perturbation, adversarial),
    )


def _pixel_table(clean: Map, perturbation: Map, adversarial: Map) -> pd.DataFrame:
    """One row a pixel and channel, counted from 0; values as in the images."""
    channel, row, column = (axis.ravel() for axis in np.indices(clean.shape))
    values = {"clean": clean, "perturbation": perturbation, "adversarial": adversarial}
    return pd.DataFrame(
        {"channel": channel, "row": row, "column": column}
        | {name: value.ravel() for name, value in values.items()}
    )


def _pixels(picture: Map) -> NDArray[np.uint8]:
    """(C, H, W) in [0, 1] to (H, W, 3) in 0 to 255."""
    shown = np.clip(np.rint(picture * 255), 0, 255).astype(np.uint8).transpose(1, 2, 0)
    return np.repeat(shown, 3, axis=2) if shown.shape[2] == 1 else shown
