"""How far a perturbation moves each layer, and what the quantizers do to it."""

import streamlit as st

from dqviz import charts
from dqviz.charts import claims
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
        specs = requests.amplification(settings, controls=others)
        draw = {"growth": lambda: charts.distance_by_layer(view.at(epsilon), metric=metric)}
        say = [claims.dq_against_vanilla, claims.quantized_against_full]
        say += [claims.attack_against_controls] if others else []
        content = (epsilon, metric)
    elif tab == "Bit-widths":
        network = controls.pick("Network", settings.networks, key="of")
        weights = controls.pick("Bits of", ("Activations", "Weights"), key="by") == "Weights"
        by = "weight_bits" if weights else "act_bits"
        specs = requests.heat_map(settings, network, weights=weights)
        draw = {"heat": lambda: charts.bits_heatmap(view.at(epsilon), by=by)}
        say = []
        content = (epsilon, by)
    elif tab == "Quantizer":
        elements = ELEMENTS[controls.pick("Elements", tuple(ELEMENTS), key="elements")]
        norm = controls.pick("Norm", ("L2", "L1"), key="norm").lower()
        kind = {"elements": elements, "norm": norm}
        specs = requests.amplification(settings)
        draw = {
            "quantizer": lambda: charts.quantizer_view(view.at(epsilon), **kind),
            "sqnr": lambda: charts.sqnr(view.at(epsilon)),
            "linear": lambda: charts.linear_gain(view.at(epsilon)),
        }
        say = [claims.quantizer_enlarges]
        content = (epsilon, elements, norm)
    elif tab == "Flips":
        specs = requests.amplification(settings, details=True)
        draw = {"flips": lambda: charts.flips(view.at(epsilon))}
        say = [claims.flips_effect]
        content = (epsilon,)
    else:
        specs = requests.amplification(settings)
        draw = {
            "failure": lambda: charts.failure_prediction(view.at(epsilon)),
            "failing": lambda: charts.failure_by_layer(view.at(epsilon)),
            "accuracy": lambda: charts.accuracy_bars(view.at(epsilon)),
        }
        say = [claims.failure_predicted, claims.accuracy_difference]
        content = (epsilon,)
with place:
    view = jobs.run(specs, view=tab)
    show.charts(view, draw, content=content)
    show.claims(tab, view, *say, table=lambda: view.at(epsilon), content=content)
    show.notes(view)
