"""How accurate networks stay under attack, compared fairly, and how sure that is."""

import streamlit as st

from dqviz.ui import controls, jobs, robustness, session, show
from dqviz.ui.settings import Settings

WHAT = """A robust accuracy is the share of images that an attack could not flip. A stronger \
attack can only lower it, and networks of different clean accuracy are compared on the images that \
all of them classify correctly."""

session.begin(__file__)
st.title("Robustness", anchor=False)
st.caption(WHAT)
tab, place = controls.tabs(robustness.TABS)
chosen = robustness.Choice()
with place, st.container(horizontal=True, vertical_alignment="center", key="choices"):
    if tab == "Bit-width":
        by = controls.pick("Bits of", ("Activations", "Weights"), key="by")
        chosen = robustness.Choice(weights=by == "Weights")
    elif tab == "Transfer" and session.networks():
        network = controls.pick("Network", session.networks(), key="of")
        chosen = robustness.Choice(network=network)


def draw(settings: Settings) -> None:
    at, choice = settings.epsilon, chosen
    if tab == "Compare":
        choice = robustness.Choice(pair=robustness.choose_pair(settings))
    specs = robustness.asked(tab, settings, choice)
    if not specs:
        if tab == "Gradients":
            st.info(robustness.NO_ROUNDING, icon=":material/info:")
        return
    view = jobs.run(specs, view=tab, first=at)
    robustness.clean(tab, view)
    content = (at, *choice)
    show.charts(view, robustness.pictures(tab, view, at, choice), content=content)
    robustness.made_by(tab, specs, view, at)
    alone, paired = robustness.statements(tab, choice)
    show.claims(f"robust_{tab}", view, *alone, paired=paired, at=at, content=content)
    show.notes(view, at)


with place:
    controls.charts(draw)
