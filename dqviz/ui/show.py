"""A chart on the page: figure, how to read it, its formula, its data, and both to take away."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence

import pandas as pd
import streamlit as st

from dqviz import __version__
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.claim import Claim
from dqviz.ui import links
from dqviz.ui.views import View

CONFIG = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
}
STORY = {
    "Quantization": "rounds weights and activations to a few levels, so that a network fits into "
    "small integers and small devices.",
    "An adversarial perturbation": "changes each pixel by next to nothing, chosen so that the "
    "network errs.",
    "Amplification": "is what happens in between: the error grows from layer to layer, and "
    "rounding can enlarge it.",
}
"""What the first page says in three breaths."""

LINKS = {
    "playground": "See the noise in one image",
    "amplification": "Follow it layer by layer",
    "lipschitz": "Ask how much it can grow",
    "glossary": "Look up a word",
}
SHIPPED = (
    "Computed with the settings that the app starts with when this version was made. "
    "Your own numbers replace it as soon as they are there."
)
MOST_CLAIMS = 4
_KINDS = {
    "supports": "check",
    "contradicts": "close",
    "undecided": "question_mark",
    "info": "chevron_right",
}
_KINDS_SAID = (
    ":material/check: agrees with what the authors of Defensive Quantization claim, "
    ":material/close: speaks against it; for these images and networks only."
)
_LARGE = {"font_size": 15, "legend_font_size": 15, "hoverlabel_font_size": 15}
"""Text sizes in pixels that can be read from the back of a lecture hall."""

_STALE_STYLE = "<style>.st-key-chart_{key} {{opacity: 0.4}}</style>"


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
        reason = str(error).partition(";")[0].rstrip(".")
        st.info(f"Nothing to draw here: {reason}.", icon=":material/info:")
        return
    frame(key, drawn, stale=view.stale)


def charts(
    view: View, draws: Mapping[str, Callable[[], Chart]], *, content: Sequence[Hashable] = ()
) -> None:
    """Draws several charts of one view, by their keys."""
    for key, draw in draws.items():
        chart(key, view, draw, content=content)


@st.cache_resource(max_entries=256, show_spinner=False)
def _drawn(key: str, content: tuple[Hashable, ...], _draw: Callable[[], Chart]) -> Chart:
    drawn = _draw()
    drawn.figure.update_layout(**_LARGE)
    drawn.figure.update_xaxes(tickfont_size=14, title_font_size=16)
    drawn.figure.update_yaxes(tickfont_size=14, title_font_size=16)
    return drawn


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


def notes(view: View) -> None:
    """What a reader needs to know of the results, in small print."""
    if view.notes:
        st.caption(" ".join(view.notes))


def claims(
    key: str,
    view: View,
    *makers: Callable[[pd.DataFrame], list[Claim]],
    table: Callable[[], pd.DataFrame],
    content: Sequence[Hashable] = (),
) -> None:
    """What the numbers say, in sentences computed from the rows that the chart shows.

    Nothing is said of a stale picture.
    """
    if not view.results or view.stale:
        return
    found = _stated(key, (*view.keys, *content), makers, table)
    with st.container(key=f"claims_{key}", gap="xsmall"):
        for claim in found:
            st.markdown(f":material/{_KINDS[claim.kind]}: {links.plain(claim.text)}")
        if {claim.kind for claim in found} & {"supports", "contradicts"}:
            st.caption(_KINDS_SAID)


@st.cache_resource(max_entries=256, show_spinner=False)
def _stated(
    key: str,
    content: tuple[Hashable, ...],
    _makers: Sequence[Callable[[pd.DataFrame], list[Claim]]],
    _table: Callable[[], pd.DataFrame],
) -> list[Claim]:
    rows = _table()
    return [claim for make in _makers for claim in make(rows)][:MOST_CLAIMS]
