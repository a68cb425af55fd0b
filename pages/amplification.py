"""How far a perturbation moves each layer, and what the quantizers do to it."""

import streamlit as st

from dqviz.charts import distance, quantizer
from dqviz.ui import jobs, links, requests, session, show
from dqviz.ui.settings import choice

TABS = ("Growth", "Bit-widths", "Quantizer", "Flips", "Failure")
METRICS = {
    "Distance": "relative_distance",
    "Centred": "relative_distance_centred",
    "Amplification": "amplification",
}

settings = session.settings(__file__)
links.check({"view": choice("view", TABS), "metric": choice("measure", tuple(METRICS))})
st.title("Amplification", anchor=False)
show.need_networks(settings)
epsilon = settings.epsilon
growth, bits, quantizers, flips, failure = st.tabs(TABS, key="view", bind="query-params")

if growth.open:
    with growth:
        with st.container(horizontal=True, vertical_alignment="center"):
            metric = st.segmented_control(
                "Measure",
                METRICS,
                default="Distance",
                required=True,
                key="metric",
                bind="query-params",
                label_visibility="collapsed",
            )
            controls = st.toggle("Controls of equal size", key="controls", bind="query-params")
        view = jobs.run(requests.amplification(settings, controls=controls), view="growth")
        show.chart(
            "growth",
            view,
            lambda: distance.distance_by_layer(view.at(epsilon), metric=METRICS[metric]),
            content=(epsilon, metric),
        )

if quantizers.open:
    with quantizers:
        view = jobs.run(requests.amplification(settings), view="growth")
        show.chart(
            "quantizer",
            view,
            lambda: quantizer.quantizer_view(view.at(epsilon)),
            content=(epsilon,),
        )
