"""A sentence computed from rows, and how it is worded the same way everywhere."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal

import pandas as pd

from dqviz.charts.chart import ChartError
from dqviz.charts.tidy import (
    ATTACK_NAMES,
    Curve,
    as_shown,
    bits_text,
    epsilon_text,
    read_curves,
    select,
)
from dqviz.specs import TRAINED

Kind = Literal["supports", "contradicts", "undecided", "info"]
FEW_BITS = 3
"""At these bits or fewer nothing is concluded from networks that were quantized after training."""

DEFENDED, PLAIN = "dq", "vanilla"
"""How weights begin that were trained with Defensive Quantization, and those without it."""

EQUAL = 0.005
"""Ratios this near to 1 print as 1.00 and decide nothing."""


@dataclasses.dataclass(frozen=True)
class Claim:
    """A sentence, what it does to the claim it speaks of, and the rows it was computed from.

    `kind` says whether the numbers support or contradict what Defensive Quantization's authors
    claim, leave it undecided, or merely inform where the authors claim nothing. It is a
    description of the rows in `basis` and no test of significance, except where the text names an
    interval or a test.
    """

    text: str
    kind: Kind
    basis: pd.DataFrame


def by_ratio(ratio: float, *, larger_supports: bool) -> Kind:
    """What a ratio to 1 says."""
    if not math.isfinite(ratio) or abs(ratio - 1) < EQUAL:
        return "undecided"
    return "supports" if (ratio > 1) == larger_supports else "contradicts"


def times(ratio: float) -> str:
    """A ratio in words: `1.32 times`."""
    return f"{ratio_text(ratio)} times"


def ratio_text(ratio: float) -> str:
    """A ratio with two decimals; two digits below 0.1 and three from 100 on."""
    if 0 < ratio < 0.1:
        return f"{ratio:.2g}"
    return f"{ratio:.2f}" if ratio < 100 else f"{ratio:.3g}"


def crafted_elsewhere(curve: Curve, rows: pd.DataFrame) -> str:
    """The network on which a curve's perturbations were crafted; empty where on itself."""
    if "crafted_on" not in rows.columns:
        return ""
    named = rows.loc[_of(rows, [curve]), "crafted_on"].dropna()
    return ", ".join(dict.fromkeys(str(name) for name in named if name != "itself"))


def setting(curve: Curve, rows: pd.DataFrame) -> str:
    """The attack, epsilon and number of images behind a curve: `FGSM 1/255, 64 images`.

    Where the perturbations were crafted on another network, its name follows the epsilon.
    """
    words = [ATTACK_NAMES.get(curve.attack, curve.attack)]
    found = rows["epsilon"].dropna().unique()
    if len(found) == 1:
        words[0] += f" {epsilon_text(float(found[0]))}"
    elsewhere = crafted_elsewhere(curve, rows)
    words[0] += f" crafted on {elsewhere}" if elsewhere else ""
    images = set(rows["n_samples"].dropna().tolist()) if "n_samples" in rows.columns else set()
    if len(images) == 1:
        words.append(f"{int(images.pop())} images")
    return ", ".join(words)


def named(curve: Curve) -> str:
    """The network's weights and bits: `vanilla, W8 A4`."""
    return f"{short_name(curve)}, {bits_text(curve.weight_bits, curve.act_bits)}"


def short_name(curve: Curve) -> str:
    """Architecture and weights: `resnet20 dq`."""
    return " ".join(curve.network.split("/")[-2:])


def family(curve: Curve) -> tuple[str, str]:
    """The network without its weights, and the weights: (`streetdigits/resnet20`, `dq`)."""
    model, _, weights = curve.network.rpartition("/")
    return model, weights


def trained_how(weights: str) -> tuple[str, str]:
    """The method that weights were trained by and the rest of their name: (`dq`, `w8a2`)."""
    method, _, rest = weights.partition("-")
    return method, rest


def read(
    table: pd.DataFrame, metric: str, *, epsilon: float | None
) -> tuple[pd.DataFrame, list[Curve]]:
    """The rows of a metric and their curves; empty where there are none."""
    try:
        rows = select(table, metric, epsilon=epsilon)
    except ChartError:
        return table.iloc[:0], []
    return rows, read_curves(rows)


def rows_of(rows: pd.DataFrame, curves: Sequence[Curve]) -> pd.DataFrame:
    """The rows of some curves, as shown to a reader."""
    return as_shown(rows[_of(rows, curves)])


def _of(rows: pd.DataFrame, curves: Sequence[Curve]) -> list[bool]:
    """Which rows are those of the curves."""
    wanted = {(*family(c), c.weight_bits, c.act_bits, c.attack) for c in curves}
    columns = ("model", "weights", "weight_bits", "act_bits", "attack")
    keys = zip(*[rows[name].tolist() for name in columns], strict=True)
    return [key in wanted for key in keys]


def refusal_for(curves: Sequence[Curve], rows: pd.DataFrame) -> Claim | None:
    """The refusal to conclude from a network that rests no claim; None if all is well.

    It has collapsed, or may have since its clean accuracy is not known; or it has so few bits that
    the claims are about networks trained at them, which this one is not.
    """
    doubtful = bool(rows["clean_accuracy"].isna().any())
    for curve in (c for c in curves if doubtful or c.collapsed):
        basis = rows_of(rows, [curve])
        unknown = bool(basis["clean_accuracy"].isna().any()) and not curve.is_full_precision
        if curve.collapsed or unknown:
            accuracy = 100 * float(basis["clean_accuracy"].iloc[0])
            why = (
                "its clean accuracy is not known"
                if unknown
                else f"its clean accuracy has collapsed to {accuracy:.0f} %, below 80 % of that at "
                "full precision"
            )
            return Claim(f"No conclusion for {named(curve)}: {why}.", "undecided", basis)
    for curve in curves:
        if has_too_few_bits(curve, rows):
            why = f"at {FEW_BITS} bits or fewer the claims are about networks trained quantized"
            text = f"No conclusion for {named(curve)}: {why}; this one was quantized afterwards."
            return Claim(text, "undecided", rows_of(rows, [curve]))
    return None


def has_too_few_bits(curve: Curve, rows: pd.DataFrame) -> bool:
    """Whether a network has so few bits, without having been trained at them."""
    if min(curve.weight_bits, curve.act_bits) > FEW_BITS:
        return False
    if "calibration" not in rows.columns:
        return True
    return set(rows.loc[_of(rows, [curve]), "calibration"]) != {TRAINED}


def missing(what: str, rows: pd.DataFrame) -> Claim:
    """The refusal to conclude without data."""
    return Claim(f"No conclusion: {what}.", "undecided", as_shown(rows))


def value_at(curve: Curve, layer: str, statistic: str) -> float:
    """A statistic at a layer; NaN where there is none."""
    if layer not in curve.layers:
        return math.nan
    return curve.values(statistic)[curve.layers.index(layer)]


def last_layer(curve: Curve) -> str:
    """The last quantizable layer: the one before the logits."""
    inner = [layer for layer in curve.layers if layer not in ("logits", "network")]
    return inner[-1] if inner else curve.layers[-1]


def defended_pairs(curves: Sequence[Curve], *, dq: str, vanilla: str) -> list[tuple[Curve, Curve]]:
    """(DQ, vanilla) of the same architecture, otherwise trained alike, of one attack and bits."""
    found: dict[str, dict[tuple[str, ...], Curve]] = {dq: {}, vanilla: {}}
    for curve in curves:
        model, weights = family(curve)
        method, rest = trained_how(weights)
        key = (model, rest, bits_text(curve.weight_bits, curve.act_bits), curve.attack)
        found.setdefault(method, {})[key] = curve
    return [(one, found[vanilla][key]) for key, one in found[dq].items() if key in found[vanilla]]
