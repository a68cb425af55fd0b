"""Numbers of many experiments: the rows a chart takes, their means over the seeds, their cells."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

import pandas as pd

from dqviz.charts.chart import ChartError
from dqviz.charts.formulas import NETWORK_TITLES, TITLES
from dqviz.charts.paired import student
from dqviz.charts.tidy import grey_out, one_epsilon
from dqviz.specs import CONTROLS

SHARES = ("clean_accuracy", "robust_accuracy", "robust_accuracy_uint8")
"""Metrics that are shown in percent."""

ALIKE = {"data": "data sets", "n_samples": "numbers of images", "crafted_on": "attacked networks"}
"""What numbers that stand side by side must have in common, and its words."""

WIDE_RANGE = 30.0

_Kind = TypeVar("_Kind")


class Address(NamedTuple):
    """Where a point's cell is found: the `customdata` of every point of a study's charts.

    `network` is MODEL/WEIGHTS, `epsilon` in pixel units. `seed` is None where the point is a mean
    over several; so is whatever the rows do not say.
    """

    network: str
    weight_bits: int
    act_bits: int
    attack: str | None
    epsilon: float | None
    seed: int | None
    data: str | None
    n_samples: int | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mean:
    """The mean over the seeds at one setting, and its interval; NaN where there is none."""

    value: float
    low: float
    high: float
    runs: int
    address: Address


def study_rows(
    table: pd.DataFrame, metric: str, statistic: str, *, layer: str | None = None
) -> pd.DataFrame:
    """The rows of a metric with the ends of its intervals, collapsed ones marked; no controls.

    Args:
        table: tidy rows of any number of experiments.
        metric: one of the table's.
        statistic: over the images; `value` for what has only one.
        layer: the only one; None takes all layers, and not the whole network.

    Raises:
        ChartError: if the table has no such rows, naming what it has.
    """
    of_metric = table[(table["metric"] == metric) & ~table["attack"].isin(CONTROLS)]
    if of_metric.empty:
        found = ", ".join(sorted(table["metric"].unique())) or "none"
        raise ChartError(f"there are no numbers of {metric!r}; found {found}")
    inside = of_metric["layer"] != "network" if layer is None else of_metric["layer"] == layer
    of_layer = of_metric[inside]
    if of_layer.empty:
        found = ", ".join(dict.fromkeys(of_metric["layer"]))
        where = "any layer" if layer is None else repr(layer)
        raise ChartError(f"{metric} is not measured at {where}; found {found}")
    rows = of_layer[of_layer["statistic"].isin([statistic, "low", "high"])]
    if not (rows["statistic"] == statistic).any():
        found = ", ".join(dict.fromkeys(of_layer["statistic"]))
        raise ChartError(f"{metric} has no {statistic!r}; found {found}")
    return grey_out(rows)


def under(rows: pd.DataFrame, *, attack: str | None, epsilon: float | None) -> pd.DataFrame:
    """The rows of one attack at one epsilon (pixel units); all, where no attack changes them.

    Raises:
        ChartError: if there are none, or if it is not said which one of several is wanted.
    """
    return one_epsilon(of_attack(rows, attack), epsilon if rows["epsilon"].notna().any() else None)


def of_attack(rows: pd.DataFrame, attack: str | None) -> pd.DataFrame:
    """The rows of one attack; all, where no attack changes them.

    Raises:
        ChartError: if there are none, or if it is not said which one of several is wanted.
    """
    found = [str(a) for a in rows["attack"].dropna().unique() if a]
    if not found or [attack or found[0]] == found:
        return rows
    if attack not in found:
        wanted = "say which one is wanted" if attack is None else f"not {attack!r}"
        raise ChartError(f"the table holds the attacks {', '.join(found)}; {wanted}")
    return rows[rows["attack"] == attack]


def require_alike(rows: pd.DataFrame, whose: str) -> None:
    """Refuses to set numbers side by side that are of different images or attacks.

    Raises:
        ChartError: naming what differs.
    """
    for column, words in ALIKE.items():
        found = [str(value) for value in rows[column].dropna().unique()]
        if len(found) > 1:
            raise ChartError(f"{whose} of several {words}: {', '.join(found)}; choose one of them")


def mean_over_seeds(rows: pd.DataFrame, statistic: str) -> Mean:
    """The mean of rows that differ in the seed alone, with Student's 95 % interval.

    Of one seed the interval is the rows' own, where they have one.
    """
    values = rows[rows["statistic"] == statistic].groupby("seed", dropna=False)["value"].mean()
    mean, runs = statistics.fmean(values) if len(values) else math.nan, len(values)
    if runs > 1:
        half = student(runs - 1) * statistics.stdev(values) / math.sqrt(runs)
        low, high = mean - half, mean + half
    else:
        ends = [rows.loc[rows["statistic"] == end, "value"] for end in ("low", "high")]
        low, high = (float(end.iloc[0]) if len(end) else math.nan for end in ends)
    (address,) = addresses_of(rows.iloc[:1])
    if rows["seed"].nunique() != 1:
        address = address._replace(seed=None)
    return Mean(value=mean, low=low, high=high, runs=runs, address=address)


def addresses_of(rows: pd.DataFrame) -> list[Address]:
    """Where the cell of each row is found."""
    columns = [rows[name] for name in ("model", "weights", *Address._fields[1:])]
    return [_address(*row) for row in zip(*columns, strict=True)]


def _address(model: str, weights: str, *settings: Any) -> Address:
    weight_bits, act_bits, attack, epsilon, seed, data, n_samples = settings
    return Address(
        network=f"{model}/{weights}",
        weight_bits=int(weight_bits),
        act_bits=int(act_bits),
        attack=_given(attack, str),
        epsilon=_given(epsilon, float),
        seed=_given(seed, int),
        data=_given(data, str),
        n_samples=_given(n_samples, int),
    )


def _given(value: Any, kind: Callable[[Any], _Kind]) -> _Kind | None:
    return None if pd.isna(value) or value == "" else kind(value)


def networks_of(rows: pd.DataFrame) -> pd.Series[str]:
    """MODEL/WEIGHTS of every row."""
    return rows["model"] + "/" + rows["weights"]


def title_of(metric: str) -> str:
    """What an axis says of a metric, its unit in brackets."""
    words = metric.replace("_", " ").capitalize() + (" (%)" if metric in SHARES else "")
    return {**TITLES, **NETWORK_TITLES}.get(metric, words)


def unit_of(metric: str) -> tuple[float, str]:
    """What a metric's numbers are multiplied by to be shown, and what stands behind them."""
    return (100.0, " %") if metric in SHARES else (1.0, "")


def formula_of(metric: str) -> str:
    """The name in `FORMULAS` of what is shown of a metric."""
    return "accuracy" if metric in SHARES else "mean"


def spread_widely(values: Iterable[float]) -> bool:
    """Whether values are positive and spread so far that only a logarithm shows them."""
    finite = [v for v in values if math.isfinite(v)]
    return bool(finite) and min(finite) > 0 and max(finite) / min(finite) > WIDE_RANGE
