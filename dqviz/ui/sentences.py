"""Which computed sentences belong to which view."""

from __future__ import annotations

from functools import partial

import pandas as pd

from dqviz.charts import claims
from dqviz.ui.settings import Settings
from dqviz.ui.show import Maker

_SAID: dict[str, list[Maker]] = {
    "Quantizer": [claims.quantizer_enlarges],
    "Flips": [claims.flips_effect],
    "Failure": [claims.failure_predicted],
}
_COMPARED: list[Maker] = [claims.dq_against_vanilla, claims.quantized_against_full]
_ACCURACIES: list[Maker] = [
    partial(claims.accuracy_difference, metric=metric)
    for metric in ("clean_accuracy", "robust_accuracy")
]

NO_FLIPS = "Buckets are flipped where activations are quantized: choose activation bits below 32."


def said(tab: str) -> list[Maker]:
    """What a tab of the Amplification page says of the rows alone."""
    return _SAID.get(tab, [])


def compared(tab: str, *, metric: str, controls: bool) -> list[Maker]:
    """What it says of results compared image by image; of distances in the chart's measure."""
    if tab == "Failure":
        return _ACCURACIES
    if tab != "Growth":
        return []
    makers = [claims.attack_against_controls, *_COMPARED] if controls else _COMPARED
    return [partial(make, metric=metric) for make in makers]


def overview(settings: Settings) -> Maker:
    """What the first page says: growth and the penalty at the sidebar's bits, then quantization."""

    def say(rows: pd.DataFrame, *, samples: pd.DataFrame) -> list[claims.Claim]:
        same = (rows.weight_bits == settings.weight_bits) & (rows.act_bits == settings.act_bits)
        chosen = rows[same]
        return [
            *claims.growth(chosen)[:1],
            *claims.dq_against_vanilla(chosen, samples=samples)[:1],
            *claims.quantized_against_full(rows, samples=samples),
        ]

    return say
