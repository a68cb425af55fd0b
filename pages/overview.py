"""The story in one screen: small errors, and how they grow."""

import dataclasses
from pathlib import Path

import streamlit as st

from dqviz.charts import distance_by_layer
from dqviz.ui import controls, jobs, requests, sentences, session, shipped, show, story
from dqviz.ui.settings import Settings

session.begin(__file__)


def draw(settings: Settings) -> None:
    epsilon = settings.epsilon
    ready = dataclasses.replace(shipped.overview(), stale=not shipped.answers(settings))
    later = bool(ready.results) and jobs.start_soon()
    asked = requests.amplification(settings)
    view = ready if later else jobs.run(asked, view="Growth", first=epsilon)
    if ready.results and (later or not view.results):
        view = ready
        st.badge("Shipped result", icon=":material/inventory_2:", help=story.SHIPPED)
    pictures = {"growth": lambda: distance_by_layer(view.at(epsilon), height=400)}
    show.charts(view, pictures, content=(epsilon, "overview"))
    content = (settings.weight_bits, settings.act_bits)
    show.claims(
        "overview", view, paired=[sentences.overview(settings)], at=epsilon, content=content
    )
    show.notes(view, epsilon)
    if any(name.endswith("/dq") for name in settings.networks):
        st.caption(story.PENALTY_ONLY)


st.title("How small errors grow inside a quantized network", anchor=False)
for column, (name, text) in zip(st.columns(4, gap="medium"), story.STORY.items(), strict=True):
    with column:
        st.markdown(f"**{name}**  \n{text}")
controls.charts(draw)
st.markdown("**Go on with these settings**")
with st.container(horizontal=True, gap="medium"):
    for page, label in story.LINKS.items():
        # What the sidebar binds to the address bar goes along.
        st.page_link(Path(__file__).with_name(f"{page}.py"), label=label)
