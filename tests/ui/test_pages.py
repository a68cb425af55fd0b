"""Every page and every state of it, without a browser, over an engine that computes nothing."""

import io

import pytest
from PIL import Image

from dqviz import __version__
from dqviz.charts import distance_by_layer
from dqviz.ui import choices, requests, show
from dqviz.ui.settings import Settings
from tests.ui.fake_engine import NETWORKS
from tests.ui.numbers import result_of
from tests.ui.reading import titles, words

VANILLA, DQ = "streetdigits/resnet20/vanilla", "streetdigits/resnet20/dq"
VIEWS = [
    ("overview", {}, ["Distance by layer"]),
    (
        "playground",
        {},
        ["The image and its perturbation", "Class probabilities", "The noise itself"],
    ),
    ("amplification", {}, ["Distance by layer"]),
    ("amplification", {"metric": "Amplification"}, ["Amplification by layer"]),
    ("amplification", {"play": "true"}, ["Distance by layer, epsilon by epsilon"]),
    ("amplification", {"play": "true", "attack": "PGD"}, ["Distance by layer"]),
    ("amplification", {"view": "Bit-widths"}, ["Relative distance by layer and bit-width"]),
    (
        "amplification",
        {"view": "Quantizer"},
        [
            "The quantizer's view of the noise",
            "Signal to quantization noise by layer",
            "Gain of the linear layers",
        ],
    ),
    ("amplification", {"view": "Flips"}, ["Bucket flips and what they add"]),
    (
        "amplification",
        {"view": "Failure"},
        [
            "Does amplification predict failure?",
            "Predicting failure, layer by layer",
            "Clean and robust accuracy",
        ],
    ),
    ("lipschitz", {}, ["Lipschitz constants by layer", "What BatchNorm does to the norms"]),
    ("lipschitz", {"view": "Network"}, ["The network's bounds"]),
    ("lipschitz", {"view": "Singular values"}, ["Singular values of conv1"]),
    ("lipschitz", {"view": "Measured gain"}, ["Measured gain against its bound"]),
]


def figure(app):
    return app.get("plotly_chart")[0].proto.spec


@pytest.mark.parametrize(("page", "query", "expected"), VIEWS)
def test_every_view_draws_its_charts(open_page, page, query, expected):
    app = open_page(page, **query)
    assert titles(app) == expected
    assert len(app.get("plotly_chart")) == len(expected)
    assert len(app.get("popover")) == len(expected)
    assert not app.exception
    assert not app.error
    assert not app.warning


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("overview", {}),
        ("playground", {}),
        ("lipschitz", {}),
        ("robustness", {"view": "Compare"}),
        ("robustness", {"view": "Transfer"}),
        ("trust", {}),
    ],
)
def test_squeezed_networks_are_drawn_everywhere(open_page, page, query):
    app, plain = open_page(page, squeeze="5 bits", **query), open_page(page, **query)
    assert titles(app) == titles(plain)
    assert len(app.get("plotly_chart")) == len(plain.get("plotly_chart"))
    for element in (app.exception, app.error, app.warning):
        assert not element


def test_the_glossary_explains_its_words(open_page):
    app = open_page("glossary")
    assert len(app.subheader) > 15
    assert not app.exception


def test_the_version_stands_in_the_sidebar_and_in_every_export(open_page):
    app = open_page()
    assert f"dqviz {__version__}" in [element.value for element in app.sidebar.caption]
    spec = requests.amplification(Settings(networks=(VANILLA,)))[0]
    drawn = distance_by_layer(result_of(spec).table, epsilon=1 / 255)
    lines = show.export(drawn).splitlines()
    assert lines[0].endswith("dqviz_version")
    assert {line.rpartition(",")[2] for line in lines[1:]} == {__version__}


@pytest.mark.parametrize("page", ["overview", "playground", "amplification", "lipschitz"])
def test_without_a_network_the_page_says_what_to_do(open_page, engine, page):
    app = open_page(page, net="")
    assert "Choose at least one network" in words(app)
    assert engine.asked == []
    assert not app.exception


def test_moving_epsilon_redraws_and_asks_for_nothing_new(open_page, engine):
    app = open_page("amplification")
    before, asked = figure(app), len(engine.asked)
    app.select_slider(key="eps").set_value(4.0).run()
    assert figure(app) != before
    assert len(engine.asked) == asked
    app.select_slider(key="eps").set_value(1.0).run()
    assert figure(app) == before


@pytest.mark.parametrize(
    ("key", "value"),
    [("abits", 3), ("wbits", 4), ("n", 16), ("attack", "bim"), ("squeeze", "4 bits")],
)
def test_every_other_choice_asks_anew(open_page, engine, key, value):
    app = open_page("amplification")
    before, asked = figure(app), len(engine.asked)
    widgets = app.selectbox if key in ("attack", "squeeze") else app.select_slider
    widgets(key=key).set_value(value).run()
    assert figure(app) != before
    assert len(engine.asked) > asked


def test_an_uploaded_network_is_compared_at_once(open_page, engine):
    app = open_page("amplification")
    app.sidebar.file_uploader[0].set_value(("mine.pth", b"weights", "application/octet-stream"))
    app.sidebar.button[0].click().run()
    assert not app.exception
    name = "upload/resnet20/mine"
    assert app.multiselect(key="net").value == [VANILLA, DQ, name]
    assert engine.asked[-1].model.checkpoint.endswith(".pth")
    assert "leaves your own network out" in words(app)


def test_a_wrong_upload_is_refused_in_words(open_page, engine):
    app = open_page("amplification")
    app.sidebar.file_uploader[0].set_value(("mine.pth", b"weights", "application/octet-stream"))
    app.sidebar.text_input[0].set_value("0.5")
    app.sidebar.button[0].click().run()
    assert "Not added" in app.error[0].value
    assert app.multiselect(key="net").value == [VANILLA, DQ]


def test_an_uploaded_image_is_asked_for(open_page, engine):
    out = io.BytesIO()
    Image.new("RGB", (40, 40), "teal").save(out, format="PNG")
    app = open_page("playground")
    app.file_uploader(key="image").set_value(("teal.png", out.getvalue(), "image/png")).run()
    assert engine.asked[-1].image.endswith(".png")
    assert "shows the image of the data set instead" in words(app)
    app.file_uploader(key="image").set_value(("bad.png", b"nothing", "image/png")).run()
    assert "not an image that can be read" in app.error[0].value


def test_all_networks_can_be_compared(open_page, engine):
    open_page("amplification", net=list(NETWORKS[:4]))
    assert {spec.model.id for spec in engine.asked} == set(NETWORKS[:4])


def test_flips_need_quantized_activations(open_page, engine):
    app = open_page("amplification", view="Flips", abits="32")
    assert "choose activation bits below 32" in words(app)
    assert titles(app) == []


def test_the_choice_of_a_victim_outlives_a_move_of_the_bits(open_page):
    app = open_page("playground", **{"for": "dq, quantized"})
    assert app.session_state["for"] == "dq, quantized"
    app.select_slider(key="abits").set_value(3).run()
    assert app.session_state["for"] == "dq, quantized"
    assert "Ignored" not in words(app)
    assert "True class of this image" in words(app)


def test_with_one_perturbation_for_all_there_is_no_victim_to_choose(open_page):
    app = open_page("playground", crafted="first network")
    assert "for" not in app.session_state
    assert titles(app)[0] == "The image and its perturbation"


def test_without_any_network_the_page_says_how_to_bring_one(open_page, monkeypatch):
    monkeypatch.setattr(choices, "shipped_ids", lambda: ())
    assert "Add your own in the sidebar" in words(open_page("amplification"))


def test_a_small_data_set_is_used_whole(open_page, engine, tmp_path):
    for number in range(20):
        folder = tmp_path / "mine" / "test" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (number, 0, 0)).save(folder / f"{number}.png")
    open_page("amplification", data="folder:mine")
    assert {spec.data.n_samples for spec in engine.asked if "mine" in spec.data.name} == {20}
