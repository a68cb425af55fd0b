"""Accuracies under attack, as the charts of robustness read them: a curve a network and bits."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import pandas as pd

from dqviz.charts.chart import ChartError
from dqviz.charts.tidy import bits_text, grey_out, one_epsilon, short_networks
from dqviz.proportions import wilson
from dqviz.specs import CONTROLS, FULL_PRECISION

CLEAN, ROBUST, ROUNDED = "clean_accuracy", "robust_accuracy", "robust_accuracy_uint8"
WORDS = {CLEAN: "clean", ROBUST: "under attack", ROUNDED: "under attack, rounded to 8 bits"}
"""The accuracies in words."""

AGAINST = {
    "epsilon": "Epsilon (grey levels of 255)",
    "act_bits": "Activation bits (32: full precision)",
    "weight_bits": "Weight bits (32: full precision)",
}
"""What may stand on the horizontal axis, and its title."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Share:
    """An accuracy with its 95 % interval, all in percent, at one place of the horizontal axis."""

    x: float
    value: float
    low: float
    high: float
    collapsed: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class RobustCurve:
    """The accuracies of a network by metric, in the order of the horizontal axis.

    Bits that are on that axis are None.
    """

    network: str
    weight_bits: int | None
    act_bits: int | None
    shares: Mapping[str, Sequence[Share]]

    @property
    def bits(self) -> tuple[int, int]:
        """Weight and activation bits; full precision where they are on the axis."""
        return self.weight_bits or FULL_PRECISION, self.act_bits or FULL_PRECISION

    @property
    def collapsed(self) -> bool:
        """Whether nothing of it rests a claim."""
        return all(share.collapsed for part in self.shares.values() for share in part)


def robust_rows(table: pd.DataFrame, *, epsilon: float | None = None) -> pd.DataFrame:
    """The rows of whole networks' accuracies under one attack, collapsed ones marked.

    Args:
        table: tidy rows; controls are left out.
        epsilon: the only one wanted (pixel units); None takes all.

    Raises:
        ChartError: if there are none, or those of several attacks.
    """
    here = table["metric"].isin(WORDS) & (table["layer"] == "network")
    rows = table[here & ~table["attack"].isin(CONTROLS)]
    if not rows["metric"].isin([ROBUST]).any():
        found = sorted(table["metric"].unique())
        raise ChartError(f"no accuracy under attack in this table; found {found}")
    attacks = sorted(rows["attack"].dropna().unique())
    if len(attacks) > 1:
        raise ChartError(f"these are accuracies under several attacks: {', '.join(attacks)}")
    return grey_out(rows if epsilon is None else one_epsilon(rows, epsilon))


def clean_words(table: pd.DataFrame) -> list[str]:
    """The clean accuracy of each network at its bits, with its 95 % interval (Wilson).

    Args:
        table: tidy rows of any kind that says `clean_accuracy` and `n_samples` in every row.
    """
    telling = ["model", "weights", "weight_bits", "act_bits"]
    rows = grey_out(table).dropna(subset=["clean_accuracy", "n_samples"]).drop_duplicates(telling)
    short = short_networks(rows["model"] + "/" + rows["weights"])
    words = []
    for row in rows.to_dict("records"):
        count = int(row["n_samples"])
        share = wilson(round(row["clean_accuracy"] * count), count)
        value, low, high = (100 * part for part in (share.value, share.low, share.high))
        name = short[f"{row['model']}/{row['weights']}"]
        collapsed = " (collapsed)" if row["collapsed"] else ""
        bits = bits_text(row["weight_bits"], row["act_bits"])
        words.append(f"{name}, {bits}{collapsed} {value:.1f} % ({low:.1f} to {high:.1f})")
    return words


def read_robust(rows: pd.DataFrame, *, against: str) -> list[RobustCurve]:
    """The curves in `robust_rows` of one epsilon, or of several where those are on the axis.

    Against epsilon every curve begins with the clean accuracy, at 0.
    """
    telling = ["model", "weights", *(n for n in ("weight_bits", "act_bits") if n != against)]
    return [
        _curve(dict(zip(telling, settings, strict=True)), part, against)
        for settings, part in rows.groupby(telling, sort=False)
    ]


def _curve(told: dict[str, object], rows: pd.DataFrame, against: str) -> RobustCurve:
    shares = {
        metric: _shares(rows[rows["metric"] == metric], against)
        for metric in WORDS
        if (rows["metric"] == metric).any()
    }
    if against == "epsilon":
        start = [dataclasses.replace(share, x=0.0) for share in shares.pop(CLEAN, [])[:1]]
        shares[ROBUST] = [*start, *[share for share in shares[ROBUST] if share.x > 0]]
    bits = {name: told.get(name) for name in ("weight_bits", "act_bits")}
    return RobustCurve(
        network=f"{told['model']}/{told['weights']}",
        shares=shares,
        **{name: None if width is None else int(str(width)) for name, width in bits.items()},
    )


def _shares(rows: pd.DataFrame, against: str) -> list[Share]:
    found = []
    for x, part in rows.groupby(against):
        told = dict(zip(part["statistic"], 100 * part["value"], strict=True))
        scale = 255 if against == "epsilon" else 1
        ends = {end: told.get(end, float("nan")) for end in ("low", "high")}
        collapsed = bool(part["collapsed"].any())
        place = round(scale * float(str(x)), 9)
        found.append(Share(x=place, value=told["value"], collapsed=collapsed, **ends))
    return found if against == "epsilon" else found[::-1]


def robust_names(curves: Sequence[RobustCurve]) -> list[str]:
    """A name a curve: its network and those of its bits that are not on the axis."""
    short = short_networks(curve.network for curve in curves)
    names = []
    for curve in curves:
        parts = [short[curve.network]]
        if None not in (curve.weight_bits, curve.act_bits) or curve.bits != (32, 32):
            parts.append(bits_text(*curve.bits))
        names.append(", ".join(parts) + (" (collapsed)" if curve.collapsed else ""))
    return names
