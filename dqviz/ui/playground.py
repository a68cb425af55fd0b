"""What the Playground takes out of its results: names, layers, pictures, verdicts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dqviz.charts.tidy import bits_text, short_networks
from dqviz.experiments import Result
from dqviz.ui.views import View

PICTURE = "difference/"
SHOWN_LAYERS = 4


def name_of(result: Result) -> str:
    """The network and its bits, such as `streetdigits/resnet20/dq, W8 A4`."""
    row = result.table.iloc[0]
    bits = bits_text(int(row["weight_bits"]), int(row["act_bits"]))
    return f"{row['model']}/{row['weights']}, {bits}"


def names(view: View) -> dict[str, Result]:
    """The results by their short names, such as `dq, W8 A4`."""
    full = {name_of(result): result for result in view.results}
    return {short: full[name] for name, short in short_networks(full).items()}


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


def pictures(view: View) -> dict[tuple[str, str], NDArray[np.float32]]:
    """The feature-map differences by (network, layer)."""
    return {
        (name_of(result), key.removeprefix(PICTURE)): array
        for result in view.results
        for key, array in result.arrays.items()
        if key.startswith(PICTURE)
    }
