"""Links: what they set, and what they ask for in vain."""

import pytest

from dqviz.specs import FULL_PRECISION
from tests.ui.numbers import LAYERS, PLAIN_LAYERS
from tests.ui.test_pages import DQ, titles, words


def test_a_link_sets_every_choice(open_page, engine):
    app = open_page(
        "amplification",
        net=[DQ],
        data="cifar10",
        n="16",
        wbits="32",
        abits="3",
        attack="PGD",
        eps="2/255",
        seed="7",
        steps="20",
        queries="1000",
        loss="dlr",
        ranges="mse",
        ste="identity",
        crafted="first network",
        fast="false",
        squeeze="5 bits, median 2",
    )
    (spec, full) = engine.asked
    assert (spec.model.id, spec.data.name, spec.data.n_samples, spec.data.seed) == (
        DQ,
        "cifar10",
        16,
        7,
    )
    assert (spec.quant.weight_bits, spec.quant.act_bits) == (FULL_PRECISION, 3)
    assert (spec.quant.ranges, spec.quant.estimator) == ("mse", "identity")
    assert (spec.attack.name, spec.attack.steps, spec.attack.epsilons) == ("pgd", 20, (2 / 255,))
    assert spec.attack.loss == "dlr"
    assert spec.crafted_on.model.id == DQ
    assert (spec.model.squeeze_bits, spec.model.squeeze_median) == (5, 2)
    assert full.quant.is_full_precision
    assert not app.warning


def test_what_a_link_asks_for_in_vain_is_named_until_it_was_read(open_page):
    app = open_page("amplification", abits="17", foo="1", view="Nonsense")
    (warning,) = app.warning
    for part in ("`abits=17`", "`foo`", "`view=Nonsense`"):
        assert part in warning.value
    app.select_slider(key="abits").set_value(3).run()
    assert app.warning
    app.button(key="ignored_ok").click().run()
    assert "`abits" not in words(app)


@pytest.mark.parametrize(
    ("wrong", "shown"), [("nonsense", "conv1"), (["conv1", "linear"], "linear")]
)
def test_a_layer_that_a_link_asks_for_in_vain_is_named(open_page, wrong, shown):
    app = open_page("lipschitz", view="Singular values", layer=wrong)
    (warning,) = app.warning
    assert "`layer=" in warning.value
    assert titles(app) == [f"Singular values of {shown}"]
    assert not app.exception
    app = open_page("lipschitz", view="Singular values", layer="linear")
    assert not app.warning
    assert titles(app) == ["Singular values of linear"]


@pytest.mark.parametrize(
    ("maps", "kept", "named"),
    [
        (["linear"], ["linear"], ()),
        (["conv1", "nonsense"], ["conv1"], ("`maps=nonsense` (layers shown: conv1 ... linear)",)),
        (LAYERS[:8], LAYERS[:6], [f"`maps={x}` (layers shown: at most 6)" for x in LAYERS[6:8]]),
    ],
)
def test_maps_that_a_link_asks_for_in_vain_are_named(open_page, engine, maps, kept, named):
    app = open_page("playground", maps=maps)
    assert app.session_state["maps"] == kept
    assert engine.asked[-1].layers == tuple(kept)
    assert [part for part in named if part not in words(app)] == []
    assert bool(app.warning) == bool(named)
    assert not app.exception
    assert not app.error


def test_layers_of_other_networks_are_not_asked_for(open_page, engine):
    app = open_page("playground")
    app.multiselect(key="maps").set_value(["layer1.0.conv1", "linear"]).run()
    assert engine.asked[-1].layers == ("layer1.0.conv1", "linear")
    app.multiselect(key="net").set_value(["cifar10/plain20/dq"]).run()
    assert not app.exception
    assert not app.error
    assert set(engine.asked[-1].layers) <= set(PLAIN_LAYERS)
    assert titles(app)[0] == "The image and its perturbation"


def test_the_noise_has_logarithmic_colours_unless_linear_ones_are_chosen(open_page):
    said = [words(open_page("playground", **query)) for query in ({}, {"colours": "Linear"})]
    assert ["same logarithmic colours" in text for text in said] == [True, False]
    assert "Ignored" not in said[1]


def test_a_link_sets_how_often_square_asks(open_page, engine):
    open_page("amplification", net=[DQ], attack="Square", queries="1000")
    assert {(s.attack.name, s.attack.queries) for s in engine.asked} == {("square", 1000)}


@pytest.mark.parametrize("name", ["APGD-CE", "APGD-DLR", "MI-FGSM", "Standard ensemble"])
def test_strong_attacks_can_be_chosen(name, open_page, engine):
    app = open_page("amplification", net=[DQ], attack=name)
    assert name in app.selectbox(key="attack").options
    assert {s.attack.epsilons for s in engine.asked} == {(1 / 255,)}
    assert not app.exception
