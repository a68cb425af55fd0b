"""Starting a grid of experiments from the page Studies."""

from __future__ import annotations

import streamlit as st

from dqviz.studies import parse_grid
from dqviz.ui import errors, jobs, session, studies, visitor

MANY_CELLS = 1000
"""More cells than these are asked about before they are begun."""

EXAMPLE = """\
kind = "accuracy"            # or "amplification", "lipschitz"
model = ["streetdigits/resnet20/vanilla", "streetdigits/resnet20/dq"]
seed = [0, 1]                # which images

[data]
name = "streetdigits"
n_samples = 128

[quant]
weight_bits = 8
act_bits = [32, 8, 4, 3]     # 32: full precision

[attack]
name = "fgsm"                # or a list: ["fgsm", "pgd"]
epsilon = ["0.5/255", "1/255", "2/255"]
"""
HELP = (
    "Each list is an axis; every combination is a cell. Leave some out with [[exclude]], such as "
    "quant.act_bits = 32 and attack.name = 'pgd' below it. Files lie in the data folder. The "
    "README says more."
)
_PENDING = "_pending_study"


def draw() -> None:
    """Draws the form; what is started is a job, and its store is chosen on this page."""
    with st.expander("Start a study", icon=":material/add:"):
        with st.form("study", border=False):
            grid = st.text_area("Grid (TOML)", EXAMPLE, height=360, help=HELP, key="grid")
            left, right = st.columns([3, 1], vertical_alignment="bottom")
            name = left.text_input(
                "Store that takes the results",
                "study",
                key="study_store",
                help="A file in the folder of results. What it holds already is not computed anew.",
            )
            asked = right.form_submit_button("Start", icon=":material/play_arrow:", width="stretch")
        if asked:
            st.session_state.pop(_PENDING, None)
            _ask(grid, name if name.endswith(studies.SUFFIXES) else f"{name}.sqlite")
        elif _PENDING in st.session_state:
            _confirm()


def _ask(grid: str, store: str) -> None:
    with errors.shown():
        cells = parse_grid(grid).product
        if cells > MANY_CELLS:
            st.session_state[_PENDING] = (grid, store, cells)
            _confirm()
            return
        _start(grid, store)


def _confirm() -> None:
    grid, store, cells = st.session_state[_PENDING]
    st.warning(f"The grid has {cells:,} cells before exclusions.", icon=":material/help:")
    if st.button(f"Compute all {cells:,}", key="confirm_study"):
        del st.session_state[_PENDING]
        with errors.shown():
            _start(grid, store)


def _start(grid: str, store: str) -> None:
    jobs.book().add_study(visitor.user(), grid=grid, store=store)
    st.switch_page(session.file_of_page("jobs"))
