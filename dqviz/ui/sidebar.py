"""The sidebar that all pages share. Every choice is bound to the address bar."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dqviz import __version__
from dqviz.specs import ATTACKS, ESTIMATORS, RANGES
from dqviz.ui import choices, links, session, upload
from dqviz.ui.settings import (
    ACT_BITS,
    ATTACK_NAMES,
    CRAFTED,
    EPSILONS,
    MAX_NETWORKS,
    MAX_SEED,
    SAMPLES,
    STEPS,
    WEIGHT_BITS,
    Settings,
    epsilon_text,
    sidebar_parameters,
)

# Streamlit cuts long names off; here the last part of a name is what tells networks apart.
_STYLE = """<style>
.st-key-net [data-tag], .st-key-net [data-tag] span {max-width: 100%; font-size: 0.8rem}
</style>"""
_BITS_HELP = "32 stands for full precision: nothing is rounded."


def draw() -> Settings:
    """Draws the sidebar, notes what a link asked for in vain, and returns what is chosen."""
    names = (*choices.networks(), *session.uploads())
    data = choices.data_sets()
    links.check(sidebar_parameters(names, data), others=links.PAGE_NAMES)
    with st.sidebar:
        st.html(_STYLE)
        chosen = {**_what(names, data), **_quantization(), **_attack(), **_details()}
        upload.network_form()
        st.caption(f"dqviz {__version__}", help="The version stands in every download too.")
    settings = Settings(**chosen, uploads=tuple(session.uploads().items()))
    session.keep(settings)
    return settings


def _what(names: tuple[str, ...], data: tuple[str, ...]) -> dict[str, Any]:
    networks = st.multiselect(
        "Networks compared",
        names,
        default=names[:2],
        max_selections=MAX_NETWORKS,
        key="net",
        bind="query-params",
    )
    name = st.selectbox("Data", data, key="data", bind="query-params")
    n_samples = st.select_slider("Images", SAMPLES, value=64, key="n", bind="query-params")
    return {"networks": tuple(networks), "data": name, "n_samples": n_samples}


def _quantization() -> dict[str, Any]:
    return {
        "weight_bits": st.select_slider(
            "Weight bits",
            WEIGHT_BITS,
            value=8,
            key="wbits",
            bind="query-params",
            help=_BITS_HELP,
        ),
        "act_bits": st.select_slider(
            "Activation bits", ACT_BITS, value=4, key="abits", bind="query-params", help=_BITS_HELP
        ),
    }


def _attack() -> dict[str, Any]:
    attack = st.selectbox(
        "Attack", ATTACKS, key="attack", format_func=ATTACK_NAMES.__getitem__, bind="query-params"
    )
    levels = st.select_slider(
        "Epsilon",
        EPSILONS,
        value=1.0,
        format_func=epsilon_text,
        key="eps",
        bind="query-params",
        help="No pixel changes by more than this; one grey level is 1/255.",
    )
    return {"attack": attack, "epsilon": levels / 255}


def _details() -> dict[str, Any]:
    with st.expander("More choices"):
        return {
            "seed": st.number_input(
                "Seed", 0, MAX_SEED, value=0, step=1, key="seed", bind="query-params"
            ),
            "steps": st.select_slider(
                "Steps of BIM and PGD", STEPS, value=10, key="steps", bind="query-params"
            ),
            "crafted": st.selectbox(
                "Perturbation made for", CRAFTED, key="crafted", bind="query-params"
            ),
            "ranges": st.selectbox(
                "Activation range from",
                RANGES,
                key="ranges",
                bind="query-params",
            ),
            "estimator": st.selectbox(
                "Gradient through rounding",
                ESTIMATORS,
                index=ESTIMATORS.index("clipped"),
                key="ste",
                bind="query-params",
                help="Rounding has no gradient. The attack pretends that it does nothing "
                "(identity), or does nothing inside the range and is flat beyond (clipped).",
            ),
        }
