"""How much each layer, and the whole network, can stretch a perturbation."""

import streamlit as st

from dqviz.charts import (
    batchnorm_effect,
    claims,
    gain_against_bound,
    layer_constants,
    network_bounds,
    singular_values,
)
from dqviz.ui import controls, jobs, requests, session, show

settings = session.settings(__file__)
epsilon = settings.epsilon
st.title("Lipschitz constants", anchor=False)
controls.need_networks(settings)
tab, place = controls.tabs(("Layers", "Network", "Singular values", "Measured gain"))
with place:
    view = jobs.run(requests.lipschitz(settings), view="lipschitz")
    if tab == "Layers":
        show.chart("constants", view, lambda: layer_constants(view.table))
        show.claims(tab, view, claims.folded_norms, table=lambda: view.table)
        show.chart("batchnorm", view, lambda: batchnorm_effect(view.table))
    elif tab == "Network":
        show.chart("bounds", view, lambda: network_bounds(view.table))
        show.claims(tab, view, claims.margins, table=lambda: view.table)
    elif tab == "Measured gain":
        draw = {"gain": lambda: gain_against_bound(view.at(epsilon))}
        show.charts(view, draw, content=(epsilon,))
    elif view.results:
        rows = view.table[view.table["metric"] == "singular_value"].sort_values("depth")
        layer = st.selectbox("Layer", rows["layer"].unique(), key="layer", bind="query-params")
        show.chart("spectrum", view, lambda: singular_values(view.table, layer), content=(layer,))
    show.notes(view)
