"""How far a perturbation moves each layer, and what the quantizers do to it."""

import streamlit as st

from dqviz import charts
from dqviz.ui import controls, jobs, requests, session, show

MEASURES = {
    "Distance": "relative_distance",
    "Centred": "relative_distance_centred",
    "Amplification": "amplification",
}
ELEMENTS = {"All elements": "all", "At zero": "zero", "Inside": "inside", "Clipped": "clipped"}

settings = session.settings(__file__)
epsilon = settings.epsilon
st.title("Amplification", anchor=False)
controls.need_networks(settings)
tab, place = controls.tabs(("Growth", "Bit-widths", "Quantizer", "Flips", "Failure"))
with place, st.container(horizontal=True, vertical_alignment="center", key="choices"):
    if tab == "Growth":
        metric = MEASURES[controls.pick("Measure", tuple(MEASURES), key="metric")]
        others = st.toggle("Controls of equal size", key="controls", bind="query-params")
    elif tab == "Bit-widths":
        network = controls.pick("Network", settings.networks, key="of")
        by_weights = controls.pick("Bits of", ("Activations", "Weights"), key="by") == "Weights"
    elif tab == "Quantizer":
        elements = ELEMENTS[controls.pick("Elements", tuple(ELEMENTS), key="elements")]
        norm = controls.pick("Norm", ("L2", "L1"), key="norm").lower()

with place:
    if tab == "Growth":
        view = jobs.run(requests.amplification(settings, controls=others), view="growth")
        draw = {"growth": lambda: charts.distance_by_layer(view.at(epsilon), metric=metric)}
        show.charts(view, draw, content=(epsilon, metric))
    elif tab == "Bit-widths":
        view = jobs.run(requests.heat_map(settings, network, weights=by_weights), view="bits")
        by = "weight_bits" if by_weights else "act_bits"
        draw = {"heat": lambda: charts.bits_heatmap(view.at(epsilon), by=by)}
        show.charts(view, draw, content=(epsilon, by))
    elif tab == "Quantizer":
        view = jobs.run(requests.amplification(settings), view="growth")
        at = view.at
        draw = {
            "quantizer": lambda: charts.quantizer_view(at(epsilon), elements=elements, norm=norm),
            "sqnr": lambda: charts.sqnr(at(epsilon)),
            "linear": lambda: charts.linear_gain(at(epsilon)),
        }
        show.charts(view, draw, content=(epsilon, elements, norm))
    elif tab == "Flips":
        view = jobs.run(requests.amplification(settings, details=True), view="flips")
        show.charts(view, {"flips": lambda: charts.flips(view.at(epsilon))}, content=(epsilon,))
    else:
        view = jobs.run(requests.amplification(settings), view="growth")
        draw = {
            "failure": lambda: charts.failure_prediction(view.at(epsilon)),
            "failing": lambda: charts.failure_by_layer(view.at(epsilon)),
            "accuracy": lambda: charts.accuracy_bars(view.at(epsilon)),
        }
        show.charts(view, draw, content=(epsilon,))
    show.notes(view)
