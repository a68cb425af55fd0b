"""Reading tidy tables: choosing rows, naming networks and layers, marking collapsed rows.

Tables have the columns `model, weights, weight_bits, act_bits, attack, epsilon, layer, depth,
metric, statistic, value, clean_accuracy, clean_accuracy_full, n_samples`, one row a number.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

import pandas as pd

from dqviz.charts.chart import ChartError
from dqviz.specs import CONTROLS, FULL_PRECISION

COLLAPSE = 0.8
"""A network below this share of its full-precision clean accuracy has collapsed."""

ATTACK_NAMES = {
    "fgsm": "FGSM",
    "rfgsm": "R+FGSM",
    "bim": "BIM",
    "pgd": "PGD",
    "mifgsm": "MI-FGSM",
    "apgd_ce": "APGD-CE",
    "apgd_dlr": "APGD-DLR",
    "square": "Square",
    "standard": "Standard ensemble",
    "random_signs": "random signs",
    "gaussian": "Gaussian noise",
    "other_image": "another image's perturbation",
}
SHOWN = ["model", "weights", "weight_bits", "act_bits", "attack", "epsilon", "layer", "depth"]
SHOWN += ["metric", "statistic", "value", "clean_accuracy", "collapsed", "n_samples"]
SHOWN += ["data", "seed", "crafted_on", "calibration", "estimator", "variant"]
"""The columns of a chart's rows as a reader sees and saves them."""


def grey_out(table: pd.DataFrame) -> pd.DataFrame:
    """A copy with the column `collapsed`: clean accuracy below 80 % of full precision's.

    Rows whose clean accuracies are not known are not called collapsed.
    """
    if "collapsed" in table.columns:
        return table
    missing = {"clean_accuracy", "clean_accuracy_full"} - set(table.columns)
    if missing:
        raise ChartError(f"the table lacks {sorted(missing)}; its columns are {list(table)}")
    return table.assign(collapsed=table["clean_accuracy"] < COLLAPSE * table["clean_accuracy_full"])


def same_epsilon(one: float, other: float) -> bool:
    """Whether two epsilons, in pixel units, are the same up to rounding."""
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-12)


def epsilons(table: pd.DataFrame) -> list[float]:
    """The epsilons in a table, in pixel units, rising; missing ones left out."""
    return sorted(float(e) for e in table["epsilon"].dropna().unique())


def one_epsilon(table: pd.DataFrame, epsilon: float | None) -> pd.DataFrame:
    """The rows of one epsilon (pixel units).

    Raises:
        ChartError: if `epsilon` is not among the table's, or None where there are several.
    """
    found = epsilons(table)
    if epsilon is None:
        if len(found) > 1:
            raise ChartError(f"the table holds epsilons {shown(found)}; say which one is wanted")
        return table
    match = [e for e in found if same_epsilon(e, epsilon)]
    if not match:
        raise ChartError(f"no rows at epsilon {epsilon_text(epsilon)}; found {shown(found)}")
    return table if len(found) == 1 else table[table["epsilon"] == match[0]]


def shown(values: Sequence[float]) -> str:
    """Epsilons as a list in words."""
    return ", ".join(epsilon_text(e) for e in values) or "none"


def select(
    table: pd.DataFrame, metrics: str | Iterable[str], *, epsilon: float | None = None
) -> pd.DataFrame:
    """The rows of some metrics at one epsilon, with collapsed ones marked.

    Raises:
        ChartError: if there are none; the message names the metrics found.
    """
    wanted = [metrics] if isinstance(metrics, str) else list(metrics)
    rows = table[table["metric"].isin(wanted)]
    if rows.empty:
        found = sorted(table["metric"].unique())
        raise ChartError(f"no rows with the metric {' or '.join(wanted)}; found {found}")
    return grey_out(one_epsilon(rows, epsilon))


def as_shown(rows: pd.DataFrame) -> pd.DataFrame:
    """The columns of `rows` that a reader needs, in a fixed order."""
    return rows[[c for c in SHOWN if c in rows.columns]].reset_index(drop=True)


def epsilon_text(epsilon: float) -> str:
    """An epsilon of pixel units as `k/255`."""
    return "0" if epsilon == 0 else f"{epsilon * 255:.4g}/255"


def bits_words(bits: int) -> str:
    """Bits in words: `full precision`, `4 bits`."""
    return "full precision" if bits == FULL_PRECISION else f"{bits} bit{'s' * (bits != 1)}"


def bits_text(weight_bits: int, act_bits: int) -> str:
    """Bit-widths in short: `full precision`, `W8 A4` (weights, activations), `A4` or `W8`."""
    parts = [f"{k}{b}" for k, b in (("W", weight_bits), ("A", act_bits)) if b != FULL_PRECISION]
    return " ".join(parts) or "full precision"


def short_networks(networks: Iterable[str]) -> dict[str, str]:
    """Networks by the part of `DATASET/ARCH/WEIGHTS` from which on they differ."""
    names = list(dict.fromkeys(networks))
    parts = [name.split("/") for name in names]
    shared = 0
    while parts and all(len(p) > shared + 1 and p[shared] == parts[0][shared] for p in parts):
        shared += 1
    return {name: "/".join(p[shared:]) for name, p in zip(names, parts, strict=True)}


_SHORT = {
    "net.": "",
    "features.": "f",
    "denselayer": "dl",
    "denseblock": "db",
    "layer": "",
    "conv": "c",
    "downsample": "ds",
    "shortcut": "sc",
}


def short_layers(layers: Sequence[str], *, longest: int = 12) -> list[str]:
    """Layer names for an axis, at most `longest` letters, still different from one another."""
    names = []
    for layer in layers:
        name = layer
        for long, short in _SHORT.items():
            name = name.replace(long, short)
        names.append(name if len(name) <= longest else "…" + name[1 - longest :])
    return names if len(set(names)) == len(set(layers)) else list(layers)


@dataclasses.dataclass(frozen=True)
class Curve:
    """One metric of one network under one attack, layer by layer in order of execution."""

    network: str
    weight_bits: int
    act_bits: int
    attack: str
    collapsed: bool
    layers: tuple[str, ...]
    statistics: dict[str, tuple[float, ...]]

    @property
    def is_control(self) -> bool:
        """Whether the perturbation is a matched control and no attack."""
        return self.attack in CONTROLS

    @property
    def is_full_precision(self) -> bool:
        """Whether neither weights nor activations are quantized."""
        return self.weight_bits == self.act_bits == FULL_PRECISION

    @property
    def key(self) -> tuple[str, int, int]:
        """The network and its bits, whatever the attack."""
        return self.network, self.weight_bits, self.act_bits

    def values(self, statistic: str) -> tuple[float, ...]:
        """One number a layer; NaN where the statistic is missing."""
        nothing = tuple(math.nan for _ in self.layers)
        return self.statistics.get(statistic, nothing)


def read_curves(rows: pd.DataFrame) -> list[Curve]:
    """The curves in rows of ONE metric and one epsilon: attacks first, then more bits first."""
    keys = ("model", "weights", "weight_bits", "act_bits", "attack", "collapsed")
    columns = [rows[name].tolist() for name in (*keys, "layer", "depth", "statistic", "value")]
    found: dict[tuple[str, int, int, str, bool], dict[str, tuple[float, dict[str, float]]]] = {}
    for model, weights, w, a, attack, collapsed, layer, depth, statistic, value in zip(
        *columns, strict=True
    ):
        key = (f"{model}/{weights}", int(w), int(a), str(attack), bool(collapsed))
        order = math.inf if layer == "logits" else float(depth)
        found.setdefault(key, {}).setdefault(layer, (order, {}))[1][statistic] = float(value)
    curves = [_curve(key, layers) for key, layers in found.items()]
    networks = list(dict.fromkeys(c.network for c in curves))
    return sorted(
        curves,
        key=lambda c: (
            c.is_control,
            networks.index(c.network),
            -c.act_bits,
            -c.weight_bits,
            c.attack,
        ),
    )


def _curve(
    key: tuple[str, int, int, str, bool], layers: dict[str, tuple[float, dict[str, float]]]
) -> Curve:
    names = sorted(layers, key=lambda layer: layers[layer][0])
    statistics = dict.fromkeys(s for _, numbers in layers.values() for s in numbers)
    return Curve(
        *key,
        layers=tuple(names),
        statistics={
            s: tuple(layers[name][1].get(s, math.nan) for name in names) for s in statistics
        },
    )


def curve_names(curves: Sequence[Curve]) -> list[str]:
    """A name a curve: network, bits, and what else tells the curves apart."""
    short = short_networks(c.network for c in curves)
    several = len({c.attack for c in curves if not c.is_control}) > 1
    names = []
    for curve in curves:
        parts = [short[curve.network], bits_text(curve.weight_bits, curve.act_bits)]
        if several or curve.is_control:
            parts.append(ATTACK_NAMES.get(curve.attack, curve.attack))
        names.append(", ".join(parts) + (" (collapsed)" if curve.collapsed else ""))
    return names


def collapse_note(collapsed: bool) -> str:
    """What a chart says of its greyed rows; empty if there are none."""
    if not collapsed:
        return ""
    return "Greyed: clean accuracy below 80 % of full precision; no conclusion rests on it."
