"""Requests to the engine as a page sees them: ask, wait a moment, and draw what is there.

A page calls `run` with what it needs. What is computed already comes back at once; for the rest a
progress bar with a cancel button stands on the page until it is there, and the picture drawn before
stays, greyed. Only while something is being computed does the page ask the engine again and again.

What takes longer than two seconds becomes a job: it goes on when its page is left or closed. Other
settings of the same view replace it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import streamlit as st

from dqviz.data import data_folder
from dqviz.experiments import Engine
from dqviz.experiments.durations import remaining
from dqviz.experiments.handle import FAILED
from dqviz.experiments.kept import KeptResults
from dqviz.jobs import Book
from dqviz.jobs.folder import JobFolder
from dqviz.jobs.titles import title_of
from dqviz.specs import ExperimentSpec
from dqviz.ui import errors, session, visitor
from dqviz.ui.request import Request
from dqviz.ui.views import View

POLL_SECONDS = 0.5
GRACE_SECONDS = 0.3
"""A result that comes within this time is drawn without any progress bar."""

SOON_SECONDS = 1.5
"""How long the browser waits, after it has drawn a page, before it has the engine started."""

CHANNEL = "page"
"""A visitor sees one page at a time: what the page needs replaces what the page before needed."""

GOES_ON = "This goes on when you leave the page or close it. Other settings here replace it."

_REQUEST = "_request"


def make_engine() -> Engine:
    """A new engine, not started yet."""
    return Engine(kept=KeptResults(data_folder() / "kept"))


@st.cache_resource(max_entries=1, show_spinner=False)
def engine() -> Engine:
    """The one engine of this server; the first request starts it."""
    return make_engine()


@st.cache_resource(max_entries=1, show_spinner=False, on_release=Book.close)
def book() -> Book:
    """The jobs of this server, those that an earlier one has left among them."""
    data = data_folder()
    return Book(engine(), JobFolder(data / "jobs"), stores=data / "results")


def start_soon() -> bool:
    """Whether the engine has yet to be started; then that is done once the page is in the browser.

    For a page that has something to show already: its workers take all processors while they start,
    and the picture would come seconds later.
    """
    if engine().has_started:
        return False
    runs = itertools.count()

    @st.fragment(run_every=SOON_SECONDS)
    def start() -> None:
        if next(runs) > 0:  # asked by the browser, which has drawn the page
            engine().start_in_background()
            st.rerun()

    start()
    return True


def _release(visit: visitor.Visit) -> None:
    engine().release(visit.user, visit.channel(CHANNEL))


visitor.on_leave(_release)


def run(specs: Sequence[ExperimentSpec], *, view: str, first: float | None = None) -> View:
    """Asks for the specifications and returns what can be drawn now.

    `view` names the chart that the results are for, so that a greyed picture is one of its kind.
    Of a specification with many epsilons, what belongs to the epsilon `first` is computed before
    the rest, so that there is a picture soon.
    """
    request = _request(tuple(specs), first, view)
    request.wait(GRACE_SECONDS)
    _show_state()
    _show_failures(request)
    place = st.empty()  # always, so that the bar of an earlier run goes when there is none in this
    if request.is_busy:
        with place:
            _watch(request)
    return _view(request, f"_last_{view}")


def _request(specs: tuple[ExperimentSpec, ...], first: float | None, view: str) -> Request:
    """The request of this page: the one under way where nothing has changed."""
    place = (session.page(), view)
    before: Request | None = st.session_state.get(_REQUEST)
    if before is not None and before.answers(specs, first):
        before.place = place
        return before
    if before is not None:
        before.lookup.cancel()
        if before.job and before.place == place:
            book().cancel(before.job, visitor.user())
    visit = visitor.visit()
    channel = visit.channel(CHANNEL)
    request = Request(specs, first, engine=engine(), owner=visit.user, channel=channel, place=place)
    st.session_state[_REQUEST] = request
    return request


def _give_up(request: Request) -> None:
    request.give_up()
    if request.job:
        book().cancel(request.job, visitor.user())


def _again() -> None:
    st.session_state.pop(_REQUEST, None)


def _start_again() -> None:
    engine().start_in_background()
    _again()


def _view(request: Request, last: str) -> View:
    """What is there. The picture drawn before stays until there is more than was in it."""
    done, before = request.done(), View(st.session_state.get(last, ()))
    news = {result.spec_key for result in done} - set(before.keys)
    if done and (request.drawn or news or not request.is_busy):
        request.drawn = True
        st.session_state[last] = done
        return View(done, busy=request.is_busy, partial=len(done) < len(request.handles))
    return View(before.results, stale=True, busy=request.is_busy)


def _show_state() -> None:
    """Says what state the engine is in, unless it is the usual one."""
    state, message = engine().state, engine().message
    if state == "restarted":
        text = f"{message[:1].upper()}{message[1:]}. What you asked for is computed anew."
        st.info(text, icon=":material/restart_alt:")
    elif state == "failed":
        errors.show_error(message, "engine")
        st.button("Start again", on_click=_start_again, key="restart")


def _show_failures(request: Request) -> None:
    if engine().state == "failed":  # which has been said, with a button of its own
        return
    failed = [handle for handle in request.handles if handle.status == FAILED]
    for message, kind in dict.fromkeys((h.error or "", h.error_kind or "") for h in failed):
        errors.show_error(message, kind)
    if request.given_up:
        st.info("Cancelled. Nothing is being computed.", icon=":material/cancel:")
    if failed or request.given_up:
        st.button("Try again", on_click=_again, key="again", icon=":material/refresh:")


def _progress(request: Request) -> tuple[float, str]:
    """How far a request is, 0 to 1, and in words."""
    if not request.is_looking and engine().state == "starting":
        return 0.0, "The engine is starting; this takes a few seconds"
    fraction, text = request.progress
    if request.before:
        text += f", {request.before} before it"
    else:
        text += remaining(request.seconds_left)
    return fraction, text


def _watch(request: Request) -> None:
    """A progress bar that asks the engine until something is over, then has the page redrawn."""
    seen = request.over

    @st.fragment(run_every=POLL_SECONDS)
    def watch() -> None:
        if request.over != seen or request.can_be_sent or not request.is_busy:
            st.rerun()
        _make_job(request)
        with st.container(horizontal=True, vertical_alignment="bottom", key="busy"):
            st.progress(*_progress(request))
            if request.job:
                st.page_link(session.file_of_page("jobs"), label="Jobs", help=GOES_ON)
            st.button(
                "Cancel",
                on_click=_give_up,
                args=(request,),
                key="cancel",
                icon=":material/stop:",
            )

    watch()


def _make_job(request: Request) -> None:
    """Has what takes long go on whatever becomes of its page."""
    if not request.is_long or request.job is not None:
        return
    record = book().add_page(
        visitor.user(),
        title=f"{session.page().capitalize()}: {title_of(request.lookup.specs)}",
        address=(session.page(), session.query()),
        specs=request.lookup.specs,
    )
    request.job = "" if record is None else record.id
