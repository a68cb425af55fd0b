"""What is likely to be asked for next, computed while nobody waits for anything.

Following the codes of every layer takes a pass a layer and epsilon, too long to do for all epsilons
before there is a picture. So the others come afterwards, and moving the slider only redraws.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dqviz.experiments import Engine, Handle, Lookup
from dqviz.experiments.handle import FAILED
from dqviz.specs import ExperimentSpec
from dqviz.ui import jobs, visitor
from dqviz.ui.request import at_epsilon

CHANNEL = "ahead"
SECONDS = 1.0
"""How often it is asked whether the next one can begin."""

_KEY = "_ahead"


def _release(visit: visitor.Visit) -> None:
    jobs.engine().release(visit.user, visit.channel(CHANNEL))


visitor.on_leave(_release)


class _Ahead:
    """What is computed ahead on one page: the specifications at the other epsilons, nearest first.

    `left` says which are still to be computed; what has failed is not tried again.
    """

    def __init__(self, specs: Sequence[ExperimentSpec], epsilons: Sequence[float]) -> None:
        here = specs[0].attack.epsilons[0]
        nearest_first = sorted(epsilons, key=lambda epsilon: abs(epsilon - here))
        self.lookup = Lookup([at_epsilon(spec, e) for e in nearest_first for spec in specs])
        self.under_way: Handle | None = None
        self._failed: set[ExperimentSpec] = set()
        self._complete = False

    def left(self, engine: Engine) -> list[ExperimentSpec]:
        if self._complete or not self.lookup.is_over:
            return []
        if self.under_way is not None and self.under_way.status == FAILED:
            self._failed.add(self.under_way.spec)
        found = [
            spec
            for spec in self.lookup.specs
            if spec not in self._failed and not engine.is_known(spec)
        ]
        self._complete = not found
        return found


def compute(specs: Sequence[ExperimentSpec], epsilons: Sequence[float]) -> None:
    """Has the specifications computed at the other epsilons, one at a time.

    At a low priority, and only while the visitor looks at this page. To be called once everything
    that was asked for is there.
    """
    if not specs:
        return
    asked = (tuple(specs), tuple(epsilons))
    if asked not in st.session_state.get(_KEY, {}):
        st.session_state[_KEY] = {asked: _Ahead(*asked)}
    work: _Ahead = st.session_state[_KEY][asked]
    if work.lookup.wait(jobs.GRACE_SECONDS) and not work.left(jobs.engine()):
        return

    @st.fragment(run_every=SECONDS)
    def ahead() -> None:
        left = work.left(jobs.engine())
        if not left:
            return
        if work.under_way is None or work.under_way.is_over:
            visit = visitor.visit()
            (work.under_way,) = jobs.engine().submit(
                left[:1], owner=visit.user, channel=visit.channel(CHANNEL), background=True
            )
        total = len(work.lookup.specs)
        st.caption(f"Other epsilons are computed ahead: {total - len(left)} of {total} are there.")

    ahead()
