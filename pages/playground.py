"""One image, its perturbation, and the noise that it leaves in the networks."""

import streamlit as st

from dqviz.charts import image_triplet, noise_maps, probabilities
from dqviz.ui import controls, jobs, links, playground, requests, session, show, upload
from dqviz.ui.settings import whole

settings = session.settings(__file__)
links.check({"sample": whole("image", 0, settings.n_samples - 1)})
st.title("Playground", anchor=False)
controls.need_networks(settings)

left, right = st.columns([1, 3], vertical_alignment="top")
with left:
    sample = st.number_input(
        "Image of the data set",
        0,
        settings.n_samples - 1,
        step=1,
        key="sample",
        bind="query-params",
    )
    image = upload.image_form()
    if image:
        st.caption("Its label is the class that the network predicts. A link cannot carry it.")

chosen = tuple(st.session_state.get("maps", ()))
view = jobs.run(
    requests.playground(settings, sample=sample, layers=chosen, image=image and str(image)),
    view="playground",
)
names = [playground.name_of(result) for result in view.results]
with right:
    if view.results:
        shown = st.segmented_control(
            "Perturbation made for", names, default=names[0], required=True, key="shown"
        )
        result = view.results[names.index(shown)]
        arrays = [result.arrays[key] for key in ("clean", "perturbation", "adversarial")]
    show.chart("image", view, lambda: image_triplet(*arrays))

show.chart("probabilities", view, lambda: probabilities(view.table), content=(image,))
if view.results:
    layers = playground.layers(view)
    maps = st.multiselect(
        "Layers shown",
        layers,
        default=playground.spaced(layers),
        max_selections=6,
        key="maps",
        bind="query-params",
    )
    if tuple(maps) != chosen:
        st.rerun()
    show.chart("noise", view, lambda: noise_maps(playground.pictures(view)))
show.notes(view)
