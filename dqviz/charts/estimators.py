"""Robust accuracy under each gradient through rounding, side by side."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.robust_rows import CLEAN as CLEAN_ACCURACY
from dqviz.charts.robust_rows import ROBUST, ROUNDED
from dqviz.charts.shares import bars_layout, share_bars, share_words
from dqviz.charts.tidy import (
    ATTACK_NAMES,
    Curve,
    as_shown,
    collapse_note,
    curve_names,
    epsilon_text,
    read_curves,
    select,
)
from dqviz.charts.traces import styles_of
from dqviz.specs import CONTROLS, ESTIMATORS

CLEAN = "clean"


def estimator_bars(
    table: pd.DataFrame, *, epsilon: float | None = None, height: int = 430
) -> Chart:
    """Robust accuracy of each network by the gradient that the attack took through rounding.

    Clean accuracy stands beside it; whiskers are 95 % Wilson intervals. Where the table has it, the
    accuracy with images rounded to 8 bits is said at each bar.

    Args:
        table: tidy rows of one attack, with a column `estimator` of the names in `ESTIMATORS`;
            controls are left out.
        epsilon: in pixel units; needed where the table holds several.
        height: in pixels.

    Raises:
        ChartError: if the column is missing, a name in it is unknown, there are several attacks, or
            a network has several numbers for one estimator.
    """
    rows = _rows(table, epsilon)
    robust = rows[rows["metric"] == ROBUST]
    groups = {name: read_curves(part) for name, part in _by_estimator(robust).items()}
    clean = read_curves(rows[rows["metric"] == CLEAN_ACCURACY].drop_duplicates(_PLACE))
    curves = max(groups.values(), key=len)
    names = dict(zip((c.key for c in curves), curve_names(curves), strict=True))
    bars = {CLEAN: clean, **groups}
    by_rounded = _by_estimator(rows[rows["metric"] == ROUNDED])
    rounded = {name: read_curves(part) for name, part in by_rounded.items()}
    note = collapse_note(any(c.collapsed for c in curves))
    row = robust.iloc[0]
    attack = f"{ATTACK_NAMES.get(row['attack'], row['attack'])} {epsilon_text(row['epsilon'])}"
    data, words = [], []
    for place, (key, name) in enumerate(names.items()):
        own = _of(key, bars)
        said = {
            group: f"; rounded to 8 bits {100 * c.values('value')[0]:.1f} %"
            for group, c in _of(key, rounded).items()
        }
        first = next(iter(own.values()))
        data.append(share_bars(first, name, own, styles_of(curves), place, said=said))
        words.append(f"{name}: {', '.join(share_words(*told) for told in own.items())}.")
    title = f"Gradient through rounding (attack: {attack})"
    figure = {
        "data": data,
        "layout": bars_layout(key="estimators", title=title, note=note, height=height),
    }
    return Chart(
        figure=go.Figure(figure),
        title="Robust accuracy by gradient through rounding",
        how_to_read="A network is as robust as the lowest of its bars under attack; one that "
        "stands only under none has hidden its gradients and not withstood the attack.",
        formula=FORMULAS["accuracy"],
        alt=f"Bar chart of accuracies under {attack}. {' '.join(words)}",
        table=as_shown(rows),
        note=note,
    )


_PLACE = ["model", "weights", "weight_bits", "act_bits", "statistic"]


def _rows(table: pd.DataFrame, epsilon: float | None) -> pd.DataFrame:
    if "estimator" not in table.columns:
        raise ChartError(f"the table lacks the column estimator; its columns are {list(table)}")
    unknown = sorted(set(table["estimator"]) - set(ESTIMATORS), key=str)
    if unknown:
        raise ChartError(f"estimators are {', '.join(ESTIMATORS)}; found {unknown}")
    attacked = table[~table["attack"].isin(CONTROLS) & (table["layer"] == "network")]
    rows = select(attacked, [CLEAN_ACCURACY, ROBUST, ROUNDED], epsilon=epsilon)
    robust = rows[rows["metric"] == ROBUST]
    attacks = sorted(robust["attack"].unique())
    if len(attacks) != 1:
        raise ChartError(f"one attack is compared at a time; found {attacks}")
    twice = robust[robust.duplicated([*_PLACE, "estimator"])]
    if len(twice):
        raise ChartError(
            f"one number is needed for each network and estimator; found {len(twice)} more"
        )
    return rows


def _by_estimator(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each estimator that is there, in the order of `ESTIMATORS`."""
    parts = {name: rows[rows["estimator"] == name] for name in ESTIMATORS}
    return {name: part for name, part in parts.items() if len(part)}


def _of(key: tuple[str, int, int], groups: dict[str, list[Curve]]) -> dict[str, Curve]:
    """One network's curve in each group that it has one in."""
    return {group: c for group, curves in groups.items() for c in curves if c.key == key}
