"""How much natural corruptions cost one network more than another."""

from __future__ import annotations

import math

import pandas as pd

from dqviz.charts.paired import student
from dqviz.experiments.result import Result

from .effects import Effect, Evidence
from .networks import Network
from .plan import CORRUPTED

PREFIX = "corrupted_accuracy_"


def corruption_difference(found: Evidence, one: Network, other: Network) -> Effect | None:
    """How much more often corruptions make one network err than another, in points.

    The mean over all corruptions and severities, on the images that both classify correctly when
    clean; Student's interval over these images.
    """
    results = [found.get((CORRUPTED, network.id, "")) for network in (one, other)]
    if None in results:
        return None
    clean, wrong = zip(*[_by_image(result) for result in results if result], strict=True)
    table = pd.concat([*clean, *wrong], axis=1, join="inner", ignore_index=True)
    common = table[(table[0] > 0) & (table[1] > 0)]
    n = len(common)
    if n < 2:
        return None
    differences = 100 * (common[2] - common[3])
    mean = float(differences.mean())
    half = student(n - 1) * float(differences.std()) / math.sqrt(n)
    return Effect(
        unit=one.unit,
        seed=one.seed,
        value=mean,
        low=mean - half,
        high=mean + half,
        n=n,
        networks=(one.id, other.id),
    )


def _by_image(result: Result) -> tuple[pd.Series[float], pd.Series[float]]:
    """By image: 1 if it is classified correctly when clean, and how often wrongly if corrupted."""
    rows = result.samples
    clean = rows[rows["metric"] == "clean_accuracy"].set_index("image")["value"]
    corrupted = rows[rows["metric"].str.startswith(PREFIX)]
    return clean.astype(float), 1 - corrupted.groupby("image")["value"].mean().astype(float)
