"""The app: `streamlit run app.py`. A router over the files of `pages/`, and the shared sidebar."""

from pathlib import Path

import streamlit as st

from dqviz.ui import errors, jobs, links, sidebar

PAGES = Path(__file__).parent / "pages"

st.set_page_config(
    page_title="dqviz",
    page_icon=Path(__file__).parent / "docs" / "images" / "icon.png",  # a named icon is downloaded
    layout="wide",
    initial_sidebar_state=360,
)
page = st.navigation(
    [
        st.Page(PAGES / "overview.py", title="Overview", icon=":material/home:", default=True),
        st.Page(PAGES / "playground.py", title="Playground", icon=":material/image_search:"),
        st.Page(PAGES / "amplification.py", title="Amplification", icon=":material/trending_up:"),
        st.Page(PAGES / "lipschitz.py", title="Lipschitz", icon=":material/straighten:"),
        st.Page(PAGES / "glossary.py", title="Glossary", icon=":material/menu_book:"),
    ],
    position="top",
)
jobs.engine()
with links.ignored_shown(), errors.shown():
    sidebar.draw()
    page.run()
