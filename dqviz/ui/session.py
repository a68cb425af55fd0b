"""What belongs to one visitor: networks of one's own, and what the sidebar says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from dqviz.specs import ModelSpec
from dqviz.ui.settings import (
    EPSILONS,
    MAX_LEVEL,
    MAX_SAMPLES,
    SAMPLES,
    Settings,
    with_linked,
)

DEFAULT_PAGE = "overview"
"""The page without a name in the address bar, as `app.py` has it."""

_UPLOADS = "_uploads"
_TRAINED = "_trained"
_CHOSEN = "_chosen"
_PAGE = "_page"
_LINKED = "_linked"


def uploads() -> dict[str, ModelSpec]:
    """The networks this visitor has uploaded, by the name shown; the dictionary may be changed."""
    found: dict[str, ModelSpec] = st.session_state.setdefault(_UPLOADS, {})
    return found


def take_trained(found: Mapping[str, ModelSpec]) -> None:
    """Notes which networks this visitor has trained."""
    st.session_state[_TRAINED] = dict(found)


def own() -> dict[str, ModelSpec]:
    """The networks this visitor has trained or uploaded, by the name shown."""
    return {**st.session_state.get(_TRAINED, {}), **uploads()}


def choose(name: str) -> None:
    """Has a network chosen in the next run, before the widget that shows the choice."""
    st.session_state[_CHOSEN] = name


def take_chosen(most: int) -> None:
    """Does what `choose` has asked for; the oldest choice gives way where there are too many."""
    name = st.session_state.pop(_CHOSEN, None)
    if name is not None:
        kept = [other for other in networks() if other != name]
        st.session_state["net"] = [*kept, name][-most:]


def networks() -> tuple[str, ...]:
    """The networks compared, by name."""
    return tuple(st.session_state["net"])


def samples() -> tuple[int, ...]:
    """The numbers of images to choose from: a link may have asked for one more."""
    return _linked("n", SAMPLES, int, MAX_SAMPLES)


def levels() -> tuple[float, ...]:
    """The epsilons to choose from, in grey levels: a link may have asked for one more."""
    return _linked("eps", EPSILONS, float, MAX_LEVEL)


def _linked(name: str, options: tuple[Any, ...], kind: type, most: float) -> tuple[Any, ...]:
    """What the link that began this session has added to a slider's options."""
    kept: dict[str, tuple[Any, ...]] = st.session_state.setdefault(_LINKED, {})
    if name not in kept:
        kept[name] = with_linked(options, st.query_params.get(name, ""), kind, most)
    return kept[name]


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
        queries=state["queries"],
        loss=state["loss"],
        ranges=state["ranges"],
        estimator=state["ste"],
        crafted=state["crafted"],
        fast=state["fast"],
        squeeze=state["squeeze"],
        levels=levels(),
        uploads=tuple(own().items()),
    )


def page() -> str:
    """The name of the page that is looked at, such as `amplification`."""
    return file_of_page().stem


def file_of_page(name: str | None = None) -> Path:
    """The file of a page by its name, or of the page that is looked at."""
    found: Path = st.session_state[_PAGE]
    return found if name is None else found.with_stem(name)


def query() -> tuple[tuple[str, str], ...]:
    """The names and values in the address bar, which together say what is looked at."""
    params = st.query_params
    return tuple((name, value) for name in params for value in params.get_all(name))


def begin(page_file: str) -> None:
    """The first line of every page, which passes its `__file__`: has `app.py` run, if it has not.

    Where a link to a page is the first thing that a fresh server is asked for, Streamlit runs that
    file of `pages/` by itself, since nothing has called `st.navigation` yet. Calling it makes
    Streamlit forget that folder for good, and the next run begins with `app.py`.
    """
    st.session_state[_PAGE] = Path(page_file)
    if "net" not in st.session_state:
        pages = [
            st.Page(page, default=page.stem == DEFAULT_PAGE)
            for page in Path(page_file).parent.glob("*.py")
        ]
        st.navigation(pages, position="hidden")
        st.rerun()
