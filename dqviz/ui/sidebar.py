"""The sidebar that all pages share. Every choice is bound to the address bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dqviz import __version__
from dqviz.specs import ATTACKS, ESTIMATORS, LOSSES, RANGES
from dqviz.ui import choices, links, session, trained, upload
from dqviz.ui.settings import (
    ACT_BITS,
    ATTACK_NAMES,
    ATTACK_WORDS,
    CRAFTED,
    ESTIMATOR_WORDS,
    MAX_NETWORKS,
    MAX_SEED,
    QUERIES,
    SQUEEZES,
    STEPS,
    WEIGHT_BITS,
    epsilon_text,
    sidebar_parameters,
)

# Streamlit cuts long names off; here the last part of a name is what tells networks apart.
_STYLE = """<style>
.st-key-net [data-tag], .st-key-net [data-tag] span {max-width: 100%; font-size: 0.8rem}
</style>"""
_BITS_HELP = (
    "32 stands for full precision: nothing is rounded. The first and the last layer take 8 bits, "
    "and shortcuts without parameters are not quantized."
)
_IMAGES_HELP = "Drawn from the test images by the seed. The Playground shows one at a time."
_SEED_HELP = "Chooses the images, and the start of random attacks and controls."
_STEPS_HELP = "Gradient steps of every attack but FGSM, R+FGSM and Square, which take one or none."
_QUERIES_HELP = "How often Square, alone or in the ensemble, asks the network about each image."
_LOSS_HELP = (
    "What FGSM, R+FGSM, BIM, PGD and MI-FGSM raise; the other attacks have their own. rescaled: "
    "the cross-entropy of logits made small, where a saturated softmax would hide the gradient. "
    "dlr: how far the true class lies behind, whatever the scale of the logits."
)
_CRAFTED_HELP = (
    "Each network: at its own bits, its own weakest direction. First network: one perturbation for "
    "all, made on the first at full precision, so that all see the same noise."
)
_RANGES_HELP = (
    "What a quantizer covers. percentile: 99.9 % of the values seen; minmax: all of them; mse: "
    "where the mean square error is least."
)
_ATTACK_HELP = "  \n".join(f"**{ATTACK_NAMES[a]}**: {ATTACK_WORDS[a]}" for a in ATTACKS)
_STE_HELP = (
    "Rounding has no gradient of its own, so the attack takes another. Robustness is real only "
    "if it stands under each of identity, clipped and unquantized."
)
_SQUEEZE_HELP = (
    "A defense put before every network: pixels rounded to fewer bits, then the median of small "
    "windows. Attacks go through it, with a straight-through gradient where it rounds."
)
_FAST_HELP = (
    "Where only an attack's success matters (Robustness, Can you trust it?), its gradients may be "
    "computed in whole numbers or at low precision, if that gains on this machine. Success is "
    "always judged on the network itself in float32, and every result says which was used."
)


def draw() -> Callable[[], None]:
    """Draws the sidebar, and notes what a link asked for in vain.

    Returns:
        What draws the sliders into the place that was left for them (see `controls.finish`).
    """
    session.take_trained(trained.networks())
    names = (*choices.networks(), *session.own())
    data = choices.data_sets()
    links.check(
        sidebar_parameters(names, data, samples=session.samples(), levels=session.levels()),
        others=links.PAGE_NAMES,
    )
    session.take_chosen(MAX_NETWORKS)
    with st.sidebar:
        st.html(_STYLE)
        st.multiselect(
            "Networks compared",
            names,
            default=names[:2],
            max_selections=MAX_NETWORKS,
            **_bound("net"),
        )
        if set(session.networks()) & set(session.own()):
            st.caption("For others, a link to this view leaves your own network out.")
        st.selectbox("Data", data, **_bound("data"))
        place = st.container()
        with st.expander("More choices"):
            _details()
        upload.network_form()
        st.caption(f"dqviz {__version__}", help="The version stands in every download too.")
    return lambda: _sliders(place)


def _bound(key: str) -> dict[str, Any]:
    """What every widget has in common: its value stands in the address bar."""
    return {"key": key, "bind": "query-params"}


def _sliders(place: DeltaGenerator) -> None:
    """The choices that are moved again and again."""
    with place:
        st.select_slider("Images", session.samples(), value=64, help=_IMAGES_HELP, **_bound("n"))
        for label, options, value, key in (
            ("Weight bits", WEIGHT_BITS, 8, "wbits"),
            ("Activation bits", ACT_BITS, 4, "abits"),
        ):
            st.select_slider(label, options, value=value, help=_BITS_HELP, **_bound(key))
        st.selectbox(
            "Attack",
            ATTACKS,
            format_func=ATTACK_NAMES.__getitem__,
            help=_ATTACK_HELP,
            **_bound("attack"),
        )
        st.select_slider(
            "Epsilon",
            session.levels(),
            value=1.0,
            format_func=epsilon_text,
            help="No pixel changes by more than this; one grey level is 1/255.",
            **_bound("eps"),
        )


def _details() -> None:
    st.number_input("Seed", 0, MAX_SEED, value=0, step=1, help=_SEED_HELP, **_bound("seed"))
    st.select_slider("Steps", STEPS, value=10, help=_STEPS_HELP, **_bound("steps"))
    st.select_slider("Queries", QUERIES, value=500, help=_QUERIES_HELP, **_bound("queries"))
    st.selectbox("Loss", LOSSES, help=_LOSS_HELP, **_bound("loss"))
    st.selectbox("Perturbation made for", CRAFTED, help=_CRAFTED_HELP, **_bound("crafted"))
    st.selectbox("Activation range from", RANGES, help=_RANGES_HELP, **_bound("ranges"))
    estimator = st.selectbox(
        "Gradient through rounding",
        ESTIMATORS,
        index=ESTIMATORS.index("clipped"),
        help=_STE_HELP,
        **_bound("ste"),
    )
    st.caption(ESTIMATOR_WORDS[estimator])
    st.selectbox("Feature squeezing", list(SQUEEZES), help=_SQUEEZE_HELP, **_bound("squeeze"))
    st.toggle("Fast gradients", value=True, help=_FAST_HELP, **_bound("fast"))
