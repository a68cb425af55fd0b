"""Which computed sentences belong to which view of the Amplification page."""

from __future__ import annotations

from functools import partial

from dqviz.charts import claims
from dqviz.ui.show import Maker

_SAID: dict[str, list[Maker]] = {
    "Quantizer": [claims.quantizer_enlarges],
    "Flips": [claims.flips_effect],
    "Failure": [claims.failure_predicted, claims.accuracy_difference],
}
_COMPARED: list[Maker] = [claims.dq_against_vanilla, claims.quantized_against_full]

NO_FLIPS = "Buckets are flipped where activations are quantized: choose activation bits below 32."


def said(tab: str) -> list[Maker]:
    """What is said of the rows alone."""
    return _SAID.get(tab, [])


def compared(tab: str, *, metric: str, controls: bool) -> list[Maker]:
    """What is said of results compared image by image, in the measure that the chart shows."""
    if tab != "Growth":
        return []
    makers = [claims.attack_against_controls, *_COMPARED] if controls else _COMPARED
    return [partial(make, metric=metric) for make in makers]
