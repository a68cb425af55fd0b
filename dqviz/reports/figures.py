"""The figures of a report: what a store's numbers allow to be drawn."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import pandas as pd

from dqviz.charts import (
    Chart,
    ChartError,
    efficiency_plane,
    epsilon_text,
    epsilons,
    study_bits_epsilon,
    study_curves,
    study_layer_map,
)
from dqviz.charts.study import SETTINGS
from dqviz.charts.study_rows import ALIKE
from dqviz.charts.tidy import ATTACK_NAMES
from dqviz.specs import CONTROLS
from dqviz.studies.queries import MADE

PREFERRED = (
    ("robust_accuracy", "network", "value"),
    ("clean_accuracy", "network", "value"),
    ("amplification", "logits", "median"),
    ("relative_distance", "logits", "median"),
    ("lipschitz", "network", "upper"),
    ("margin_over_lipschitz", "network", "median"),
)
"""The numbers that a report draws, where the store has them: metric, layer, statistic."""

UNATTACKED = ("clean_accuracy", "lipschitz", "margin_over_lipschitz")
"""Numbers of the clean images, or of the weights alone."""

BITS = ["weight_bits", "act_bits"]
HEADLINE = 1 / 255
"""Maps and planes are drawn at the epsilon nearest to this one, in pixel units."""


def charts_of(numbers: pd.DataFrame) -> list[Chart]:
    """Curves of the preferred numbers; then, attack by attack, heat maps and what accuracy costs.

    A curve needs a setting that varies, a heat map several bit-widths and several layers or
    epsilons, and the plane of accuracy and cost several networks or bit-widths.
    """
    attacks = [a for a in dict.fromkeys(numbers["attack"].dropna()) if a not in CONTROLS]
    charts = _curves(numbers, attacks)
    groups = [part for _, part in numbers.groupby(list(ALIKE), dropna=False, sort=False)]
    for rows in groups:
        first = rows.iloc[0]
        which = [f"{first['data']}, {first['n_samples']} images, crafted on {first['crafted_on']}"]
        for attack in attacks:
            charts += _maps(rows[rows["attack"] == attack], attack, which * (len(groups) > 1))
    return charts


def _curves(numbers: pd.DataFrame, attacks: Sequence[str]) -> list[Chart]:
    """One chart for each preferred number and each setting that varies, attack by attack."""
    varying = [name for name in SETTINGS if numbers[name].nunique() > 1] or ["act_bits"]
    charts: list[Chart] = []
    for metric, layer, statistic in PREFERRED:
        number = {"metric": metric, "layer": layer, "statistic": statistic}
        if metric in UNATTACKED:
            rows = _without_attack(numbers[numbers["metric"] == metric])
            settings = [name for name in varying if name != "epsilon"] or ["act_bits"]
            for against in settings:
                charts += _drawn(study_curves, rows, against=against, **number)
            continue
        for attack in attacks:
            rows = numbers[numbers["attack"] == attack]
            for against in varying:
                where = [ATTACK_NAMES.get(attack, attack)]
                charts += _drawn(study_curves, rows, where, against=against, **number)
    return charts


def _maps(rows: pd.DataFrame, attack: str, which: Sequence[str]) -> list[Chart]:
    """Heat maps and the plane of numbers of the same images, under one attack."""
    name = ATTACK_NAMES.get(attack, attack)
    distances = rows[(rows["metric"] == "relative_distance") & (rows["layer"] != "logits")]
    accuracies = rows[rows["metric"] == "robust_accuracy"]
    charts: list[Chart] = []
    if _several(distances, BITS) and _several(distances, ["layer"]):
        epsilon, where = _headline(distances, name)
        settings = {"metric": "relative_distance", "epsilon": epsilon}
        charts += _drawn(study_layer_map, rows, [where, *which], **settings)
    if _several(accuracies, BITS) and _several(accuracies, ["epsilon"]):
        charts += _drawn(study_bits_epsilon, rows, [name, *which], metric="robust_accuracy")
    if _several(accuracies, ["model", "weights", *BITS]):
        epsilon, where = _headline(accuracies, name)
        charts += _drawn(efficiency_plane, rows, [where, *which], epsilon=epsilon)
    return charts


def _several(rows: pd.DataFrame, columns: list[str]) -> bool:
    return len(rows[columns].drop_duplicates()) > 1


def _headline(rows: pd.DataFrame, attack: str) -> tuple[float, str]:
    """The epsilon that is drawn, and its words."""
    nearest = min(epsilons(rows), key=lambda epsilon: abs(epsilon - HEADLINE))
    return nearest, f"{attack} {epsilon_text(nearest)}"


def _without_attack(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows that no attack changes, each once."""
    plain = rows.assign(attack="", epsilon=math.nan)
    return plain.drop_duplicates([name for name in plain if name != "key" and name not in MADE])


def _drawn(
    draw: Callable[..., Chart], rows: pd.DataFrame, where: Sequence[str] = (), **settings: object
) -> list[Chart]:
    """The chart, its title followed by `where`, unless the store does not have those numbers."""
    try:
        chart = draw(rows, **settings)
    except ChartError:
        return []
    return [dataclasses.replace(chart, title=", ".join([chart.title, *where]))]
