"""The report on a store: asked for, being written as a job, and downloaded."""

from __future__ import annotations

import streamlit as st

from dqviz.experiments.handle import DONE, FAILED, QUEUED, RUNNING
from dqviz.jobs import View
from dqviz.ui import errors, jobs, links, studies, visitor

SECONDS = 0.5


def draw(name: str, state: studies.Stamp) -> None:
    """A button that has the report written; then how far it is; then one that downloads it.

    A report from before the store last changed is not offered: it is written anew.
    """
    view = _latest(name, state)
    if view is None or view.state not in (QUEUED, RUNNING):
        _offer(name, view)
        return

    @st.fragment(run_every=SECONDS)
    def watch() -> None:
        now = _latest(name, state)
        if now is None or now.state not in (QUEUED, RUNNING):
            st.rerun()
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.progress(min(now.fraction, 1.0), f"Report: {links.plain(now.text)}")
            st.button(
                "Cancel",
                on_click=jobs.book().cancel,
                args=(now.record.id, visitor.user()),
                key="cancel_report",
                icon=":material/stop:",
            )

    watch()


def _offer(name: str, view: View | None) -> None:
    if view is not None and view.state == FAILED:
        errors.show_error(view.record.error, view.record.error_kind)
    file = jobs.book().report_file(view.record.id) if view is not None else None
    if view is not None and view.state == DONE and file is not None and file.is_file():
        st.download_button(
            "Download the report",
            file.read_bytes,
            file_name=f"{studies.path_of(name).stem}.html",
            mime="text/html",
            on_click="ignore",
            icon=":material/download:",
        )
        return
    st.button(
        "Report as HTML",
        on_click=_ask,
        args=(name,),
        key="report",
        icon=":material/description:",
        help="Figures that zoom and hover without a network, the table, and how it was made.",
    )


def _ask(name: str) -> None:
    with errors.shown():
        jobs.book().add_report(visitor.user(), store=name)


def _latest(name: str, state: studies.Stamp) -> View | None:
    """The visitor's latest report on the store as it is now, or one that is being written."""
    changed = max((time for _, time in state), default=0) / 1e9
    for view in jobs.book().jobs(visitor.user()):
        record = view.record
        if record.report and record.store == name:
            fresh = record.made >= changed or view.state in (QUEUED, RUNNING)
            return view if fresh else None
    return None
