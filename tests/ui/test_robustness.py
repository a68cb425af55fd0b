"""The pages Robustness and Can you trust it?, without a browser and without any network."""

import dataclasses

import pytest

from dqviz.specs import ESTIMATORS
from dqviz.ui import requests, robust_requests, robustness
from dqviz.ui.settings import Settings
from tests.ui.reading import titles, words
from tests.ui.robust_numbers import masking_rows

VANILLA, DQ = "streetdigits/resnet20/vanilla", "streetdigits/resnet20/dq"
TABS = {
    "Epsilon": ["Robust accuracy against epsilon"],
    "Bit-width": ["Robust accuracy against activation bits"],
    "Compare": [
        "Who is right on which images",
        "Attack success on images that all classify correctly",
    ],
    "Which attack": ["Which attack broke how many"],
    "Transfer": ["Transfer between bit-widths"],
    "Smallest epsilon": ["The smallest epsilon that flips each image"],
    "Gradients": ["Robust accuracy by gradient through rounding"],
}
SETTINGS = Settings(networks=(VANILLA, DQ))
PGD = Settings(networks=(VANILLA, DQ), attack="pgd", epsilon=2 / 255, steps=20, seed=5)


def test_every_tab_is_tested():
    assert tuple(TABS) == robustness.TABS


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_draws_says_clean_accuracy_gradient_and_arithmetic(open_page, tab):
    app = open_page("robustness", view=tab)
    assert titles(app) == TABS[tab]
    assert len(app.get("plotly_chart")) == len(app.get("popover")) == len(TABS[tab])
    assert not app.exception
    assert not app.error
    assert not app.warning
    said = words(app)
    assert ("**Clean accuracy**" in said) == (tab not in robustness.IN_THE_CHART)
    assert "Gradient through rounding: clipped" in said
    assert "Arithmetic of the attack: bfloat16 gradients" in said
    assert any(link.proto.page.endswith("trust") for link in app.get("page_link"))


def test_without_a_network_nothing_is_asked_for(open_page, engine):
    for tab in ("Compare", "Transfer"):
        assert "Choose at least one network" in words(open_page("robustness", net="", view=tab))
    assert engine.asked == []


def test_without_rounding_there_is_no_gradient_to_choose(open_page, engine):
    app = open_page("robustness", view="Gradients", abits="32")
    assert "choose activation bits below 32" in words(app)
    assert titles(app) == []


def test_two_networks_are_needed_to_compare(open_page, engine):
    bits = {"abits": "32", "wbits": "32"}
    app = open_page("robustness", view="Compare", net=VANILLA, **bits)
    assert "choose a second one" in words(app)
    app = open_page("robustness", view="Compare", one="dq, quantized", other="dq, quantized")
    assert "Choose two different networks" in words(app)


def test_the_pair_that_is_chosen_is_compared_and_outlives_a_move_of_the_bits(open_page):
    chosen = {"one": "dq, quantized", "other": "vanilla, full precision"}
    app = open_page("robustness", view="Compare", **chosen)
    assert "dq, W8 A4 classifies" in words(app)
    assert "correctly and resnet20 vanilla, full precision" in words(app)
    assert "McNemar's exact test" in words(app)
    app.select_slider(key="abits").set_value(5).run()
    assert app.session_state["one"] == "dq, quantized"
    assert "dq, W8 A5 classifies" in words(app)


def test_moving_epsilon_under_fgsm_asks_for_nothing_new(open_page, engine):
    app = open_page("robustness", view="Bit-width")
    asked = len(engine.asked)
    app.select_slider(key="eps").set_value(2.0).run()
    assert len(engine.asked) == asked


def test_bits_of_weights_can_be_asked_for(open_page, engine):
    app = open_page("robustness", view="Bit-width", by="Weights")
    assert titles(app) == ["Robust accuracy against weight bits"]
    assert {spec.quant.act_bits for spec in engine.asked if spec.kind == "accuracy"} == {4}


def everything(settings):
    """What all tabs ask for, by the tab."""
    keys = ((VANILLA, 8, 4), (DQ, 8, 4))
    choice = robustness.Choice(network=VANILLA, pair=keys)
    return {tab: robustness.asked(tab, settings, choice) for tab in TABS}


@pytest.mark.parametrize("settings", [SETTINGS, PGD], ids=["fgsm", "pgd"])
def test_settings_reach_every_specification(settings):
    for tab, specs in everything(settings).items():
        assert specs
        for spec in specs:
            assert spec.attack.seed == spec.data.seed == settings.seed
            assert spec.attack.steps == settings.steps
            assert spec.data.n_samples == settings.n_samples
            names = {"Which attack": "standard", "Smallest epsilon": "pgd"}
            assert spec.attack.name == names.get(tab, settings.attack)
            assert spec.quant.ranges == settings.ranges
            assert spec.kind == ("smallest_epsilon" if tab == "Smallest epsilon" else "accuracy")
            if tab not in ("Epsilon", "Smallest epsilon"):
                assert settings.epsilon in spec.attack.epsilons


@pytest.mark.parametrize("settings", [SETTINGS, PGD], ids=["fgsm", "pgd"])
def test_what_two_tabs_need_is_one_specification(settings):
    found = everything(settings)
    assert set(found["Gradients"]) & set(found["Compare"])
    assert set(found["Bit-width"]) & set(found["Compare"])
    assert (found["Epsilon"] == found["Compare"]) == (settings.attack == "fgsm")
    if settings.attack != "fgsm":
        assert set(found["Transfer"]) & set(found["Bit-width"])


def test_a_curve_of_an_iterated_attack_is_one_specification_a_network():
    specs = robust_requests.against_epsilon(PGD)
    assert len(specs) == 4
    assert {spec.attack.epsilons for spec in specs} == {robust_requests.CURVE}


def test_every_bit_width_is_crafted_on_and_evaluated_on_every_other():
    specs = robust_requests.transfer(PGD, DQ)
    pairs = {((spec.crafted_on or spec).quant.act_bits, spec.quant.act_bits) for spec in specs}
    bits = (32, 8, 6, 4, 3)
    assert pairs == {(source, target) for source in bits for target in bits}
    assert len(specs) == len(pairs)
    assert {spec.model.id for spec in specs} == {DQ}
    for spec in specs:
        assert spec.crafted_on is None or spec.crafted_on.quant != spec.quant
        assert spec.crafted_on is None or spec.crafted_on.model == spec.model


def test_some_tabs_attack_each_network_itself_and_ask_for_every_gradient():
    settings = Settings(networks=(VANILLA,), crafted="first network")
    specs = robust_requests.estimators(settings)
    assert specs[0].quant.estimator == "clipped"
    assert {spec.quant.estimator for spec in specs} == set(ESTIMATORS)
    for asked in (specs, robust_requests.ensemble(settings), robust_requests.smallest(settings)):
        assert all(spec.crafted_on is None for spec in asked)
    crafted = robust_requests.compared(settings)
    assert all(spec.crafted_on.model.id == VANILLA for spec in crafted)


@pytest.mark.parametrize("fast", [True, False])
def test_the_switch_decides_about_the_fast_path(fast):
    settings = dataclasses.replace(PGD, fast=fast)
    for ask in (
        robust_requests.against_epsilon,
        robust_requests.compared,
        robust_requests.estimators,
        lambda s: robust_requests.transfer(s, DQ),
        lambda s: requests.masking(s, DQ),
    ):
        assert {spec.fast for spec in ask(settings)} == {fast}


def test_an_honest_attack_is_trusted(open_page):
    app = open_page("trust")
    assert titles(app) == ["What each variant of the attack leaves standing"]
    said = words(app)
    assert "None of 4 checks speaks against the attack" in said
    assert "check_circle" in said
    assert ":red[" not in said
    assert not app.exception


def test_a_masked_gradient_is_marked_with_what_to_do(open_page):
    app = open_page("trust", ste="none", attack="PGD")
    said = words(app)
    assert "1 of 4 checks speak against the attack" in said
    red = said.index("Images have a gradient")
    assert (
        red < said.index("The attack beats random noise") < said.index("More steps change little")
    )
    assert "34 of 38 images" in said
    assert "Choose 'identity', 'clipped'" in said
    assert "Cannot tell" in said


def test_the_checks_are_those_of_the_network_and_setting_chosen(open_page, engine):
    open_page("trust", of=DQ, eps="2/255", abits="5")
    spec = engine.asked[-1]
    assert (spec.kind, spec.model.id, spec.quant.act_bits) == ("masking", DQ, 5)
    assert spec.attack.epsilons == (2 / 255,)


def test_where_no_image_is_right_there_is_no_chart_and_it_says_why(open_page, monkeypatch):
    def nothing(spec):
        for row in masking_rows(spec):
            if row["metric"] != "survival":
                yield {**row, "value": 0} if row["statistic"] == "count" else row

    monkeypatch.setattr("tests.ui.numbers.masking_rows", nothing)
    app = open_page("trust")
    assert "No image is classified correctly, so there is nothing to attack" in words(app)
    assert titles(app) == []
    assert not app.exception
    assert not app.error


def test_trust_without_a_network_says_what_to_do(open_page, engine):
    assert "Choose at least one network" in words(open_page("trust", net=""))
    assert engine.asked == []
