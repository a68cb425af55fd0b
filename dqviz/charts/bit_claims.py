"""Sentences on what fewer bits do under attack, of one network on the same images."""

from __future__ import annotations

import dataclasses

import pandas as pd

from dqviz.charts.chart import ChartError
from dqviz.charts.claim import (
    DEFENDED,
    PLAIN,
    Claim,
    Kind,
    crafted_elsewhere,
    family,
    has_too_few_bits,
    named,
    read,
    rows_of,
    setting,
)
from dqviz.charts.paired import SIGNIFICANT, paired_accuracy
from dqviz.charts.robust_claims import difference_text
from dqviz.charts.robust_rows import ROBUST, robust_rows
from dqviz.charts.tidy import Curve, as_shown, bits_text
from dqviz.charts.transfer import Victim, victims
from dqviz.proportions import PairedDifference, paired_of


def bits_compared(table: pd.DataFrame, *, samples: pd.DataFrame) -> list[Claim]:
    """Each network at its fewest bits against its most, under attack, image by image.

    Bit-widths that rest no claim (see `refusal_for`) are passed over. The authors claim that fewer
    bits make an ordinary network more vulnerable, and that a DQ network withstands them.

    Args:
        table: tidy rows of one epsilon and one attack.
        samples: whether each image is classified correctly.
    """
    rows, curves = read(table[table["layer"] == "network"], ROBUST, epsilon=None)
    sound = [c for c in curves if not (c.is_control or c.collapsed)]
    sound = [c for c in sound if not has_too_few_bits(c, rows)]
    found = []
    for network in dict.fromkeys(curve.network for curve in sound):
        own = sorted((c for c in sound if c.network == network), key=_bits)
        if len(own) > 1:
            found += _bits_claim(own[0], own[-1], rows, samples)
    return found


def _bits(curve: Curve) -> int:
    return curve.weight_bits + curve.act_bits


def _bits_claim(few: Curve, many: Curve, rows: pd.DataFrame, samples: pd.DataFrame) -> list[Claim]:
    right = paired_accuracy(samples, few, many, ROBUST)
    if right is None:
        return []
    shares = tuple(100 * share for share in right.shares)
    text = (
        f"Under {setting(few, rows)}, {named(few)} classifies {shares[0]:.1f} % correctly and at "
        f"{bits_text(many.weight_bits, many.act_bits)} {shares[1]:.1f} %: "
        f"{difference_text(right.difference)}."
    )
    elsewhere = any(crafted_elsewhere(curve, rows) for curve in (few, many))
    kind: Kind = "undecided" if elsewhere else _kind(family(few)[1], right.difference)
    return [Claim(text, kind, rows_of(rows, [few, many]))]


def _kind(weights: str, difference: PairedDifference) -> Kind:
    """What the change from many bits to few says of the authors' claims."""
    if weights not in (DEFENDED, PLAIN):
        return "info"
    if difference.p_value >= SIGNIFICANT:
        return "undecided"
    lost = difference.value < 0
    return "supports" if lost == (weights == PLAIN) else "contradicts"


def transferred_better(table: pd.DataFrame, *, samples: pd.DataFrame) -> list[Claim]:
    """Whether a bit-width is attacked better by another's perturbations than by its own.

    Compared image by image with McNemar's exact test; its p-value is multiplied by the number of
    bit-widths tried on that network (Bonferroni).

    Args:
        table: tidy rows of ONE network, `crafted_on` saying where perturbations are from.
        samples: whether each image is classified correctly, with `crafted_on` likewise.
    """
    try:
        found = [victim for victim in victims(table) if not victim.collapsed]
    except ChartError:
        return []
    rows = as_shown(robust_rows(table))
    right = _right_images(samples)
    told = [(victim, _against_own(victim, right)) for victim in found]
    texts = [_worse_text(v, *worse) for v, worse in told if worse is not None]
    if not texts:
        sound = ", ".join(victim.name for victim in found)
        texts = [
            f"No perturbation carried over to {sound} leaves fewer images right than the network's "
            f"own does (McNemar's exact test on the same images, at {SIGNIFICANT:g} for all "
            "bit-widths together)."
        ]
    return [Claim(text, "info", rows) for text in texts] if found else []


def _right_images(samples: pd.DataFrame) -> dict[tuple[str, str], list[bool]]:
    """Which attacked images are right, by the victim's bits and what they were crafted on."""
    here = samples[samples["metric"] == ROBUST]
    groups = here.groupby(["weight_bits", "act_bits", "crafted_on"], sort=False)
    return {
        (bits_text(int(str(w)), int(str(a))), str(source)): (part["value"] > 0).tolist()
        for (w, a, source), part in groups
    }


def _against_own(
    victim: Victim, right: dict[tuple[str, str], list[bool]]
) -> tuple[str, PairedDifference] | None:
    """The bit-width whose perturbations leave the fewest images right, if fewer than the own."""
    others = [name for name in victim.robust if name != victim.name]
    found = []
    for name in others:
        theirs = right[victim.name, victim.sources[name]]
        difference = paired_of(theirs, right[victim.name, victim.sources[victim.name]])
        p = min(1.0, len(others) * difference.p_value)
        found.append((name, dataclasses.replace(difference, p_value=p)))
    worse = [(n, d) for n, d in found if d.value < 0 and d.p_value < SIGNIFICANT]
    return min(worse, key=lambda told: told[1].value, default=None)


def _worse_text(victim: Victim, name: str, difference: PairedDifference) -> str:
    return (
        f"Perturbations crafted on {name} leave {victim.robust[name][0]:.1f} % right at "
        f"{victim.name}, its own {victim.own[0]:.1f} %: {difference_text(difference)}. Its own "
        "gradients mislead the attack, so quote the lower number."
    )
