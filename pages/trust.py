"""Can you trust it? Whether an attack's failure says anything about the network."""

import streamlit as st

from dqviz.ui import controls, jobs, requests, session, show, trust
from dqviz.ui.settings import Settings

WHAT = """A robust accuracy is only as good as the attack behind it. Rounding hides gradients, and \
an attack that follows hidden gradients fails although the network is fragile. These checks look \
for that, on the network and at the attack and epsilon of the sidebar."""

session.begin(__file__)
st.title("Can you trust it?", anchor=False)
st.caption(WHAT)
network = ""
if session.networks():
    network = controls.pick("Network", session.networks(), key="of")


def draw(settings: Settings) -> None:
    view = jobs.run(requests.masking(settings, network), view="masking", first=settings.epsilon)
    trust.draw(view)
    show.notes(view, settings.epsilon)


controls.charts(draw)
