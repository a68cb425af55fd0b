"""The pictures of the page Studies: what is chosen, which rows that takes, and the chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dqviz import charts
from dqviz.charts.tidy import ATTACK_NAMES
from dqviz.ui import controls, links, opening, show, studies
from dqviz.ui.settings import choice, epsilon_text

VIEWS = ("Curves", "Layers", "Bits and epsilon", "Parallel", "Cost")
COSTS = {"Bit operations": "bit_operations", "Weight bytes": "weight_bytes"}
BITS = {"Activation bits": "act_bits", "Weight bits": "weight_bits"}
SHARES = ("robust_accuracy", "robust_accuracy_uint8", "clean_accuracy")
"""What may stand against a cost."""
FIRST = "robust_accuracy"
"""The number that is shown until another one is chosen, where a store has it."""

MOST_OPENED = 6
"""Of the selected points so many have links."""

FILTERS = {
    "networks": ("Networks", "networks"),
    "attacks": ("Attacks", "attacks"),
    "epsilons": ("Epsilons", "only_eps"),
    "weight_bits": ("Weight bits", "only_wbits"),
    "act_bits": ("Activation bits", "only_abits"),
    "data": ("Data", "only_data"),
    "n_samples": ("Images", "only_n"),
    "seed": ("Seeds", "only_seed"),
    "crafted_on": ("Crafted on", "only_crafted"),
}
"""By what rows are filtered: in words, and in the address bar. Drawn where there is a choice."""

Numbers = dict[str, studies.Number]


def draw(name: str, state: studies.Stamp, numbers: Sequence[studies.Number]) -> None:
    """The chosen view of a store, its points linked to the pages that show their cells."""
    view = controls.pick("View", VIEWS, key="study_view")
    titles = {studies.title_of(number): number for number in numbers}
    drawing = {
        "Curves": _curves,
        "Layers": _layers,
        "Bits and epsilon": _bits_and_epsilon,
        "Parallel": _parallel,
        "Cost": _cost,
    }[view]
    drawing(name, state, titles)


def _curves(name: str, state: studies.Stamp, titles: Numbers) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        metric, layer, statistic = _number(titles)
        words = controls.pick("Against", tuple(studies.AGAINST), key="against", labelled=True)
    rows = _filtered(studies.rows(name, state, (metric,), layer))
    _picture(
        "study",
        name,
        state,
        rows,
        (words, metric, layer, statistic),
        lambda rows: charts.study_curves(
            rows,
            metric=metric,
            layer=layer,
            statistic=statistic,
            against=studies.AGAINST[words],
        ),
    )


def _layers(name: str, state: studies.Stamp, titles: Numbers) -> None:
    several = {
        metric.replace("_", " ") + ("" if statistic == "value" else f", {statistic}"): number
        for number in titles.values()
        for metric, layer, statistic in (number,)
        if layer not in ("network", "logits")
    }
    if not several:
        st.info("No number of this store is measured layer by layer.", icon=":material/info:")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        metric, _, statistic = _number(several)
        words = controls.pick("Bits", tuple(BITS), key="bits", labelled=True)
    rows = _one_attack(_filtered(studies.rows(name, state, (metric,), None)), epsilon=True)
    _picture(
        "study_layers",
        name,
        state,
        rows,
        (words, metric, statistic),
        lambda rows: charts.study_layer_map(
            rows, metric=metric, statistic=statistic, by=BITS[words]
        ),
    )


def _bits_and_epsilon(name: str, state: studies.Stamp, titles: Numbers) -> None:
    metric, layer, statistic = _number(titles)
    rows = _one_attack(_filtered(studies.rows(name, state, (metric,), layer)), epsilon=False)
    _picture(
        "study_epsilons",
        name,
        state,
        rows,
        (metric, layer, statistic),
        lambda rows: charts.study_bits_epsilon(
            rows, metric=metric, layer=layer, statistic=statistic
        ),
    )


def _parallel(name: str, state: studies.Stamp, titles: Numbers) -> None:
    whole = {title: n for title, n in titles.items() if n[1] == "network"}
    if not whole:
        st.info("No number of this store is of whole networks.", icon=":material/info:")
        return
    options = tuple(whole)
    links.check({"numbers": choice("numbers", options, most=len(options))})
    first = [title for title in options if whole[title][0] in SHARES] or list(options[:1])
    chosen = st.multiselect("Numbers", options, first, key="numbers", bind="query-params")
    # Of one metric one statistic: the others have no axis of their own.
    metrics = {whole[title][0]: whole[title][2] for title in chosen}
    if not metrics:
        st.info("Choose at least one number.", icon=":material/arrow_upward:")
        return
    rows = _filtered(studies.rows(name, state, tuple(metrics), "network"))
    content = tuple(metrics.items())
    _picture(
        "study_parallel",
        name,
        state,
        rows,
        content,
        lambda rows: charts.study_parallel(rows, metrics=metrics),
    )
    try:
        cells, addresses = _cells((name, state, _which(rows), *content), rows, metrics)
    except charts.ChartError:  # which the chart has said
        return
    st.caption("Choose rows to look at them on the exploring pages.")
    mode: dict[str, Any] = {"on_select": "rerun", "selection_mode": "multi-row"}
    event: Any = st.dataframe(cells, hide_index=True, height=280, key="cells", **mode)
    places: list[int] = event["selection"]["rows"]
    _open(name, state, [addresses[place] for place in places if place < len(addresses)])


@st.cache_resource(max_entries=16, show_spinner=False)
def _cells(
    content: tuple[object, ...], _rows: pd.DataFrame, _metrics: Mapping[str, str]
) -> tuple[pd.DataFrame, list[charts.Address]]:
    """The lines of the parallel coordinates as rows, which can be chosen where lines cannot."""
    return charts.study_cells(_rows, metrics=_metrics)


def _cost(name: str, state: studies.Stamp, titles: Numbers) -> None:
    held = {number[0] for number in titles.values()}
    metrics = tuple(metric for metric in SHARES if metric in held)
    if not metrics or not held & set(COSTS.values()):
        st.info(
            "This needs cells of kind accuracy, computed with dqviz 0.1 or newer: they say what a "
            "network costs.",
            icon=":material/info:",
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = controls.pick("Cost in", tuple(COSTS), key="cost", labelled=True)
        names = {metric.replace("_", " "): metric for metric in metrics}
        metric = names[controls.pick("Accuracy", tuple(names), key="share", labelled=True)]
    rows = _filtered(studies.rows(name, state, (metric, COSTS[words]), "network"))
    rows = _one_attack(rows, epsilon=True)
    _picture(
        "study_cost",
        name,
        state,
        rows,
        (words, metric),
        lambda rows: charts.efficiency_plane(rows, cost=COSTS[words], metric=metric),
    )


def _number(titles: Numbers) -> studies.Number:
    options = tuple(titles)
    links.check({"number": choice("number", options)})
    first = next((t for t in options if titles[t][0] == FIRST), options[0])
    place = options.index(first)
    return titles[st.selectbox("Number", options, place, key="number", bind="query-params")]


def _filtered(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that a visitor wants; all, until something is chosen."""
    columns = studies.filterable(rows)
    with st.container(horizontal=True):
        for key in ("networks", "attacks"):
            rows = _some(rows, columns, key)
    several = [key for key in list(FILTERS)[2:] if len(columns[key].dropna().unique()) > 1]
    if several:
        with st.expander("More filters", icon=":material/filter_list:"):
            for key in several:
                rows = _some(rows, columns, key)
    return rows


def _some(rows: pd.DataFrame, columns: pd.DataFrame, key: str) -> pd.DataFrame:
    label, name = FILTERS[key]
    options = tuple(dict.fromkeys(columns[key].dropna()))
    links.check({name: choice(label.lower(), options, most=len(options))})
    chosen = st.multiselect(label, options, placeholder="All", key=name, bind="query-params")
    if not chosen:  # so that what is finished meanwhile is shown too
        return rows
    kept = columns.loc[rows.index, key]
    found: pd.DataFrame = rows[kept.isin(chosen) | kept.isna()]
    return found


def _one_attack(rows: pd.DataFrame, *, epsilon: bool) -> pd.DataFrame:
    """The rows of one attack, at one epsilon if wanted, and those that no attack changes."""
    attacks = {ATTACK_NAMES.get(a, a): a for a in studies.attacks(rows)}
    with st.container(horizontal=True):
        if len(attacks) > 1:
            attack = attacks[controls.pick("Attack", tuple(attacks), key="under", labelled=True)]
            rows = rows[(rows["attack"] == attack) | rows["attack"].isna()]
        places = {
            epsilon_text(round(255 * e, 6)): e for e in sorted(rows["epsilon"].dropna().unique())
        }
        if epsilon and len(places) > 1:
            links.check({"at": choice("epsilon", tuple(places))})
            at = st.selectbox("At epsilon", tuple(places), key="at", bind="query-params")
            rows = rows[(rows["epsilon"] == places[at]) | rows["epsilon"].isna()]
    return rows


def _picture(
    key: str,
    name: str,
    state: studies.Stamp,
    rows: pd.DataFrame,
    content: tuple[object, ...],
    draw: show.Drawing,
) -> None:
    """The chart, and below it the links of the point that is selected."""
    if rows.empty:
        st.info("No number has all that is chosen above.", icon=":material/arrow_upward:")
        return
    shown = (name, state, _which(rows), *content)
    selected = show.of_store(key, shown, lambda: draw(rows))
    if not selected and key != "study_parallel":
        st.caption(
            "Click on a point to look at it on the exploring pages; hold Shift to choose several."
        )
    _open(name, state, [charts.Address(*told) for told in selected])


def _which(rows: pd.DataFrame) -> tuple[int, int]:
    """Which rows of a store they are, in two numbers."""
    return len(rows), int(pd.util.hash_array(rows.index.to_numpy()).sum())


def _open(name: str, state: studies.Stamp, addresses: Sequence[charts.Address]) -> None:
    """The links of the points that are selected."""
    for place, address in enumerate(addresses[:MOST_OPENED]):
        found = studies.cell_at(name, state, address)
        if found is not None:
            opening.draw(*found, key=f"opening_{place}" if place else "opening")
    if len(addresses) > MOST_OPENED:
        st.caption(f"The first {MOST_OPENED} of {len(addresses)} chosen.")
