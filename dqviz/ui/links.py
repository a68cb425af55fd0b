"""The address bar: a link reproduces the view, and what it asks for in vain is named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import quote, urlencode

import streamlit as st

from dqviz.ui.session import DEFAULT_PAGE
from dqviz.ui.settings import Parameter, ignored_values

PAGE_NAMES = frozenset(
    (
        "view",
        "metric",
        "controls",
        "play",
        "of",
        "by",
        "elements",
        "norm",
        "layer",
        "sample",
        "maps",
        "colours",
        "for",
        "store",
        "number",
        "against",
        "networks",
        "attacks",
        "only_eps",
        "only_wbits",
        "only_abits",
        "only_data",
        "only_n",
        "only_seed",
        "only_crafted",
        "study_view",
        "numbers",
        "bits",
        "cost",
        "share",
        "under",
        "at",
        "one",
        "other",
        "afresh",
        "paper_measure",
        "paper_attack",
        "paper_eps",
        "paper_noise",
        "paper_distance",
        "paper_bits",
        "paper_elements",
        "run",
    )
) | {"embed", "embed_options"}
"""Names in the address bar that single pages read and check."""

_IGNORED = "_ignored"


def check(parameters: Mapping[str, Parameter], *, others: frozenset[str] = frozenset()) -> None:
    """Notes what the address bar asks for in vain. Call before the widgets, which drop it."""
    query = {name: st.query_params.get_all(name) for name in st.query_params}
    if others:
        found = ignored_values(query, parameters, others)
    else:
        mine = {name: values for name, values in query.items() if name in parameters}
        found = ignored_values(mine, parameters, others)
    noted: dict[str, bool] = st.session_state.setdefault(_IGNORED, {})
    for text in found:
        noted.setdefault(text, False)


@contextmanager
def ignored_shown() -> Iterator[None]:
    """Names on top of a page what it found to be ignored, until the visitor has read it."""
    place = st.container()
    try:
        yield
    finally:
        noted: dict[str, bool] = st.session_state.get(_IGNORED, {})
        if not all(noted.values()):
            with place:
                _show(noted)


def _show(noted: dict[str, bool]) -> None:
    """`noted` says of each text whether it has been read."""

    def read() -> None:
        noted.update(dict.fromkeys(noted, True))

    unread = [text for text, is_read in noted.items() if not is_read]
    with st.container(horizontal=True, wrap=False, vertical_alignment="center", key="ignored"):
        st.warning("Ignored from the link: " + "; ".join(unread) + ".", width="stretch")
        st.button("OK", on_click=read, key="ignored_ok")


def address(page: str, query: Iterable[tuple[str, str]]) -> str:
    """A page with names and values after it, relative to any page."""
    encoded = urlencode(list(query))
    path = "./" if page == DEFAULT_PAGE else quote(page)
    return f"{path}?{encoded}" if encoded else path


def plain(text: str) -> str:
    """A text from outside, such as an error, with what Markdown acts on made harmless."""
    return re.sub(r"([\\`*_{}\[\]<>#$~|:])", r"\\\1", text[:2000])
