"""Requests to the engine as a page sees them: ask, wait a moment, and draw what is there.

A page calls `run` with what it needs. What is computed already comes back at once; for the rest a
progress bar with a cancel button stands on the page until it is there, and the picture drawn before
stays, greyed. Only while something is being computed does the page ask the engine again and again.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

import streamlit as st

from dqviz.experiments import Engine, Handle, Result
from dqviz.specs import ExperimentSpec
from dqviz.ui import errors, session

POLL_SECONDS = 0.25
GRACE_SECONDS = 0.3
"""A result that comes within this time is drawn without any progress bar."""

STARTING = "The engine is starting. This takes a few seconds."
RESTARTED = "The computing process had stopped and was started again. Your request is running anew."


@dataclasses.dataclass(frozen=True)
class Request:
    """What a page last asked for, and the engine's handles for it."""

    specs: tuple[ExperimentSpec, ...]
    handles: tuple[Handle, ...]

    @property
    def over(self) -> int:
        """How many of the handles are over."""
        return sum(handle.is_over for handle in self.handles)

    @property
    def is_busy(self) -> bool:
        """Whether anything is still to come."""
        return self.over < len(self.handles)


@dataclasses.dataclass(frozen=True)
class View:
    """The results that can be drawn. `stale` says that they answer an older request."""

    results: tuple[Result, ...] = ()
    stale: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """The results' keys: equal keys, equal content."""
        return tuple(result.spec_key for result in self.results)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader needs to know of these results, each said once."""
        return tuple(dict.fromkeys(note for result in self.results for note in result.notes))


def make_engine() -> Engine:
    """A new engine, not started yet."""
    return Engine()


@st.cache_resource(max_entries=1, show_spinner=False)
def engine() -> Engine:
    """The one engine of this server, which starts in the background."""
    made = make_engine()
    made.start_in_background()
    return made


def run(specs: Sequence[ExperimentSpec], *, channel: str, view: str = "") -> View:
    """Asks for the specifications and returns what can be drawn now.

    `channel` names the page: its newer request replaces the older one. `view` names the chart that
    the results are for, so that a greyed picture is one of the same kind.
    """
    request = _request(tuple(specs), channel)
    _wait(request, GRACE_SECONDS)
    _show_state()
    _show_failures(request, channel)
    if request.is_busy:
        _watch(request, channel)
    return _view(request, f"_last_{channel}_{view}")


def _request(specs: tuple[ExperimentSpec, ...], channel: str) -> Request:
    """The request of this page: the one under way where nothing has changed."""
    name = f"_request_{channel}"
    request: Request | None = st.session_state.get(name)
    if request is None or request.specs != specs:
        handles = engine().submit(list(specs), owner=session.owner(), channel=channel)
        request = Request(specs, tuple(handles))
        st.session_state[name] = request
    return request


def _again(channel: str) -> None:
    st.session_state.pop(f"_request_{channel}", None)


def _wait(request: Request, seconds: float) -> None:
    """Waits until all is over, or the time is up, or the visitor has done something else."""
    deadline = time.monotonic() + seconds
    for handle in request.handles:
        left = deadline - time.monotonic()
        if left <= 0 or not handle.wait(left):
            return


def _view(request: Request, last: str) -> View:
    done = tuple(h.result(0) for h in request.handles if h.status == "done")
    if done:
        st.session_state[last] = done
        return View(done)
    return View(st.session_state.get(last, ()), stale=True)


def _show_state() -> None:
    state = engine().state
    if state == "starting":
        st.info(STARTING, icon=":material/hourglass_top:")
    elif state == "restarted":
        st.info(RESTARTED, icon=":material/restart_alt:")
    elif state == "failed":
        errors.show_error("The engine could not be started", "internal")


def _show_failures(request: Request, channel: str) -> None:
    failed = [handle for handle in request.handles if handle.status == "failed"]
    for message, kind in dict.fromkeys((h.error or "", h.error_kind or "") for h in failed):
        errors.show_error(message, kind)
    cancelled = any(handle.status == "cancelled" for handle in request.handles)
    if cancelled:
        st.info("Cancelled. Nothing is being computed.", icon=":material/cancel:")
    if failed or cancelled:
        st.button("Try again", on_click=_again, args=(channel,), key=f"again_{channel}")


def _watch(request: Request, channel: str) -> None:
    """A progress bar that asks the engine until something is over, then has the page redrawn."""
    seen = request.over

    @st.fragment(run_every=POLL_SECONDS)
    def watch() -> None:
        if request.over != seen:
            st.rerun()
        progress = [1.0 if h.is_over else h.progress.fraction for h in request.handles]
        text = next((h.progress.text for h in request.handles if not h.is_over), "")
        with st.container(horizontal=True, vertical_alignment="center", key=f"busy_{channel}"):
            st.progress(sum(progress) / len(progress), text=text.capitalize() or "Computing")
            if st.button("Cancel", key=f"cancel_{channel}", icon=":material/stop_circle:"):
                for handle in request.handles:
                    handle.cancel()
                st.rerun()

    watch()
