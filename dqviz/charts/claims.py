"""Sentences that state results, computed from the very tables that the charts show.

By layer: `growth`, `quantized_against_full`, `dq_against_vanilla`, `attack_against_controls`,
`quantizer_enlarges`, `flips_effect`. Of whole networks: `folded_norms`, `accuracy_difference`,
`failure_predicted`, `margins`. Of robustness: `two_compared`, `bits_compared`,
`broken_by_which`, `transferred_better`, `smallest_compared`.

A sentence describes the rows it was computed from and turns round when they do. Where a clean
accuracy has collapsed or rows are missing it says so and decides nothing. No sentence speaks of
significance unless an interval or a test was computed.
"""

from __future__ import annotations

from dqviz.charts.accuracy_claims import accuracy_difference
from dqviz.charts.attack_claims import broken_by_which, smallest_compared
from dqviz.charts.bit_claims import bits_compared, transferred_better
from dqviz.charts.claim import Claim
from dqviz.charts.distance_claims import (
    attack_against_controls,
    dq_against_vanilla,
    growth,
    quantized_against_full,
)
from dqviz.charts.network_claims import failure_predicted, folded_norms, margins
from dqviz.charts.quantizer_claims import flips_effect, quantizer_enlarges
from dqviz.charts.robust_claims import two_compared

__all__ = [
    "Claim",
    "accuracy_difference",
    "attack_against_controls",
    "bits_compared",
    "broken_by_which",
    "dq_against_vanilla",
    "failure_predicted",
    "flips_effect",
    "folded_norms",
    "growth",
    "margins",
    "quantized_against_full",
    "quantizer_enlarges",
    "smallest_compared",
    "transferred_better",
    "two_compared",
]
