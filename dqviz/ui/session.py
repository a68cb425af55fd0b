"""What belongs to one visitor: uploads, and what the sidebar says."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dqviz.specs import ModelSpec
from dqviz.ui.settings import Settings

_UPLOADS = "_uploads"


def uploads() -> dict[str, ModelSpec]:
    """The networks this visitor has uploaded, by the name shown; the dictionary may be changed."""
    found: dict[str, ModelSpec] = st.session_state.setdefault(_UPLOADS, {})
    return found


def networks() -> tuple[str, ...]:
    """The networks compared, by name."""
    return tuple(st.session_state["net"])


def settings() -> Settings:
    """What the sidebar says at this moment, read from its widgets' state."""
    state = st.session_state
    return Settings(
        networks=networks(),
        data=state["data"],
        n_samples=state["n"],
        weight_bits=state["wbits"],
        act_bits=state["abits"],
        attack=state["attack"],
        epsilon=state["eps"] / 255,
        seed=state["seed"],
        steps=state["steps"],
        ranges=state["ranges"],
        estimator=state["ste"],
        crafted=state["crafted"],
        uploads=tuple(uploads().items()),
    )


def begin(page_file: str) -> None:
    """The first line of every page, which passes its `__file__`: has `app.py` run, if it has not.

    Where a link to a page is the first thing that a fresh server is asked for, Streamlit runs that
    file of `pages/` by itself, since nothing has called `st.navigation` yet. Calling it makes
    Streamlit forget that folder for good, and the next run begins with `app.py`.
    """
    if "net" not in st.session_state:
        pages = sorted(Path(page_file).parent.glob("*.py"))
        st.navigation([st.Page(page) for page in pages], position="hidden")
        st.rerun()
