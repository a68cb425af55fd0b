"""Requests to the engine as a page sees them: ask, wait a moment, and draw what is there.

A page calls `run` with what it needs. What is computed already comes back at once; for the rest a
progress bar with a cancel button stands on the page until it is there, and the picture drawn before
stays, greyed. Only while something is being computed does the page ask the engine again and again.
"""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Sequence

import streamlit as st

from dqviz.experiments import Engine, Handle
from dqviz.specs import ExperimentSpec
from dqviz.ui import errors
from dqviz.ui.views import View

POLL_SECONDS = 0.25
GRACE_SECONDS = 0.3
"""A result that comes within this time is drawn without any progress bar."""

CHANNEL = "page"
"""A visitor sees one page at a time: what the page needs replaces what the page before needed."""

_REQUEST = "_request"


@dataclasses.dataclass
class Request:
    """What a page last asked for, and the engine's handles for it."""

    specs: tuple[ExperimentSpec, ...]
    handles: tuple[Handle, ...]
    given_up: bool = False

    @property
    def over(self) -> int:
        """How many of the handles are over."""
        return sum(handle.is_over for handle in self.handles)

    @property
    def is_busy(self) -> bool:
        """Whether anything is still to come."""
        return self.over < len(self.handles)

    @property
    def is_lost(self) -> bool:
        """Whether something was cancelled, but not by the visitor's wish."""
        return not self.given_up and any(h.status == "cancelled" for h in self.handles)

    def give_up(self) -> None:
        """Cancels whatever is still to come."""
        self.given_up = True
        for handle in self.handles:
            handle.cancel()


def make_engine() -> Engine:
    """A new engine, not started yet."""
    return Engine()


@st.cache_resource(max_entries=1, show_spinner=False)
def engine() -> Engine:
    """The one engine of this server, which starts in the background."""
    made = make_engine()
    made.start_in_background()
    return made


def _release(owner: str) -> None:
    engine().release(owner)


@st.cache_resource(scope="session", on_release=_release, show_spinner=False)
def owner() -> str:
    """A random token for this visitor; whatever it asked for is let go when the visitor leaves."""
    return secrets.token_hex(8)


def run(specs: Sequence[ExperimentSpec], *, view: str) -> View:
    """Asks for the specifications and returns what can be drawn now.

    `view` names the chart that the results are for, so that a greyed picture is one of its kind.
    """
    request = _request(tuple(specs))
    _wait(request, GRACE_SECONDS)
    _show_state()
    _show_failures(request)
    if request.is_busy:
        _watch(request)
    return _view(request, f"_last_{view}")


def _request(specs: tuple[ExperimentSpec, ...]) -> Request:
    """The request of this page: the one under way where nothing has changed."""
    request: Request | None = st.session_state.get(_REQUEST)
    if request is None or request.specs != specs or request.is_lost:
        handles = engine().submit(list(specs), owner=owner(), channel=CHANNEL)
        request = Request(specs, tuple(handles))
        st.session_state[_REQUEST] = request
    return request


def _again() -> None:
    st.session_state.pop(_REQUEST, None)


def _wait(request: Request, seconds: float) -> None:
    """Waits until all is over, or the time is up."""
    deadline = time.monotonic() + seconds
    for handle in request.handles:
        left = deadline - time.monotonic()
        if left <= 0 or not handle.wait(left):
            return


def _view(request: Request, last: str) -> View:
    done = tuple(handle.result(0) for handle in request.handles if handle.status == "done")
    if done:
        st.session_state[last] = done
        return View(done, busy=request.is_busy)
    return View(st.session_state.get(last, ()), stale=True, busy=request.is_busy)


def _show_state() -> None:
    """Says what state the engine is in, unless it is the usual one."""
    state, message = engine().state, engine().message
    if state == "restarted":
        text = f"{message[:1].upper()}{message[1:]}. What you asked for is computed anew."
        st.info(text, icon=":material/restart_alt:")
    elif state == "failed":
        errors.show_error(message, "engine")
        st.button("Start again", on_click=engine().start_in_background, key="restart")


def _show_failures(request: Request) -> None:
    failed = [handle for handle in request.handles if handle.status == "failed"]
    if engine().state != "failed":
        for message, kind in dict.fromkeys((h.error or "", h.error_kind or "") for h in failed):
            errors.show_error(message, kind)
    if request.given_up:
        st.info("Cancelled. Nothing is being computed.", icon=":material/cancel:")
    if failed or request.given_up:
        st.button("Try again", on_click=_again, key="again", icon=":material/refresh:")


def _progress(request: Request) -> tuple[float, str]:
    """How far a request is, 0 to 1, and in words."""
    if engine().state == "starting":
        return 0.0, "The engine is starting; this takes a few seconds"
    shares = [1.0 if handle.is_over else handle.progress.fraction for handle in request.handles]
    texts = [handle.progress.text for handle in request.handles if not handle.is_over]
    return sum(shares) / len(shares), f"Computing: {texts[0] if texts else 'done'}"


def _watch(request: Request) -> None:
    """A progress bar that asks the engine until something is over, then has the page redrawn."""
    seen = request.over

    @st.fragment(run_every=POLL_SECONDS)
    def watch() -> None:
        if request.over != seen:
            st.rerun()
        with st.container(horizontal=True, vertical_alignment="bottom", key="busy"):
            st.progress(*_progress(request))
            st.button("Cancel", on_click=request.give_up, key="cancel", icon=":material/stop:")

    watch()
