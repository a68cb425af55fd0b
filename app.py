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
page = st.navigation(
    [
        st.Page(PAGES / "overview.py", title="Overview", icon=":material/home:", default=True),
        st.Page(PAGES / "playground.py", title="Playground", icon=":material/image_search:"),
        st.Page(PAGES / "amplification.py", title="Amplification", icon=":material/trending_up:"),
        st.Page(PAGES / "lipschitz.py", title="Lipschitz", icon=":material/straighten:"),
        st.Page(PAGES / "trust.py", title="Can you trust it?", icon=":material/verified_user:"),
        st.Page(PAGES / "studies.py", title="Studies", icon=":material/science:"),
        st.Page(PAGES / "jobs.py", title="Jobs", icon=":material/work_history:"),
        st.Page(PAGES / "glossary.py", title="Glossary", icon=":material/menu_book:"),
    ],
    position="top",
)
visitor.remember()
jobs.book()  # what an earlier server has left goes on, whichever page is asked for first
with links.ignored_shown(), errors.shown():
    sliders = sidebar.draw()
    with errors.shown():
        page.run()
    controls.finish(sliders)
