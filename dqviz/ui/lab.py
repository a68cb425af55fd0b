"""The DQ laboratory: a visitor's trainings, what is seen of them, and what becomes of them."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from dqviz import charts
from dqviz.charts import course as drawn
from dqviz.experiments.durations import remaining
from dqviz.experiments.handle import DONE, QUEUED, RUNNING
from dqviz.jobs import View
from dqviz.specs.training import COURSE, LAST_GOOD
from dqviz.ui import errors, jobs, links, session, show, trained, visitor

WHAT = (
    "Train a network with the Defensive Quantization penalty and without, and watch what becomes "
    "of its layers' norms and of the noise. Trainings are jobs: they go on when you leave the page."
)
SECONDS = 1.0
"""From one look at a training to the next."""


def trainings() -> list[View]:
    """This visitor's trainings, the latest first."""
    return [view for view in jobs.book().jobs(visitor.user()) if view.record.recipe]


def draw() -> None:
    """The training that is looked at: how far it is, its course, and what can be done with it."""
    found = trainings()
    if not found:
        st.info("Nothing is being trained. Choose, and start.", icon=":material/science:")
        return
    ids = [view.record.id for view in found]
    titles = {view.record.id: view.record.title for view in found}
    chosen = st.selectbox(
        "Training", ids, format_func=titles.__getitem__, key="run", bind="query-params"
    )
    active = next(view for view in found if view.record.id == chosen).state in (QUEUED, RUNNING)

    @st.fragment(run_every=SECONDS if active else None)
    def watch() -> None:
        view = jobs.book().view(chosen)
        if view is None or (view.state in (QUEUED, RUNNING)) != active:
            st.rerun()
        _state(view)
        _course(view)

    watch()


def _state(view: View) -> None:
    record = view.record
    if view.state in (QUEUED, RUNNING):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.progress(
                min(view.fraction, 1.0), f"{links.plain(view.text)}{remaining(view.seconds_left)}"
            )
            st.button(
                "Cancel",
                on_click=jobs.book().cancel,
                args=(record.id, visitor.user()),
                key="cancel_training",
                icon=":material/stop:",
            )
    elif record.error:
        errors.show_error(record.error, record.error_kind)
        _network(jobs.book().training_folder(record.id))
    elif view.state == DONE:
        _network(jobs.book().training_folder(record.id))
    else:
        st.info("Cancelled. What it had reached is drawn below.", icon=":material/cancel:")


def _network(folder: Path) -> None:
    """The network that there is, finished or the last good one of a training that diverged."""
    card = trained.card_in(folder)
    if card is None:
        return
    found = trained.read(card)
    weights = trained.weights_beside(card)
    told = found.accuracy
    diverged = found.id.endswith(LAST_GOOD)
    say, icon = (st.warning, "history") if diverged else (st.success, "check")
    say(
        f"{'Last good weights' if diverged else 'Trained'}: {100 * told['value']:.1f} % of "
        f"{told['n']} test images are classified correctly "
        f"({100 * told['low']:.1f} to {100 * told['high']:.1f}).",
        icon=f":material/{icon}:",
    )
    with st.container(horizontal=True):
        if st.button("Compare it on every page", key="lab_compare", icon=":material/add:"):
            session.choose(found.id)
            st.rerun()  # of the whole page: the sidebar is not in this fragment
        for label, file, kind in (
            ("Weights", weights, "application/octet-stream"),
            ("Card", card, "application/json"),
        ):
            st.download_button(
                label,
                file.read_bytes,
                file_name=file.name,
                mime=kind,
                on_click="ignore",
                icon=":material/download:",
            )


def read_course(folder: Path) -> list[dict[str, Any]]:
    """The looks that there are; a line that is only half there is left out."""
    file = folder / COURSE
    if not file.is_file():
        return []
    found: dict[int, dict[str, Any]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            look = json.loads(line)
            found[int(look["step"])] = look  # a killed run goes on from an earlier step
        except (ValueError, KeyError):
            continue
    return [found[step] for step in sorted(found)]


CHARTS: dict[str, Callable[[drawn.Course], charts.Chart]] = {
    "norms": drawn.norms_course,
    "noise": drawn.noise_course,
    "loss": drawn.loss_course,
    "probe": drawn.accuracy_course,
}


def _course(view: View) -> None:
    course = read_course(jobs.book().training_folder(view.record.id))
    if not course:
        if view.state in (QUEUED, RUNNING):
            st.skeleton(height=360)
        return
    content = (view.record.id, course[-1]["step"], len(course))
    for pair in (("norms", "noise"), ("loss", "probe")):
        for column, key in zip(st.columns(2, gap="medium"), pair, strict=True):
            with column:
                draw = functools.partial(CHARTS[key], course)
                show.of_store(f"lab_{key}", content, draw, select=False)
