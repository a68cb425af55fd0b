"""Studies: what a store of results holds, one number against one setting."""

import streamlit as st

from dqviz import charts
from dqviz.ui import controls, links, session, show, studies, study_form
from dqviz.ui.settings import choice

NONE_YET = """No study is here yet. A study is a grid of experiments: start one above, or on the
command line with `python -m dqviz sweep grid.toml`. What is finished can be seen while it runs."""


def draw_store(name: str) -> None:
    state = studies.stamp(name)
    numbers, cells = studies.offered(name, state)
    counts = cells["state"].value_counts()
    st.caption(f"{len(cells):,} cells: " + ", ".join(f"{n:,} {what}" for what, n in counts.items()))
    if numbers:
        draw_numbers(name, state, {studies.title_of(number): number for number in numbers})
    else:
        st.info("No cell is finished yet.", icon=":material/hourglass_empty:")
    failed = cells[cells["state"] == "failed"]
    if len(failed):
        with st.expander(f"{len(failed):,} cells have failed"):
            st.dataframe(failed[list(studies.FAILURE)], hide_index=True)


def draw_numbers(name: str, state: studies.Stamp, titles: dict[str, studies.Number]) -> None:
    links.check({"number": choice("number", tuple(titles))})
    with st.container(horizontal=True, vertical_alignment="bottom"):
        title = st.selectbox("Number", tuple(titles), key="number", bind="query-params")
        words = controls.pick("Against", tuple(studies.AGAINST), key="against", labelled=True)
    rows = studies.rows(name, state, titles[title])
    with st.container(horizontal=True):
        networks = some("Networks", studies.networks(rows), key="networks")
        attacks = some("Attacks", studies.attacks(rows), key="attacks")
    shown = studies.chosen(rows, networks, attacks)
    metric, layer, statistic = titles[title]
    setting = {"against": studies.AGAINST[words], "layer": layer, "statistic": statistic}
    if shown.empty:
        st.info("Choose at least one network and one attack.", icon=":material/arrow_upward:")
        return
    content = (name, state, title, words, networks, attacks)
    show.of_store("study", content, lambda: charts.study_curves(shown, metric=metric, **setting))
    st.download_button(
        "Report as HTML",
        lambda: studies.report(name, state),
        file_name=f"{name.rpartition('.')[0]}.html",
        mime="text/html",
        on_click="ignore",
        icon=":material/download:",
    )


def some(label: str, options: tuple[str, ...], *, key: str) -> tuple[str, ...]:
    """Any number of options; all of them unless the address bar says otherwise."""
    links.check({key: choice(label.lower(), options, most=len(options))})
    return tuple(st.multiselect(label, options, options, key=key, bind="query-params"))


session.begin(__file__)
st.title("Studies", anchor=False)
names = studies.stores()
links.check({"store": choice("store", names)})
study_form.draw(expanded=not names)
if names:
    draw_store(st.selectbox("Store", names, key="store", bind="query-params"))
else:
    st.info(NONE_YET, icon=":material/science:")
