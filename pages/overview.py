"""The story in one screen: small errors, and how they grow."""

from pathlib import Path

import streamlit as st

from dqviz.charts import distance_by_layer
from dqviz.ui import controls, jobs, links, requests, session, shipped, show
from dqviz.ui.views import nearest

HERE = Path(__file__).parent

settings = session.settings(__file__)
st.title("How small errors grow inside a quantized network", anchor=False)
for column, (name, text) in zip(st.columns(3, gap="medium"), show.STORY.items(), strict=True):
    with column:
        st.markdown(f"**{name}**  \n{text}")
controls.need_networks(settings)

view = jobs.run(requests.amplification(settings), view="growth")
before = shipped.overview()
if not view.results and before:
    st.badge("Shipped result", icon=":material/inventory_2:", help=show.SHIPPED)
    show.frame("growth", distance_by_layer(nearest(before, settings.epsilon), controls=False))
else:
    show.chart(
        "growth",
        view,
        lambda: distance_by_layer(view.at(settings.epsilon)),
        content=(settings.epsilon, "relative_distance"),
    )
show.notes(view)

st.markdown("**Go on with these settings**")
with st.container(horizontal=True, gap="medium"):
    for page, label in show.LINKS.items():
        st.page_link(HERE / f"{page}.py", label=label, query_params=links.query_of(settings))
