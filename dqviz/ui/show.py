"""A chart on the page: figure, how to read it, what it says; formula and data a click away.

Every element costs time in the browser each time a slider is moved, so there are few of them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

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
LARGE = {"font_size": 15, "legend_font_size": 15, "hoverlabel_font_size": 15}
"""Text sizes in pixels that can be read from the back of a lecture hall."""

STEADY = frozenset({"growth"})
"""Charts that sliders move again and again: their margins are fixed, so that the plot stays where
it is and the browser need not measure it anew."""
MARGIN = {"l": 92, "r": 24, "t": 40, "b": 98}

MOST_CLAIMS = 8
Maker = Callable[..., list[Claim]]
"""From rows to sentences."""
Drawing = Callable[[pd.DataFrame], Chart]
"""From rows to a picture."""
KINDS = {
    "supports": "check",
    "contradicts": "close",
    "undecided": "question_mark",
    "info": "chevron_right",
}
KINDS_SAID = {
    "supports": ":material/check: agrees with what the authors of Defensive Quantization claim",
    "contradicts": (
        ":material/close: speaks against what the authors of Defensive Quantization claim"
    ),
    "undecided": ":material/question_mark: settles nothing: too uncertain, or layers disagree",
}
"""What the marks mean, except that of a sentence which only informs."""
_STYLE = "<style>.st-key-chart_{key} {{opacity: {opacity}}}</style>"


def chart(
    key: str, view: View, draw: Callable[[], Chart], *, content: Sequence[Hashable] = ()
) -> None:
    """Draws one chart of a view, greyed where the view is stale, an empty frame while it is empty.

    `content` names what the chart shows of the view, such as an epsilon: with the same results and
    equal content the chart drawn before is used again. What cannot be drawn is said in words.
    """
    if not view.results:
        if view.busy:
            st.skeleton(height=420)
        return
    try:
        drawn = _drawn(key, (*view.keys, *content), draw)
    except ChartError as error:
        reason = str(error).partition(";")[0].rstrip(".")
        st.info(f"Nothing to draw here: {links.plain(reason)}.", icon=":material/info:")
        return
    _put(key, drawn, stale=view.stale)


def of_store(
    key: str, content: Sequence[Hashable], draw: Callable[[], Chart], *, select: bool = True
) -> Sequence[Sequence[Any]]:
    """Draws a chart of numbers that are there already; equal content is drawn once.

    `select` lets points be selected.

    Returns:
        What each selected point says of its cell (its `customdata`).
    """
    try:
        drawn = _drawn(key, tuple(content), draw)
    except ChartError as error:
        st.info(f"Nothing to draw here: {links.plain(str(error))}.", icon=":material/info:")
        return ()
    return _put(key, drawn, stale=False, select=select)


def _put(key: str, drawn: Chart, *, stale: bool, select: bool = False) -> Sequence[Sequence[Any]]:
    points: list[dict[str, Any]] = []
    with st.container(key=f"chart_{key}", gap="xsmall"):
        # Always, for Streamlit keeps the style of a fragment's earlier run where none replaces it.
        st.html(_STYLE.format(key=key, opacity=0.4 if stale else 1))
        st.subheader(drawn.title, anchor=False)
        setting: dict[str, Any] = {
            "key": f"figure_{key}",
            "alt": drawn.alt,
            "config": _config(drawn),
        }
        if select:
            mode: dict[str, Any] = {"on_select": "rerun", "selection_mode": "points"}
            event: Any = st.plotly_chart(drawn.figure, **mode, **setting)
            points = event["selection"]["points"]
        else:
            st.plotly_chart(drawn.figure, **setting)
        st.caption(" ".join(part for part in (drawn.how_to_read, drawn.note) if part))
        _more(key, drawn)
    return [point["customdata"] for point in points if point.get("customdata")]


def charts(
    view: View, draws: Mapping[str, Callable[[], Chart]], *, content: Sequence[Hashable] = ()
) -> None:
    """Draws several charts of one view, by their keys."""
    for key, draw in draws.items():
        chart(key, view, draw, content=content)


@st.cache_resource(max_entries=128, show_spinner=False)
def _drawn(key: str, content: tuple[Hashable, ...], _draw: Callable[[], Chart]) -> Chart:
    drawn = _draw()
    axis = {"tickfont_size": 14, "title_font_size": 16}
    if key in STEADY:
        axis["automargin"] = False
        drawn.figure.update_layout(margin=MARGIN)
    drawn.figure.update_layout(**LARGE)
    drawn.figure.update_xaxes(**axis)
    drawn.figure.update_yaxes(**axis)
    return drawn


def _config(drawn: Chart) -> dict[str, Any]:
    """The figure's buttons; its picture is saved under a name that says what it is."""
    stem = drawn.file_name.removesuffix(".csv")
    return {**CONFIG, "toImageButtonOptions": {"filename": f"dqviz-{__version__}-{stem}"}}


def _more(key: str, drawn: Chart) -> None:
    """The formula, the data and a file of them, which are sent once somebody wants them."""
    more = st.popover(
        "Formula and data",
        icon=":material/table_chart:",
        type="tertiary",
        key=f"more_{key}",
        on_change="rerun",
    )
    if not more.open:
        return
    with more:
        st.latex(drawn.formula)
        st.dataframe(with_version(drawn.table), hide_index=True, height=280)
        st.download_button(
            "Download as CSV",
            export(drawn),
            file_name=f"dqviz-{__version__}-{drawn.file_name}",
            mime="text/csv",
            key=f"csv_{key}",
            on_click="ignore",
            icon=":material/download:",
        )


def with_version(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the program's version in each, as they leave the page."""
    return rows.assign(dqviz_version=__version__)


def export(drawn: Chart) -> str:
    """The chart's rows as comma-separated values, the program's version in every row."""
    return with_version(drawn.table).to_csv(index=False)


def notes(view: View, epsilon: float) -> None:
    """What a reader needs to know of the results at this epsilon, in small print."""
    here = f"At {epsilon * 255:.4g}/255:"
    wanted = [note for note in view.notes if not note.startswith("At ") or note.startswith(here)]
    if wanted:
        st.caption(links.plain(" ".join(wanted)))


def claims(
    key: str,
    view: View,
    *makers: Maker,
    paired: Sequence[Maker] = (),
    at: float | None = None,
    content: Sequence[Hashable] = (),
) -> None:
    """What the numbers say, in sentences computed from the rows that the chart shows.

    The `paired` makers come first and are given the numbers by image as `samples`. `at` is the
    epsilon whose rows are meant, None means all. Nothing is said of a picture that is stale or
    not complete.
    """
    if not view.results or view.stale or view.partial or not (makers or paired):
        return
    found = _stated(key, (*view.keys, at, *content), view, makers, paired, at)
    lines = [f":material/{KINDS[claim.kind]}: {links.plain(claim.text)}" for claim in found]
    kinds = {claim.kind for claim in found}
    said = [text for kind, text in KINDS_SAID.items() if kind in kinds]
    if said:
        lines.append(f":small[{'; '.join(said)} (for these images and networks only).]")
    with st.container(key=f"claims_{key}"):
        st.markdown("  \n".join(lines))


@st.cache_resource(max_entries=256, show_spinner=False)
def _stated(
    key: str,
    content: tuple[Hashable, ...],
    _view: View,
    _makers: Sequence[Maker],
    _paired: Sequence[Maker],
    _at: float | None,
) -> list[Claim]:
    rows = _view.table if _at is None else _view.at(_at)
    found = []
    if _paired and _at is not None:
        samples = _view.samples_at(_at)
        found = [claim for make in _paired for claim in make(rows, samples=samples)]
    return [*found, *[claim for make in _makers for claim in make(rows)]][:MOST_CLAIMS]
