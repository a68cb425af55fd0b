"""What the Playground takes out of its results: names, layers, pictures, and the choice of layers.

Which layers the networks have is known once there is a result. Until then none is asked for by
name: what a link or an earlier choice of networks names may not be there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dqviz.charts.tidy import bits_text, grey_out, short_networks
from dqviz.experiments import Result
from dqviz.specs import FULL_PRECISION
from dqviz.ui import links
from dqviz.ui.requests import bit_pairs
from dqviz.ui.settings import Settings, choice
from dqviz.ui.views import View, network_of

PICTURE = "difference/"
SHOWN_LAYERS = 4
MOST_LAYERS = 6
COLOURS = ("Logarithmic", "Linear")
"""How the noise is coloured, the first unless another is chosen."""

_KNOWN = "_layers"


def name_of(result: Result) -> str:
    """The network and its bits, such as `streetdigits/resnet20/dq, W8 A4`."""
    row = result.table.iloc[0]
    bits = bits_text(int(row["weight_bits"]), int(row["act_bits"]))
    return f"{network_of(result)}, {bits}"


def victims(settings: Settings) -> dict[str, tuple[str, bool]]:
    """Whose perturbation can be shown: (network as in tables, whether quantized) by its button.

    Moving the bits changes none of them, so a choice is kept.
    """
    short = short_networks(settings.networks)
    kinds = {"quantized": True, "full precision": False}
    if len(bit_pairs(settings)) == 1:
        del kinds["quantized"]
    return {
        f"{short[network]}, {kind}": (settings.model(network).label, is_quantized)
        for network in settings.networks
        for kind, is_quantized in kinds.items()
    }


def result_of(view: View, network: str, is_quantized: bool) -> Result | None:
    """The result of a network, quantized or not; None while it is not there."""
    for result in view.results:
        row = result.table.iloc[0]
        quantized = {int(row["weight_bits"]), int(row["act_bits"])} != {FULL_PRECISION}
        if (network_of(result), quantized) == (network, is_quantized):
            return result
    return None


def label(result: Result) -> str:
    """What the image shows, as the attack was told."""
    row = result.table.dropna(subset=["label"]).iloc[0]
    return str(row["label"])


def layers(view: View) -> tuple[str, ...]:
    """The layers that every network of the view has, in order of execution."""
    found = [_layers(result) for result in view.results]
    return tuple(name for name in found[0] if all(name in other for other in found[1:]))


def _layers(result: Result) -> list[str]:
    table = result.table
    rows = table[(table["metric"] == "relative_distance") & (table["layer"] != "logits")]
    return [str(name) for name in rows.sort_values("depth")["layer"].unique()]


def spaced(names: Sequence[str], count: int = SHOWN_LAYERS) -> tuple[str, ...]:
    """Some of the names, evenly spaced, the first among them and nothing after the last map."""
    maps = [name for name in names if name.rpartition(".")[2] not in ("linear", "fc", "head")]
    step = max(1, -(-len(maps) // count))
    return tuple(maps[::step][:count])


def asked_layers(settings: Settings) -> tuple[str, ...]:
    """The layers chosen, of those that the networks are known to have."""
    networks, known = st.session_state.get(_KNOWN, ((), ()))
    chosen = st.session_state.get("maps", ())
    return tuple(name for name in chosen if name in known and networks == settings.networks)


def choose_layers(view: View, settings: Settings) -> None:
    """Draws the choice of layers, and notes what a link asks for in vain."""
    names = layers(view)
    if not (view.stale or view.partial):
        links.check({"maps": choice("layers shown", names, most=MOST_LAYERS)})
        st.session_state[_KNOWN] = (settings.networks, names)
    st.multiselect(
        "Layers shown",
        names,
        default=spaced(names),
        max_selections=MOST_LAYERS,
        key="maps",
        bind="query-params",
    )


def collapsed(view: View) -> tuple[str, ...]:
    """The networks whose clean accuracy has collapsed, as named in `pictures`."""
    return tuple(
        name_of(result) for result in view.results if grey_out(result.table)["collapsed"].any()
    )


def pictures(view: View, epsilon: float) -> dict[tuple[str, str], NDArray[np.float32]]:
    """The feature-map differences at an epsilon by (network, layer)."""
    return {
        (name_of(result), key.removeprefix(PICTURE)): array
        for result in view.results
        for key, array in result.arrays_at(epsilon).items()
        if key.startswith(PICTURE)
    }
