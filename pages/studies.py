"""Studies: what a store of results holds, one number against one setting."""

import streamlit as st

from dqviz.ui import links, session, studies, study_form, study_report, study_views
from dqviz.ui.settings import choice

NONE_YET = """No study is here yet. A study is a grid of experiments: start one above, or on the
command line with `python -m dqviz sweep grid.toml`. What is finished can be seen while it runs."""


def draw_store(name: str) -> None:
    state = studies.stamp(name)
    numbers, cells = studies.offered(name, state)
    counts = cells["state"].value_counts()
    st.caption(f"{len(cells):,} cells: " + ", ".join(f"{n:,} {what}" for what, n in counts.items()))
    if numbers:
        study_views.draw(name, state, numbers)
        study_report.draw(name, state)
    else:
        st.info("No cell is finished yet.", icon=":material/hourglass_empty:")
    failed = cells[cells["state"] == "failed"]
    if len(failed):
        with st.expander(f"{len(failed):,} cells have failed"):
            st.dataframe(failed[list(studies.FAILURE)], hide_index=True)


session.begin(__file__)
st.title("Studies", anchor=False)
names = studies.stores()
links.check({"store": choice("store", names)})
study_form.draw()
if names:
    draw_store(st.selectbox("Store", names, key="store", bind="query-params"))
else:
    st.info(NONE_YET, icon=":material/science:")
