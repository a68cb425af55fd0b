"""One look for all charts: colours, dashes and markers that need no colour vision and no theme.

Colours keep a contrast of 3:1 or more on white and on the app's dark page. The first four are those
of Okabe and Ito (*Color Universal Design*, 2008), two of them darkened for that; the others are as
far from these and from one another as that leaves room for, with and without full colour vision. A
network has a fixed colour, marker and hatching (and a dash where bit-widths are not told apart); a
bit-width has a fixed dash and marker filling: fewer bits, shorter dashes. Backgrounds are
transparent. Colours of text and grid live in the template only, so that Streamlit's theme replaces
them by its own.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterable
from typing import Any

from dqviz.specs import FULL_PRECISION

BACKGROUNDS = {"light": "#ffffff", "dark": "#11161c"}
"""The app's page backgrounds, as in `.streamlit/config.toml`."""

TEXT = "#7b8087"
GREY = "#85888d"
"""The colour of collapsed rows."""

LINE_SCALE: tuple[tuple[float, str], ...] = ((0.0, "#3084fc"), (0.5, "#92758c"), (1.0, "#d55e00"))
"""Colours of lines by a number: equally bright, since thin lines need contrast on any page."""

GRID = "rgba(128,132,140,0.28)"
LINE = "rgba(128,132,140,0.65)"
CLEAR = "rgba(0,0,0,0)"


@dataclasses.dataclass(frozen=True)
class NetworkStyle:
    """How a network looks in every chart."""

    colour: str
    marker: str
    dash: str
    hatch: str


SLOTS = (
    NetworkStyle("#d55e00", "circle", "solid", "/"),
    NetworkStyle("#0072b2", "square", "10px,4px", "\\"),
    NetworkStyle("#c06a98", "diamond", "6px,3px", "x"),
    NetworkStyle("#009270", "triangle-up", "10px,3px,2px,3px", "-"),
    NetworkStyle("#a84824", "pentagon", "14px,4px", "|"),
    NetworkStyle("#3084fc", "triangle-down", "3px,3px", "+"),
    NetworkStyle("#3ca860", "hexagram", "8px,3px,2px,3px,2px,3px", "."),
    NetworkStyle("#3c48fc", "star", "16px,3px,2px,3px", ""),
)
KNOWN = {"resnet20/vanilla": 0, "resnet20/dq": 1, "plain20/vanilla": 2, "plain20/dq": 3}


def network_styles(networks: Iterable[str]) -> dict[str, NetworkStyle]:
    """The style of each network, the same in every chart.

    Shipped networks have places of their own, others one by their name's checksum; only where two
    in the same chart would look alike does the later one, in alphabetical order, move on.
    """
    free = list(range(len(SLOTS)))
    styles = {}
    for network in sorted(set(networks), key=lambda name: (_wish(name)[1], name)):
        wish, _ = _wish(network)
        slot = wish if wish in free or not free else free[(wish or 0) % len(free)]
        free = [place for place in free if place != slot]
        styles[network] = SLOTS[slot]
    return styles


def _wish(network: str) -> tuple[int, int]:
    """The place a network wants, and its rank: shipped networks choose first."""
    name = "/".join(network.split("/")[-2:])
    if name in KNOWN:
        return KNOWN[name], 0
    return 4 + zlib.crc32(network.encode()) % 4, 1


def bits_dash(weight_bits: int, act_bits: int) -> str:
    """The dash of a bit-width (of the activations, or of the weights where those are full)."""
    bits = act_bits if act_bits != FULL_PRECISION else weight_bits
    return "solid" if bits == FULL_PRECISION else f"{2 * bits}px,3px"


def bits_marker(marker: str, weight_bits: int, act_bits: int) -> str:
    """A network's marker: filled at full precision, dotted open with both quantized, else open."""
    quantized = (weight_bits != FULL_PRECISION) + (act_bits != FULL_PRECISION)
    return marker + ("", "-open", "-open-dot")[quantized]


BAR_FILLS = {
    (False, False): (0.12, 11, 0.12),
    (True, False): (0.3, 9, 0.25),
    (False, True): (0.45, 7, 0.35),
    (True, True): (0.6, 5, 0.45),
}
"""Opacity of the filling, size and solidity of the hatching, by what is quantized."""


def bar_marker(colour: str, hatch: str, weight_bits: int, act_bits: int) -> dict[str, Any]:
    """The filling of a bar: hatched by network, the darker and closer the more is quantized."""
    quantized = (weight_bits != FULL_PRECISION, act_bits != FULL_PRECISION)
    opacity, size, solidity = BAR_FILLS[quantized]
    pattern = {"shape": hatch, "fillmode": "overlay", "fgcolor": colour}
    return {
        "color": fade(colour, opacity),
        "line": {"color": colour, "width": 1.2},
        "pattern": {**pattern, "size": size, "solidity": solidity},
    }


DARK_GREY = "#63676e"
"""Of a part that stands for nothing in particular, beside `GREY`."""

WRITTEN = {"color": "#ffffff", "size": 14}
"""The font of numbers written into a `solid_bar`, whose colour is the same on any page."""


def solid_bar(colour: str, hatch: str) -> dict[str, Any]:
    """The filling of a bar with a number written into it: opaque, hatched in white."""
    return {
        "color": colour,
        "line": {"color": colour, "width": 1},
        "pattern": {
            "shape": hatch,
            "fillmode": "overlay",
            "fgcolor": "rgba(255,255,255,0.55)",
            "size": 9,
            "solidity": 0.15,
        },
    }


def fade(colour: str, alpha: float) -> str:
    """The colour `#rrggbb` as `rgba(...)` with an opacity of `alpha`."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` in [0, 1], after WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21, after WCAG 2.2."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


_AXIS: dict[str, Any] = {
    "gridcolor": GRID,
    "linecolor": LINE,
    "tickcolor": LINE,
    "zerolinecolor": LINE,
    "spikecolor": TEXT,
    "spikethickness": 1,
    "spikedash": "dot",
    "tickfont": {"color": TEXT, "size": 12},
    "title": {"font": {"color": TEXT, "size": 13}},
}
TEMPLATE: dict[str, Any] = {
    "layout": {
        "font": {"color": TEXT, "family": "Source Sans, Source Sans Pro, system-ui, sans-serif"},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "legend": {"font": {"color": TEXT, "size": 12}},
        "hoverlabel": {"bgcolor": "#2b2f36", "bordercolor": TEXT, "font": {"color": "#f2f3f5"}},
        "coloraxis": {"colorbar": {"outlinewidth": 0}},
    }
}


def layout(*, height: int, key: str, **more: Any) -> dict[str, Any]:
    """The layout that all figures share; `key` keeps a person's zoom when the data change."""
    return {
        "template": TEMPLATE,
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "height": height,
        "margin": {"l": 72, "r": 24, "t": 24, "b": 32},
        "hovermode": "x unified",
        "uirevision": key,
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        **more,
    }
