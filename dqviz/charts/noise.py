"""The noise in the feature maps, as pictures: one colour scale for all of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from dqviz.charts.axes import log_ticks, tick_text
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.panels import bare_axis, grid_cell, picture_title
from dqviz.charts.style import GREY, layout
from dqviz.charts.tidy import collapse_note, short_layers, short_networks

Map = NDArray[np.float32]

DECADES = 3.0
"""Logarithmic colours reach this many powers of ten down from the largest value, at most."""

DARKEST = 0.01
ROOM = 3.0
"""The dark end of logarithmic colours lies this many times below the noise that all places but the
share `DARKEST` exceed: sign attacks change all pixels alike, and those shall not be black."""


class _Colours(NamedTuple):
    """The colour scale of all pictures: linear from `low` to `high`, or logarithmic."""

    low: float
    high: float
    log: bool

    def place(self, values: Map) -> Map:
        """What is drawn for values: themselves, or their logarithms from the scale's end up."""
        if not self.log:
            return np.asarray(values, dtype=np.float32)
        return np.log10(np.clip(values, self.low, None), dtype=np.float32)

    def axis(self) -> dict[str, Any]:
        """Plotly's colour axis; its numbers are the values, however they are drawn."""
        bar: dict[str, Any] = {"title": {"text": "Noise / signal (ratio)", "side": "right"}}
        ends = [self.low, self.high]
        if self.log:
            ticks = log_ticks(self.low, self.high)
            bar["title"]["text"] = "Noise / signal (ratio, logarithmic)"
            bar |= {"tickvals": np.log10(ticks).tolist(), "ticktext": [*map(tick_text, ticks)]}
            ends = np.log10(ends).tolist()
        return {
            "colorscale": "RdBu_r" if self.low < 0 else "Cividis",
            "cmin": ends[0],
            "cmax": ends[1],
            "colorbar": {**bar, "thickness": 14},
        }


def _colours(maps: Mapping[tuple[str, str], Map], *, log: bool) -> _Colours:
    every = np.concatenate([values.ravel() for values in maps.values()])
    top = float(np.nanmax(np.abs(every))) or 1.0
    if float(np.nanmin(every)) < 0:
        return _Colours(-top, top, log=False)
    positive = every[every > 0]
    if not log or not positive.size:
        return _Colours(0.0, top, log=False)
    low = max(float(np.nanquantile(positive, DARKEST)) / ROOM, top / 10**DECADES)
    return _Colours(min(low, top / 10), top, log=True)


def noise_maps(
    maps: Mapping[tuple[str, str], Map],
    *,
    log: bool = False,
    collapsed: Collection[str] = (),
    cell: int = 190,
) -> Chart:
    """Feature-map differences as pictures: a row a network, a column a layer, ONE colour scale.

    Args:
        maps: by (network, layer), 2-D arrays (H, W); sizes may differ from layer to layer. With
            negative values the scale is linear and symmetric about 0.
        log: whether colours follow the logarithm, so that early layers, whose noise is a small part
            of the later ones', can be seen beside them. Else they start at 0.
        collapsed: the networks whose clean accuracy has collapsed, which is said beside their row.
        cell: pixels a picture is high.
    """
    if not maps:
        raise ChartError("no feature maps were given")
    for key, values in maps.items():
        if values.ndim != 2:
            raise ChartError(f"the map of {key} must have 2 dimensions; got shape {values.shape}")
    rows, columns = (list(dict.fromkeys(key[i] for key in maps)) for i in (0, 1))
    colours = _colours(maps, log=log)
    data, axes, notes = [], {}, []
    names = short_networks(rows)
    for place, (network, layer) in enumerate((r, c) for r in rows for c in columns):
        line, column = divmod(place, len(columns))
        suffix = str(place + 1) if place else ""
        x, y = grid_cell(line, column, len(rows), len(columns))
        if (network, layer) in maps:
            name = f"{names[network]}, {layer}"
            data.append(_picture(maps[network, layer], colours, suffix, name))
        axes[f"xaxis{suffix}"] = bare_axis(x, f"y{suffix}") | {"constrain": "domain"}
        axes[f"yaxis{suffix}"] = bare_axis(y, f"x{suffix}") | {"autorange": "reversed"}
        axes[f"yaxis{suffix}"] |= {"scaleanchor": f"x{suffix}", "constrain": "domain"}
        if line == 0:
            notes.append(picture_title((x, y), short_layers([layer], longest=22)[0]))
        if column == 0:
            notes.append(_row_title(y, names[network], greyed=network in collapsed))
    figure = {
        "data": data,
        "layout": layout(
            height=70 + cell * len(rows),
            key="noise maps",
            hovermode="closest",
            annotations=notes,
            **axes,
            coloraxis=colours.axis(),
        ),
    }
    kind = "logarithmic colours" if colours.log else "colours"
    return Chart(
        figure=go.Figure(figure),
        title="The noise itself",
        how_to_read="Each picture is one layer's input and each row one network, all on the same "
        f"{kind}: the brighter, the more the perturbation changed that place.",
        formula=FORMULAS["noise_map"],
        alt=_maps_alt(maps, names),
        table=_map_table(maps),
        note=collapse_note(any(network in collapsed for network in rows)),
    )


def _picture(values: Map, colours: _Colours, suffix: str, name: str) -> dict[str, Any]:
    shown = "customdata" if colours.log else "z"
    picture = {
        "type": "heatmap",
        "z": colours.place(values),
        "xaxis": f"x{suffix}",
        "yaxis": f"y{suffix}",
        "coloraxis": "coloraxis",
        "zsmooth": False,
        "name": name,
        "hovertemplate": f"{name}<br>column %{{x}}, row %{{y}}: %{{{shown}:.3g}}<extra></extra>",
    }
    if colours.log:
        picture["customdata"] = np.asarray(values, dtype=np.float32)
    return picture


def _row_title(y: list[float], text: str, *, greyed: bool) -> dict[str, Any]:
    return {
        "text": f"{text} (collapsed)" if greyed else text,
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "xshift": -8,
        "y": sum(y) / 2,
        "xanchor": "right",
        "yanchor": "middle",
        "textangle": -90,
        "showarrow": False,
        "font": {"size": 13, "color": GREY} if greyed else {"size": 13},
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
    """One row a place of a picture, counted from 0."""
    parts = [
        pd.DataFrame(
            {
                "network": network,
                "layer": layer,
                "row": np.repeat(np.arange(values.shape[0]), values.shape[1]),
                "column": np.tile(np.arange(values.shape[1]), values.shape[0]),
                "noise_over_signal": values.ravel(),
            }
        )
        for (network, layer), values in maps.items()
    ]
    return pd.concat(parts, ignore_index=True)
