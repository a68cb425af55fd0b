"""How much each layer, and the whole network, can stretch a perturbation."""

import streamlit as st

from dqviz import charts
from dqviz.charts import claims
from dqviz.ui import controls, jobs, links, requests, session, show
from dqviz.ui.settings import Settings, choice

session.begin(__file__)
st.title("Lipschitz constants", anchor=False)
tab, place = controls.tabs(("Layers", "Network", "Singular values", "Measured gain"))


def draw(settings: Settings) -> None:
    view = jobs.run(requests.lipschitz(settings), view="lipschitz", first=settings.epsilon)
    if tab == "Layers":
        show.chart("constants", view, lambda: charts.layer_constants(view.table))
        show.chart("batchnorm", view, lambda: charts.batchnorm_effect(view.table))
        show.claims(tab, view, claims.folded_norms)
    elif tab == "Network":
        show.chart("bounds", view, lambda: charts.network_bounds(view.table, reasons=view.reasons))
        show.claims(tab, view, claims.margins)
    elif tab == "Measured gain":
        picture = {"gain": lambda: charts.gain_against_bound(view.at(settings.epsilon))}
        show.charts(view, picture, content=(settings.epsilon,))
    elif view.results:
        rows = view.table[view.table["metric"] == "singular_value"].sort_values("depth")
        layers = tuple(rows["layer"].unique())
        links.check({"layer": choice("layer", layers)})
        layer = st.selectbox("Layer", layers, key="layer", bind="query-params")
        picture = {"spectrum": lambda: charts.singular_values(view.table, layer)}
        show.charts(view, picture, content=(layer,))
    show.notes(view, settings.epsilon)


with place:
    controls.charts(draw)
