"""One image and its perturbation, and the noise in the feature maps, as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.panels import Domains, picture_title
from dqviz.charts.style import layout
from dqviz.charts.tidy import short_layers, short_networks

Map = NDArray[np.float32]


def noise_maps(maps: Mapping[tuple[str, str], Map], *, cell: int = 190) -> Chart:
    """Feature-map differences as pictures: a row a network, a column a layer, ONE colour scale.

    Args:
        maps: by (network, layer), 2-D arrays (H, W); sizes may differ from layer to layer. With
            negative values the scale is symmetric about 0, else it starts at 0.
        cell: pixels a picture is high.
    """
    if not maps:
        raise ChartError("no feature maps were given")
    for key, values in maps.items():
        if values.ndim != 2:
            raise ChartError(f"the map of {key} must have 2 dimensions; got shape {values.shape}")
    rows, columns = (list(dict.fromkeys(key[i] for key in maps)) for i in (0, 1))
    signed = any(float(np.nanmin(v)) < 0 for v in maps.values())
    top = max(float(np.nanmax(np.abs(v))) for v in maps.values()) or 1.0
    data, axes, notes = [], {}, []
    names = short_networks(rows)
    for place, (network, layer) in enumerate((r, c) for r in rows for c in columns):
        line, column = divmod(place, len(columns))
        suffix = str(place + 1) if place else ""
        x, y = _cell(line, column, len(rows), len(columns))
        if (network, layer) in maps:
            data.append(_picture(maps[network, layer], suffix, f"{names[network]}, {layer}"))
        axes[f"xaxis{suffix}"] = _bare(x, f"y{suffix}")
        axes[f"yaxis{suffix}"] = _bare(y, f"x{suffix}") | {"autorange": "reversed"}
        axes[f"yaxis{suffix}"] |= {"scaleanchor": f"x{suffix}", "constrain": "domain"}
        axes[f"xaxis{suffix}"] |= {"constrain": "domain"}
        if line == 0:
            notes.append(picture_title((x, y), short_layers([layer], longest=22)[0]))
        if column == 0:
            notes.append(_row_title(y, names[network]))
    figure = {
        "data": data,
        "layout": layout(
            height=70 + cell * len(rows),
            key="noise maps",
            hovermode="closest",
            annotations=notes,
            **axes,
            coloraxis={
                "colorscale": "RdBu_r" if signed else "Cividis",
                "cmin": -top if signed else 0,
                "cmax": top,
                "colorbar": {
                    "title": {"text": "Noise / signal (ratio)", "side": "right"},
                    "thickness": 14,
                },
            },
        ),
    }
    return Chart(
        figure=go.Figure(figure),
        title="The noise itself",
        how_to_read="Each picture is one layer's input and each row one network, all on the same "
        "colours: the brighter, the more the perturbation changed that place.",
        formula=FORMULAS["noise_map"],
        alt=_maps_alt(maps, names),
        table=_map_table(maps),
    )


def _cell(line: int, column: int, lines: int, columns: int) -> Domains:
    width, tall = 1 / columns, 1 / lines
    x = [column * width + 0.01, (column + 1) * width - 0.01]
    top = 1 - line * tall
    return x, [max(0.0, top - tall + 0.02), top - 0.02]


def _bare(domain: list[float], anchor: str) -> dict[str, Any]:
    hidden = {"showticklabels": False, "showgrid": False, "zeroline": False, "ticks": ""}
    return {"domain": domain, "anchor": anchor, **hidden}


def _picture(values: Map, suffix: str, name: str) -> dict[str, Any]:
    return {
        "type": "heatmap",
        "z": np.asarray(values, dtype=np.float32),
        "xaxis": f"x{suffix}",
        "yaxis": f"y{suffix}",
        "coloraxis": "coloraxis",
        "zsmooth": False,
        "name": name,
        "hovertemplate": f"{name}<br>column %{{x}}, row %{{y}}: %{{z:.3g}}<extra></extra>",
    }


def _row_title(y: list[float], text: str) -> dict[str, Any]:
    return {
        "text": text,
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "xshift": -8,
        "y": sum(y) / 2,
        "xanchor": "right",
        "textangle": -90,
        "showarrow": False,
        "font": {"size": 13},
    }


def _root_mean_square(values: Map) -> float:
    return float(np.sqrt(np.nanmean(np.square(values, dtype=np.float64))))


def _maps_alt(maps: Mapping[tuple[str, str], Map], names: Mapping[str, str]) -> str:
    words = [
        f"{names[network]} at {layer}: {_root_mean_square(values):.3g}"
        for (network, layer), values in maps.items()
    ]
    return f"Pictures of feature-map noise; root-mean-square by picture: {'; '.join(words)}."


def _map_table(maps: Mapping[tuple[str, str], Map]) -> pd.DataFrame:
    """A summary a picture: its size, root-mean-square, largest value."""
    return pd.DataFrame(
        [
            {
                "network": network,
                "layer": layer,
                "rows": values.shape[0],
                "columns": values.shape[1],
                "root_mean_square": _root_mean_square(values),
                "largest": float(np.nanmax(np.abs(values))),
            }
            for (network, layer), values in maps.items()
        ]
    )


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
        x, y = _cell(0, place, 1, 3)
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
        axes[f"xaxis{suffix}"] = _bare(x, f"y{suffix}") | {"constrain": "domain"}
        axes[f"yaxis{suffix}"] = _bare(y, f"x{suffix}") | {"constrain": "domain"}
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
        table=pd.DataFrame(
            [{"magnify": factor, "largest_change_255": largest * 255, "l2_length": length}]
        ),
    )


def _pixels(picture: Map) -> NDArray[np.uint8]:
    """(C, H, W) in [0, 1] to (H, W, 3) in 0 to 255."""
    shown = np.clip(np.rint(picture * 255), 0, 255).astype(np.uint8).transpose(1, 2, 0)
    return np.repeat(shown, 3, axis=2) if shown.shape[2] == 1 else shown
