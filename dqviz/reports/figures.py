"""The figures of a report: what a store's numbers allow to be drawn."""

from __future__ import annotations

import dataclasses
import itertools
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
from dqviz.studies.soundness import MADE

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


def charts_of(
    numbers: pd.DataFrame, *, report: Callable[[float, str], None] | None = None
) -> list[Chart]:
    """Curves of the preferred numbers; then, attack by attack, heat maps and what accuracy costs.

    A curve needs a setting that varies, a heat map several bit-widths and several layers or
    epsilons, and the plane of accuracy and cost several networks or bit-widths. `report` is called
    with a share of 0 to 1 and a text.
    """
    numbers = numbers.drop(columns=[name for name in MADE if name in numbers])
    attacks = [a for a in dict.fromkeys(numbers["attack"].dropna()) if a not in CONTROLS]
    groups = [part for _, part in numbers.groupby(list(ALIKE), dropna=False, sort=False)]
    varying = [name for name in SETTINGS if numbers[name].nunique() > 1] or ["act_bits"]
    total, charts = len(PREFERRED) + len(groups) * len(attacks), list[Chart]()
    for number in PREFERRED:
        if report is not None:
            report(PREFERRED.index(number) / total, "drawing curves")
        charts += _curves(numbers, number, attacks, varying)
    for place, (rows, attack) in enumerate(itertools.product(groups, attacks)):
        if report is not None:
            report((len(PREFERRED) + place) / total, "drawing maps")
        first = rows.iloc[0]
        which = [f"{first['data']}, {first['n_samples']} images, crafted on {first['crafted_on']}"]
        charts += _maps(rows[rows["attack"] == attack], attack, which * (len(groups) > 1))
    return charts


def _curves(
    numbers: pd.DataFrame,
    number: tuple[str, str, str],
    attacks: Sequence[str],
    varying: Sequence[str],
) -> list[Chart]:
    """One chart of a preferred number for each setting that varies, attack by attack."""
    charts: list[Chart] = []
    metric, layer, statistic = number
    of_number = numbers[(numbers["metric"] == metric) & (numbers["layer"] == layer)]
    told = {"metric": metric, "layer": layer, "statistic": statistic}
    if metric in UNATTACKED:
        settings = [name for name in varying if name != "epsilon"] or ["act_bits"]
        rows = _without_attack(of_number)
        return [
            c for against in settings for c in _drawn(study_curves, rows, against=against, **told)
        ]
    for attack in attacks:
        rows = of_number[of_number["attack"] == attack]
        for against in varying:
            where = [ATTACK_NAMES.get(attack, attack)]
            charts += _drawn(study_curves, rows, where, against=against, **told)
    return charts


def _maps(rows: pd.DataFrame, attack: str, which: Sequence[str]) -> list[Chart]:
    """Heat maps and the plane of numbers of the same images, under one attack."""
    name = ATTACK_NAMES.get(attack, attack)
    layers = rows[rows["metric"] == "relative_distance"]
    distances = layers[layers["layer"] != "logits"]
    whole = rows[rows["layer"] == "network"]
    accuracies = whole[whole["metric"] == "robust_accuracy"]
    charts: list[Chart] = []
    if _several(distances, BITS) and _several(distances, ["layer"]):
        epsilon, where = _headline(distances, name)
        settings = {"metric": "relative_distance", "epsilon": epsilon}
        charts += _drawn(study_layer_map, layers, [where, *which], **settings)
    if _several(accuracies, BITS) and _several(accuracies, ["epsilon"]):
        charts += _drawn(study_bits_epsilon, accuracies, [name, *which], metric="robust_accuracy")
    if _several(accuracies, ["model", "weights", *BITS]):
        epsilon, where = _headline(accuracies, name)
        charts += _drawn(efficiency_plane, whole, [where, *which], epsilon=epsilon)
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
