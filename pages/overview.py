"""The story in one screen: small errors, and how they grow."""

from pathlib import Path

import streamlit as st

from dqviz.charts import claims, distance_by_layer
from dqviz.ui import controls, jobs, requests, session, shipped, show

settings = session.settings(__file__)
epsilon = settings.epsilon
st.title("How small errors grow inside a quantized network", anchor=False)
for column, (name, text) in zip(st.columns(3, gap="medium"), show.STORY.items(), strict=True):
    with column:
        st.markdown(f"**{name}**  \n{text}")
controls.need_networks(settings)

view = jobs.run(requests.amplification(settings), view="Growth")
if not view.results and shipped.overview().results:
    view = shipped.overview()
    st.badge("Shipped result", icon=":material/inventory_2:", help=show.SHIPPED)
content = (epsilon, "relative_distance")
show.charts(view, {"growth": lambda: distance_by_layer(view.at(epsilon))}, content=content)
say = (claims.dq_against_vanilla, claims.quantized_against_full)
show.claims("Growth", view, *say, table=lambda: view.at(epsilon), content=content)
show.notes(view)

st.markdown("**Go on with these settings**")
with st.container(horizontal=True, gap="medium"):
    for page, label in show.LINKS.items():
        file = Path(__file__).with_name(f"{page}.py")
        st.page_link(file, label=label)  # what the sidebar binds to the address bar goes along
