"""How far a perturbation moves each layer, and what the quantizers do to it."""

import streamlit as st

from dqviz import charts
from dqviz.ui import ahead, controls, jobs, requests, sentences, session, show
from dqviz.ui.settings import ELEMENTS, MEASURES, PLAY_HELP, Settings

session.begin(__file__)
metric, others = "relative_distance", False
st.title("Amplification", anchor=False)
tab, place = controls.tabs(("Growth", "Bit-widths", "Quantizer", "Flips", "Failure"))
with place, st.container(horizontal=True, vertical_alignment="center", key="choices"):
    if tab == "Growth":
        metric = MEASURES[controls.pick("Measure", tuple(MEASURES), key="metric")]
        others = controls.switch("Controls of equal size", key="controls")
        play = controls.switch("Play", key="play", help=PLAY_HELP)
        chosen = (metric, others, play)
    elif tab == "Bit-widths" and session.networks():
        network = controls.pick("Network", session.networks(), key="of")
        weights = controls.pick("Bits of", ("Activations", "Weights"), key="by") == "Weights"
        chosen = (network, weights)
    elif tab == "Quantizer":
        elements = ELEMENTS[controls.pick("Elements", tuple(ELEMENTS), key="elements")]
        norm = controls.pick("Norm", ("L2", "L1"), key="norm").lower()
        chosen = (elements, norm)
    else:
        chosen = ()


def draw(settings: Settings) -> None:
    at = settings.epsilon
    if tab == "Growth":
        specs = requests.amplification(settings, controls=others)
        pictures = {"growth": lambda: charts.distance_by_layer(view.at(at), metric=metric)}
        if play and len(settings.epsilons) > 1:
            film = {"metric": metric, "epsilon": at, "controls": others}
            pictures = {"play": lambda: charts.distance_animation(view.table, **film)}
    elif tab == "Bit-widths":
        by = "weight_bits" if weights else "act_bits"
        specs = requests.heat_map(settings, network, weights=weights)
        pictures = {"heat": lambda: charts.bits_heatmap(view.at(at), by=by)}
    elif tab == "Quantizer":
        specs = requests.amplification(settings)
        seen = {"elements": elements, "norm": norm}
        pictures = {
            "quantizer": lambda: charts.quantizer_view(view.at(at), **seen),
            "sqnr": lambda: charts.sqnr(view.at(at)),
            "linear": lambda: charts.linear_gain(view.at(at)),
        }
    elif tab == "Flips":
        specs = requests.amplification(settings, details=True)
        pictures = {"flips": lambda: charts.flips(view.at(at))}
    else:
        specs = requests.amplification(settings)
        pictures = {
            "failure": lambda: charts.failure_prediction(view.at(at)),
            "failing": lambda: charts.failure_by_layer(view.at(at)),
            "accuracy": lambda: charts.accuracy_bars(view.at(at)),
        }
    if not specs:
        st.info(sentences.NO_FLIPS, icon=":material/info:")
        return
    view = jobs.run(specs, view=tab, first=at)
    show.charts(view, pictures, content=(at, *chosen))
    compared = sentences.compared(tab, metric=metric, controls=others)
    show.claims(tab, view, *sentences.said(tab), paired=compared, at=at, content=chosen)
    show.notes(view, at)
    if tab == "Flips" and not (view.busy or view.partial):
        ahead.compute(specs, settings.epsilons)


with place:
    controls.charts(draw)
