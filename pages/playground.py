"""One image, its perturbation, and the noise that it leaves in the networks."""

import streamlit as st

from dqviz import charts
from dqviz.ui import controls, jobs, links, playground, requests, session, show, upload
from dqviz.ui.settings import CRAFTED, SAMPLES, Settings, whole

session.begin(__file__)


LAST = SAMPLES[-1] - 1
links.check({"sample": whole("image", 0, LAST)})
st.title("Playground", anchor=False)
left, right = st.columns([1, 2])
with left:
    sample = st.number_input(
        f"Image of the data set (0 to {LAST})", 0, LAST, key="sample", bind="query-params"
    )
with right:
    image = upload.image_form()


def draw(settings: Settings) -> None:
    chosen = playground.asked_layers(settings)
    asked = requests.playground(settings, sample=sample, layers=chosen, image=image)
    at = settings.epsilon
    view = jobs.run(asked, view="playground", first=at)
    if not view.results:
        return
    victims = playground.victims(settings)
    network, quantized = next(iter(victims.values()))
    if settings.crafted == CRAFTED[0]:
        shown = controls.pick("Show the perturbation of", tuple(victims), key="for", labelled=True)
        network, quantized = victims[shown]
    victim = playground.result_of(view, network, quantized)
    if victim is not None:
        arrays = victim.arrays_at(at)
        images = [arrays[key] for key in ("clean", "perturbation", "adversarial")]
        triplet = {"image": lambda: charts.image_triplet(*images, height=330)}
        show.charts(view, triplet, content=(network, quantized, at))
        kind = "Class predicted for this image" if image else "True class of this image"
        st.caption(f"{kind}: {links.plain(playground.label(victim))}")
    show.chart("probabilities", view, lambda: charts.probabilities(view.at(at)), content=(at,))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        playground.choose_layers(view, settings)
        colours = controls.pick("Colours", playground.COLOURS, key="colours", labelled=True)
    if playground.asked_layers(settings) != chosen:
        st.rerun()
    if maps := playground.pictures(view, at):
        log = colours == playground.COLOURS[0]
        greyed = playground.collapsed(view)
        noise = {"noise": lambda: charts.noise_maps(maps, log=log, collapsed=greyed)}
        show.charts(view, noise, content=(log, at))
    show.notes(view, at)


controls.charts(draw)
