"""The visitor's jobs, each with how it stands and what can be done with it."""

from __future__ import annotations

import time

import streamlit as st

from dqviz.experiments.durations import duration, remaining
from dqviz.experiments.handle import CANCELLED, DONE, FAILED, QUEUED, RUNNING
from dqviz.experiments.kept import KEPT_BYTES
from dqviz.jobs import JobError, View
from dqviz.ui import errors, jobs, links, visitor

WHAT = (
    "What takes longer than two seconds is a job. It goes on when you leave its page or close the "
    "browser, and is found again after the server was restarted. Other settings of the same view "
    "replace it."
)
NONE_YET = (
    "You have no job. Ask for something that takes long, such as PGD on 512 images, or start a "
    "grid on the page Studies."
)
NOT_KEPT = (
    "Another server uses this data folder, or it cannot be written: jobs are not found again after "
    "this server has ended."
)
SECONDS = 1.0
BADGES = {
    QUEUED: ("Waiting", "hourglass_empty", "gray"),
    RUNNING: ("At work", "play_arrow", "blue"),
    DONE: ("Done", "check", "green"),
    FAILED: ("Failed", "error", "red"),
    CANCELLED: ("Cancelled", "cancel", "orange"),
}
"""How each state is named, its icon and its colour."""


def draw() -> None:
    """Draws the list, again and again while something in it changes."""
    active = any(_is_open(view) for view in jobs.book().jobs(visitor.user()))

    @st.fragment(run_every=SECONDS if active else None)
    def listed() -> None:
        views = jobs.book().jobs(visitor.user())
        if any(_is_open(view) for view in views) != active:
            st.rerun()
        st.caption(_server())
        if not jobs.book().is_kept:
            st.warning(NOT_KEPT, icon=":material/warning:")
        if not views:
            st.info(NONE_YET, icon=":material/hourglass_empty:")
        for view in views:
            _draw_job(view)

    listed()


def _server() -> str:
    """What the server does for all, and what memory that may take."""
    running, waiting = jobs.book().others(visitor.user())
    engine = jobs.engine()
    return (
        f"At most {engine.job_workers} jobs are computed at once; visitors take turns. Of others, "
        f"{running} at work and {waiting} waiting. Computing processes and remembered results take "
        f"at most {_gigabytes(engine.memory_limit())} of memory; a process that takes more than "
        f"its share is started anew. Results kept on disk: {_gigabytes(_on_disk())} of at most "
        f"{_gigabytes(KEPT_BYTES)}."
    )


@st.cache_data(ttl=30, max_entries=1, show_spinner=False)
def _on_disk() -> int:
    """The bytes of all kept results, looked at now and then: there may be thousands of files."""
    kept = jobs.engine().kept
    return 0 if kept is None else kept.nbytes


def _draw_job(view: View) -> None:
    record = view.record
    label, icon, colour = BADGES[view.state]
    with st.container(border=True, gap="xsmall", key=f"job_{record.id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(label, icon=f":material/{icon}:", color=colour)  # type: ignore[arg-type]
            st.markdown(f"**{links.plain(record.title)}**", width="stretch")
            st.caption(_when(view), width="content")
        if _is_open(view):
            st.progress(min(view.fraction, 1.0), links.plain(_progress(view)))
        if record.error:
            errors.show_error(record.error, record.error_kind)
        with st.container(horizontal=True, vertical_alignment="center"):
            _buttons(view)


def _buttons(view: View) -> None:
    record, user = view.record, visitor.user()
    # In a new tab: there the sidebar takes what the address says, and nothing here is lost.
    st.link_button("Open", links.address(*record.address), icon=":material/open_in_new:")
    if _is_open(view):
        st.button(
            "Cancel",
            on_click=jobs.book().cancel,
            args=(record.id, user),
            key=f"cancel_{record.id}",
            icon=":material/stop:",
        )
        return
    if view.state != DONE:
        st.button(
            "Try again",
            on_click=_again,
            args=(record.id,),
            key=f"again_{record.id}",
            icon=":material/refresh:",
        )
    if st.button("Remove", key=f"remove_{record.id}", icon=":material/delete:"):
        jobs.book().remove(record.id, user)
        st.rerun()  # of the whole page: the sidebar may have the network that it trained


def _again(id: str) -> None:
    try:
        jobs.book().again(id, visitor.user())
    except JobError as error:
        st.toast(links.plain(str(error)), icon=":material/error:")


def _is_open(view: View) -> bool:
    return view.state in (QUEUED, RUNNING)


def _progress(view: View) -> str:
    text = view.text[:1].upper() + view.text[1:]
    if view.state == QUEUED and view.before:
        return f"{text}, {view.before} before it"
    return f"{text}{remaining(view.seconds_left)}"


def _when(view: View) -> str:
    record = view.record
    if record.ended is None:
        return f"asked for {duration(time.time() - record.made)} ago"
    took = duration(max(record.ended - record.made, 0.0))
    return f"ended {duration(max(time.time() - record.ended, 0.0))} ago, after {took}"


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB"
