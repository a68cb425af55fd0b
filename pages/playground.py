"""One image, its perturbation, and the noise that it leaves in the networks."""

import streamlit as st

from dqviz import charts
from dqviz.ui import controls, jobs, links, playground, requests, session, show, upload
from dqviz.ui.settings import whole

settings = session.settings(__file__)
last = settings.n_samples - 1
links.check({"sample": whole("image", 0, last)})
st.title("Playground", anchor=False)
controls.need_networks(settings)
left, right = st.columns([1, 2])
with left:
    sample = st.number_input(
        f"Image of the data set (0 to {last})", 0, last, key="sample", bind="query-params"
    )
with right:
    image = upload.image_form()

chosen = tuple(st.session_state.get("maps", ()))
asked = requests.playground(settings, sample=sample, layers=chosen, image=image)
view = jobs.run(asked, view="playground")
if view.results:
    named = playground.names(view)
    shown = controls.pick("Perturbation made for", tuple(named), key="for")
    arrays = [named[shown].arrays[key] for key in ("clean", "perturbation", "adversarial")]
    draw = {"image": lambda: charts.image_triplet(*arrays, height=400)}
    show.charts(view, draw, content=(shown,))
show.chart("probabilities", view, lambda: charts.probabilities(view.table))
if view.results:
    layers = playground.layers(view)
    st.multiselect(
        "Layers shown",
        layers,
        default=playground.spaced(layers),
        max_selections=6,
        key="maps",
        bind="query-params",
    )
    if tuple(st.session_state["maps"]) != chosen:
        st.rerun()
    show.chart("noise", view, lambda: charts.noise_maps(playground.pictures(view)))
show.notes(view)
