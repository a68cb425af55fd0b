"""The part of a page that follows the sliders, and the controls that belong to one page.

A slider moved has only that part drawn again: `app.py` draws the sliders and the part in one
fragment, which Streamlit runs without the rest. So a page says what follows (`charts`), and
`finish`, called after it, draws it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dqviz.ui import choices, errors, links, session
from dqviz.ui.settings import SWITCH, Settings, choice

_PART = "_part"
CHOOSE = "Choose at least one network in the sidebar."
BRING = "No network comes with this copy. Add your own in the sidebar, under Your own network."


class _Part(NamedTuple):
    """What follows the sliders: where on the page, and how it is drawn."""

    place: DeltaGenerator
    draw: Callable[[Settings], None]


def charts(draw: Callable[[Settings], None]) -> None:
    """Leaves a place for what follows the sliders; `draw` fills it when the page is done."""
    st.session_state[_PART] = _Part(st.container(), draw)


def finish(sliders: Callable[[], None]) -> None:
    """Draws the sliders, and what the page has left to be drawn with them."""
    part: _Part | None = st.session_state.pop(_PART, None)
    if part is None:
        sliders()
        return

    runs = itertools.count()

    @st.fragment
    def together() -> None:
        if next(runs) == 0:
            sliders()
            _follow(part)
            return
        try:  # a slider was moved: its value is known already, and the chart is what is waited for
            _follow(part)
        finally:
            sliders()

    together()


def _follow(part: _Part) -> None:
    # The container is the fragment's own. Without it, a fragment within would be drawn below it.
    with part.place, st.container(), errors.shown():
        settings = session.settings()
        if settings.networks:
            part.draw(settings)
        else:
            known = choices.networks() or session.own()
            st.info(CHOOSE if known else BRING, icon=":material/arrow_back:")


def tabs(labels: Sequence[str]) -> tuple[str, AbstractContextManager[object]]:
    """Draws tabs; returns the open one's label, and the place to fill.

    Only what stands in the open tab is computed and sent.
    """
    links.check({"view": choice("view", tuple(labels))})
    containers = st.tabs(labels, key="view", bind="query-params")
    return next(pair for pair in zip(labels, containers, strict=True) if pair[1].open)


def pick(
    label: str, options: Sequence[str], *, key: str, labelled: bool = False, first: int = 0
) -> str:
    """One of a few options, side by side; that at the place `first` unless the address bar says
    otherwise."""
    links.check({key: choice(label.lower(), tuple(options))})
    chosen: str = st.segmented_control(
        label,
        options,
        default=options[first],
        required=True,
        key=key,
        bind="query-params",
        label_visibility="visible" if labelled else "collapsed",
    )
    return chosen


def choose(label: str, options: Sequence[str], *, key: str, first: int = 0) -> str:
    """One option of a list; that at the place `first` unless the address bar says otherwise."""
    links.check({key: choice(label.lower(), tuple(options))})
    chosen: str = st.selectbox(label, options, index=first, key=key, bind="query-params")
    return chosen


def switch(label: str, *, key: str, help: str | None = None) -> bool:
    """Something that is on or off; off unless the address bar says otherwise."""
    links.check({key: choice(label.lower(), SWITCH)})
    turned: bool = st.toggle(label, key=key, bind="query-params", help=help)
    return turned
