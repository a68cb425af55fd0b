"""A chart on the page: figure, how to read it, its formula, its data, and both to take away."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager

import streamlit as st

from dqviz import __version__
from dqviz.charts.chart import Chart, ChartError

CONFIG = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
}
_STALE_STYLE = "<style>.st-key-{key} {{opacity: 0.4; transition: opacity 0.2s}}</style>"


@st.cache_resource(max_entries=128, show_spinner=False)
def _drawn(key: str, content: tuple[Hashable, ...], _draw: Callable[[], Chart]) -> Chart:
    return _draw()


def chart(key: str, draw: Callable[[], Chart], *, content: Sequence[Hashable] = ()) -> None:
    """Draws one chart with all that belongs to it.

    `content` names what the chart shows (results' keys, epsilon): with equal content the chart
    drawn before is used again. What cannot be drawn is said in words.
    """
    try:
        drawn = _drawn(key, tuple(content), draw) if content else draw()
    except ChartError as error:
        st.info(f"Nothing to draw here: {error}.")
        return
    with st.container(key=f"chart_{key}", gap="xsmall"):
        st.subheader(drawn.title, anchor=False)
        st.plotly_chart(drawn.figure, key=f"figure_{key}", alt=drawn.alt, config=CONFIG)
        st.caption(drawn.how_to_read)
        _extras(key, drawn)


def _extras(key: str, drawn: Chart) -> None:
    """Formula and data, each a click away; the data are only sent once they are wanted."""
    with st.container(horizontal=True, gap="small", key=f"extras_{key}"):
        with st.popover("Formula", icon=":material/function:", type="tertiary"):
            st.latex(drawn.formula)
        data = st.popover(
            "Data",
            icon=":material/table:",
            type="tertiary",
            key=f"data_{key}",
            on_change="rerun",
        )
        st.download_button(
            "CSV",
            lambda: export(drawn),
            file_name=f"dqviz-{__version__}-{drawn.file_name}",
            mime="text/csv",
            key=f"csv_{key}",
            on_click="ignore",
            icon=":material/download:",
            type="tertiary",
        )
    if data.open:
        with data:
            st.dataframe(drawn.table, hide_index=True)


def export(drawn: Chart) -> str:
    """The chart's rows as comma-separated values, the program's version in every row."""
    return drawn.table.assign(dqviz_version=__version__).to_csv(index=False)


@contextmanager
def figures(key: str, *, stale: bool) -> Iterator[None]:
    """A place for charts, greyed while newer numbers are being computed."""
    name = f"figures_{key}"
    with st.container(key=name):
        if stale:
            st.html(_STALE_STYLE.format(key=name))
        yield


def sentences(claims: Sequence[str]) -> None:
    """What the numbers say, in words that were computed from them."""
    for claim in claims:
        st.markdown(f"**{claim}**" if claim == claims[0] else claim)


def placeholder(height: int = 420) -> None:
    """An empty frame where a chart will be."""
    st.skeleton(height=height)
