"""The app: `streamlit run app.py`. A router over the files of `pages/`, and the shared sidebar."""

from pathlib import Path

import streamlit as st

from dqviz.ui import controls, errors, jobs, links, sidebar, visitor

HERE = Path(__file__).parent
PAGES = HERE / "pages"

st.set_page_config(
    page_title="dqviz",
    page_icon=HERE / "docs" / "images" / "icon.png",  # a named icon would be downloaded
    layout="wide",
    initial_sidebar_state=360,
)
# Without icons, and the last ones behind a word: a laptop has no room for more.
page = st.navigation(
    {
        "": [
            st.Page(PAGES / "overview.py", title="Overview", default=True),
            st.Page(PAGES / "playground.py", title="Playground"),
            st.Page(PAGES / "amplification.py", title="Amplification"),
            st.Page(PAGES / "lipschitz.py", title="Lipschitz"),
            st.Page(PAGES / "robustness.py", title="Robustness"),
            st.Page(PAGES / "trust.py", title="Can you trust it?"),
            st.Page(PAGES / "paper.py", title="The paper"),
            st.Page(PAGES / "lab.py", title="DQ laboratory"),
        ],
        "More": [
            st.Page(PAGES / "studies.py", title="Studies"),
            st.Page(PAGES / "jobs.py", title="Jobs"),
            st.Page(PAGES / "glossary.py", title="Glossary"),
        ],
    },
    position="top",
)
visitor.remember()
jobs.book()  # what an earlier server has left goes on, whichever page is asked for first
with links.ignored_shown(), errors.shown():
    sliders = sidebar.draw()
    with errors.shown():
        page.run()
    controls.finish(sliders)
