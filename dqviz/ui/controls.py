"""Controls that belong to one page, bound to the address bar like the sidebar's."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

import streamlit as st

from dqviz.ui import links
from dqviz.ui.settings import Settings, choice


def need_networks(settings: Settings) -> None:
    """Stops the page, and says why, where no network is chosen."""
    if not settings.networks:
        st.info("Choose at least one network in the sidebar.", icon=":material/arrow_back:")
        st.stop()


def tabs(labels: Sequence[str]) -> tuple[str, AbstractContextManager[object]]:
    """Draws tabs; returns the open one's label, and the place to fill.

    Only what stands in the open tab is computed and sent.
    """
    links.check({"view": choice("view", tuple(labels))})
    containers = st.tabs(labels, key="view", bind="query-params")
    return next(pair for pair in zip(labels, containers, strict=True) if pair[1].open)


def pick(label: str, options: Sequence[str], *, key: str) -> str:
    """One of a few options, side by side; the first unless the address bar says otherwise."""
    links.check({key: choice(label.lower(), tuple(options))})
    chosen: str = st.segmented_control(
        label,
        options,
        default=options[0],
        required=True,
        key=key,
        bind="query-params",
        label_visibility="collapsed",
    )
    return chosen
