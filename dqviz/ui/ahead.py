"""What is likely to be asked for next, computed while nobody waits for anything.

Following the codes of every layer takes a pass a layer and epsilon, too long to do for all epsilons
before there is a picture. So the others come afterwards, and moving the slider only redraws.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dqviz.experiments import at_most_all, looking_once
from dqviz.specs import ExperimentSpec
from dqviz.ui import jobs

CHANNEL = "ahead"
SECONDS = 1.0
"""How often it is asked whether the next one can begin."""

_UNDER_WAY, _COMPLETE = "_ahead", "_ahead_complete"


def compute(specs: Sequence[ExperimentSpec], epsilons: Sequence[float]) -> None:
    """Has the specifications computed at the other epsilons, the nearest first, one at a time.

    At a low priority, and only while the visitor looks at this page. To be called once everything
    that was asked for is there.
    """
    asked = (tuple(specs), tuple(epsilons))
    if st.session_state.get(_COMPLETE) == asked or not _missing(*asked):
        st.session_state[_COMPLETE] = asked
        return

    @st.fragment(run_every=SECONDS)
    def ahead() -> None:
        left = [] if st.session_state.get(_COMPLETE) == asked else _missing(*asked)
        if not left:
            st.session_state[_COMPLETE] = asked
            return
        under_way = st.session_state.get(_UNDER_WAY)
        if under_way is None or under_way.is_over:
            (st.session_state[_UNDER_WAY],) = jobs.engine().submit(
                left[:1], owner=jobs.owner(), channel=CHANNEL, background=True
            )
        total = len(specs) * len(epsilons)
        st.caption(f"Other epsilons are computed ahead: {total - len(left)} of {total} are there.")

    ahead()


def _missing(
    specs: tuple[ExperimentSpec, ...], epsilons: tuple[float, ...]
) -> list[ExperimentSpec]:
    """What is not computed yet, from the specifications' own epsilon outwards."""
    if not specs:
        return []
    here = specs[0].attack.epsilons[0]
    with looking_once():
        wanted = [
            jobs.preview(at_most_all(spec), epsilon)
            for epsilon in sorted(epsilons, key=lambda epsilon: abs(epsilon - here))
            for spec in specs
        ]
        return [spec for spec in wanted if not jobs.engine().is_known(spec)]
