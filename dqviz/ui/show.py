"""A chart on the page: figure, how to read it, its formula, its data, and both to take away."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import streamlit as st

from dqviz import __version__
from dqviz.charts.chart import Chart, ChartError
from dqviz.ui.settings import Settings
from dqviz.ui.views import View

CONFIG = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
}
_STALE_STYLE = "<style>.st-key-chart_{key} {{opacity: 0.4}}</style>"


def need_networks(settings: Settings) -> None:
    """Stops the page, and says why, where no network is chosen."""
    if not settings.networks:
        st.info("Choose at least one network in the sidebar.", icon=":material/arrow_back:")
        st.stop()


def chart(
    key: str, view: View, draw: Callable[[], Chart], *, content: Sequence[Hashable] = ()
) -> None:
    """Draws one chart of a view, greyed where the view is stale, an empty frame where it is empty.

    `content` names what the chart shows of the view, such as an epsilon: with the same results and
    equal content the chart drawn before is used again. What cannot be drawn is said in words.
    """
    if not view.results:
        st.skeleton(height=420)
        return
    try:
        drawn = _drawn(key, (*view.keys, *content), draw)
    except ChartError as error:
        st.info(f"Nothing to draw here: {error}.", icon=":material/info:")
        return
    frame(key, drawn, stale=view.stale)


@st.cache_resource(max_entries=256, show_spinner=False)
def _drawn(key: str, content: tuple[Hashable, ...], _draw: Callable[[], Chart]) -> Chart:
    return _draw()


def frame(key: str, drawn: Chart, *, stale: bool = False) -> None:
    """A drawn chart with its sentence, its formula, its data and a file of them."""
    with st.container(key=f"chart_{key}", gap="xsmall"):
        if stale:
            st.html(_STALE_STYLE.format(key=key))
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


def sentences(claims: Sequence[str]) -> None:
    """What the numbers say, in words that were computed from them."""
    for claim in claims:
        st.markdown(claim)
