"""What belongs to one visitor: uploads, and what the sidebar says."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dqviz.specs import ModelSpec
from dqviz.ui.settings import Settings

_UPLOADS = "_uploads"
_SETTINGS = "_settings"


def uploads() -> dict[str, ModelSpec]:
    """The networks this visitor has uploaded, by the name shown; the dictionary may be changed."""
    found: dict[str, ModelSpec] = st.session_state.setdefault(_UPLOADS, {})
    return found


def keep(settings: Settings) -> None:
    """Remembers the sidebar's state for the page that is drawn next."""
    st.session_state[_SETTINGS] = settings


def settings(page_file: str) -> Settings:
    """What the sidebar says in this run. A page passes its `__file__`.

    Where a link to a page is the first thing that a fresh server is asked for, Streamlit runs that
    file of `pages/` by itself, since nothing has called `st.navigation` yet. Calling it makes
    Streamlit forget that folder for good, and the next run begins with `app.py`.
    """
    if _SETTINGS not in st.session_state:
        pages = sorted(Path(page_file).parent.glob("*.py"))
        st.navigation([st.Page(page) for page in pages], position="hidden")
        st.rerun()
    current: Settings = st.session_state[_SETTINGS]
    return current
