"""Every page and every slider in a real browser, over an engine that computes nothing."""

import base64
import json

import numpy as np
import pytest
from PIL import Image

from dqviz import __version__
from tests.ui.fake_engine import BAD_DATA, SLOW

pytestmark = pytest.mark.browser

VIEWS = [
    ("", "", ["growth"], "growth"),
    ("playground", "", ["image", "probabilities", "noise"], "noise"),
    ("amplification", "", ["growth"], ""),
    ("amplification", "play=true", ["play"], ""),
    ("amplification", "view=Bit-widths", ["heat"], "heat"),
    ("amplification", "view=Quantizer", ["quantizer", "sqnr", "linear"], "quantizer"),
    ("amplification", "view=Flips", ["flips"], "flips"),
    ("amplification", "view=Failure", ["failure", "failing", "accuracy"], ""),
    ("lipschitz", "", ["constants", "batchnorm"], ""),
    ("lipschitz", "view=Network", ["bounds"], ""),
    ("lipschitz", "view=Singular+values", ["spectrum"], ""),
    ("lipschitz", "view=Measured+gain", ["gain"], "gain"),
    ("robustness", "", ["robust"], ""),
    ("robustness", "view=Compare", ["right", "success"], ""),
    ("robustness", "view=Transfer", ["transfer"], ""),
    ("robustness", "view=Bit-width", ["robust_bits"], "robust_bits"),
    ("trust", "", ["variants"], "variants"),
    ("paper", "", ["forest_vulnerable", "behind_vulnerable"], ""),
    ("paper", "paper_attack=BIM", ["attacked"], ""),
    ("paper", "paper_noise=random+signs", ["layers"], ""),
    ("paper", "paper_elements=At+zero", ["turning"], ""),
]
"""Pages, their settings, the charts on them, and one that moves with epsilon."""

BACKGROUND = "getComputedStyle(document.querySelector('.stApp')).backgroundColor"
OPACITY = "getComputedStyle(document.querySelector('.st-key-chart_growth')).opacity"
BAR_AND_CHART = ("busy", "chart_growth")
SLIDERS = ("eps", "abits", "wbits", "n", "steps")


def curves(drawn):
    """The lines of a chart by their names: what stands on the y axis."""
    return {name: y for name, x, y, z in json.loads(drawn) if name and x == LAYER_NAMES}


LAYER_NAMES = ["c1", *[f"{s}.{b}.c{c}" for s in "123" for b in "01" for c in "12"]]
LAYER_NAMES += ["linear", "logits"]


def last(drawn, part):
    """The last value of the one curve whose name ends in `part`."""
    (values,) = [y for name, y in curves(drawn).items() if name.endswith(part)]
    return values[-1]


@pytest.mark.parametrize(("path", "query", "keys", "moved"), VIEWS)
def test_every_view_is_drawn_in_light_and_dark_and_moves_with_epsilon(
    tab, path, query, keys, moved
):
    tab.open(path, query)
    for scheme, page in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(17, 22, 28)")):
        tab.page.emulate_media(color_scheme=scheme)
        tab.page.wait_for_function(f"{BACKGROUND} === '{page}'")
        for key in keys:
            assert tab.wait_for_chart(key)
            described = tab.page.locator(f".st-key-figure_{key} [aria-label]").first
            assert len(described.get_attribute("aria-label")) > 40
    if moved:
        before = tab.drawn(moved)
        tab.slide("eps")
        tab.wait_for_change(moved, before)


def test_the_glossary_opens(tab):
    tab.open("glossary")
    assert "Straight-through estimator" in tab.text()


def test_epsilon_raises_every_curve(tab):
    tab.open("amplification")
    before = tab.wait_for_chart("growth")
    tab.slide("eps")
    after = tab.wait_for_change("growth", before)
    old, new = curves(before), curves(after)
    assert list(old) == list(new)
    assert all(b > a for name in old for a, b in zip(old[name], new[name], strict=True))
    assert tab.query()["eps"] == ["1.5/255"]


@pytest.mark.parametrize(("key", "name"), [("abits", "W8 A3"), ("wbits", "W7 A4")])
def test_fewer_bits_raise_the_quantized_curve_alone(tab, key, name):
    query = "wbits=8&abits=4&net=streetdigits/resnet20/vanilla"
    tab.open("amplification", query)
    before = tab.wait_for_chart("growth")
    tab.slide(key)
    after = tab.wait_for_change("growth", before)
    assert last(after, "full precision") == last(before, "full precision")
    if key == "abits":
        assert last(after, name) > last(before, "W8 A4")
    assert any(curve.endswith(name) for curve in curves(after))


def test_more_images_change_the_numbers_and_no_names(tab):
    tab.open("amplification")
    before = tab.wait_for_chart("growth")
    tab.slide("n")
    after = tab.wait_for_change("growth", before)
    assert list(curves(before)) == list(curves(after))
    assert tab.query()["n"] == ["128"]


def test_more_steps_change_an_iterated_attack(tab):
    tab.open("amplification", "attack=PGD")
    before = tab.wait_for_chart("growth")
    tab.page.get_by_text("More choices").click()
    tab.slide("steps")
    tab.wait_for_change("growth", before)
    assert tab.query()["steps"] == ["20"]


def test_play_goes_from_epsilon_to_epsilon(tab):
    tab.open("amplification", "play=true&eps=0.125/255")
    before = tab.wait_for_chart("play")
    tab.page.locator(".st-key-figure_play .updatemenu-button").first.click()
    tab.wait_for_change("play", before)
    assert tab.query()["eps"] == ["0.125/255"]


def test_a_link_reproduces_the_view(fake_server, open_tab):
    tab = open_tab(fake_server).open("amplification")
    before = tab.wait_for_chart("growth")
    tab.slide("abits", "ArrowLeft")
    before = tab.wait_for_change("growth", before)
    tab.slide("eps")
    before = tab.wait_for_change("growth", before)
    tab.page.get_by_role("radio", name="Centred").click()
    before = tab.wait_for_change("growth", before)
    path, _, query = tab.page.url.removeprefix(f"{fake_server}/").partition("?")
    other = open_tab(fake_server).open(path, query)
    assert other.wait_for_chart("growth") == before


def test_settings_stay_from_page_to_page(tab):
    tab.open("", "abits=3&eps=2/255")
    tab.wait_for_chart("growth")
    tab.page.get_by_role("link", name="Follow it layer by layer").click()
    tab.page.wait_for_url("**/amplification?*")
    tab.settle()
    first = tab.wait_for_chart("growth")
    assert any("W8 A3" in name for name in curves(first))
    tab.page.locator("[data-testid=stTopNavLink]", has_text="Robustness").click()
    tab.page.wait_for_url("**/robustness?*")
    tab.wait_for_chart("robust")
    tab.page.locator(".st-key-made_by").get_by_role("link", name="Can you trust it?").click()
    tab.page.wait_for_url("**/trust?*")
    tab.wait_for_chart("variants")
    assert (tab.query()["abits"], tab.query()["eps"]) == (["3"], ["2/255"])


def test_progress_is_shown_and_can_be_cancelled(tab):
    tab.open("amplification")
    before = tab.wait_for_chart("growth")
    tab.page.get_by_text("More choices").click()
    tab.page.fill(".st-key-seed input", str(SLOW))
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_selector("text=crafting the perturbation")
    assert tab.drawn("growth") == before
    assert float(tab.page.evaluate(OPACITY)) < 0.5
    tab.page.get_by_role("button", name="Cancel").click()
    tab.page.wait_for_selector("text=Nothing is being computed")
    tab.settle()


def test_progress_stands_above_the_chart_and_goes_when_a_slider_needs_none(tab):
    tab.open("amplification")
    tab.wait_for_chart("growth")
    tab.slide("n", "End")
    tab.page.wait_for_selector(".st-key-busy")
    bar, chart = (tab.page.locator(f".st-key-{key}").bounding_box() for key in BAR_AND_CHART)
    assert bar["y"] + bar["height"] <= chart["y"]
    assert float(tab.page.evaluate(OPACITY)) < 0.5
    tab.slide("n", "ArrowLeft")
    tab.page.wait_for_selector(".st-key-busy", state="detached", timeout=30_000)
    tab.settle()
    assert tab.page.locator("text=Computing").count() == 0
    assert float(tab.page.evaluate(OPACITY)) == 1


def test_large_files_are_looked_at_with_progress_and_can_be_cancelled(tab, fake_folder):
    tab.open("amplification", "data=parquet:large.parquet", settle=False)
    tab.page.wait_for_selector("text=of 40.0 GB")
    tab.page.get_by_role("button", name="Cancel").click()
    tab.page.wait_for_selector("text=Nothing is being computed")
    with (fake_folder / "large.parquet").open("wb") as file:
        file.truncate(2 * 10**9)
    tab.page.get_by_role("button", name="Try again").click()
    tab.wait_for_chart("growth")


def test_a_failure_is_said_and_the_page_goes_on(tab):
    tab.open("amplification", f"seed={BAD_DATA}")
    tab.page.wait_for_selector("text=there are no images in the folder")
    tab.page.get_by_text("More choices").click()
    tab.page.fill(".st-key-seed input", "1")
    tab.page.keyboard.press("Enter")
    tab.wait_for_chart("growth")
    assert "there are no images" not in tab.text()


def test_what_a_link_asks_for_in_vain_is_named(tab):
    tab.open("amplification", "abits=17&view=Nonsense")
    tab.page.wait_for_selector("text=Ignored from the link")
    assert "view=Nonsense" in tab.text()
    tab.page.get_by_role("button", name="OK").click()
    tab.page.wait_for_selector("text=Ignored from the link", state="detached")


def test_formula_data_and_file_are_a_click_away(tab):
    tab.open("amplification")
    tab.wait_for_chart("growth")
    tab.page.get_by_role("button", name="Formula and data").click()
    tab.page.wait_for_selector(".katex")
    tab.page.wait_for_selector("[data-testid=stDataFrame]")
    tab.settle()
    with tab.page.expect_download() as waiting:
        tab.page.get_by_role("button", name="Download as CSV").last.click()
    assert waiting.value.suggested_filename == f"dqviz-{__version__}-distance-by-layer.csv"
    header, first = waiting.value.path().read_text(encoding="utf-8").splitlines()[:2]
    assert header.endswith(",dqviz_version")
    assert first.endswith(__version__)


def test_every_slider_changes_the_picture_in_the_dark_too(fake_server, open_tab):
    tab = open_tab(fake_server, "dark").open("amplification", "attack=PGD&eps=1/255&abits=4")
    drawn = tab.wait_for_chart("growth")
    tab.page.get_by_text("More choices").click()
    tab.page.wait_for_selector(".st-key-steps input[type=range]")
    queries = 1  # of no concern to PGD
    assert tab.page.locator("input[type=range]").count() == len(SLIDERS) + queries
    for key in SLIDERS:
        tab.slide(key)
        drawn = tab.wait_for_change("growth", drawn)


def clean_picture(drawn):
    """The mean colour of the first of the three images, RGB from 0 to 255."""
    z = json.loads(drawn)[0][3]
    pixels = np.frombuffer(base64.b64decode(z), np.uint8) if isinstance(z, str) else np.array(z)
    return pixels.reshape(-1, 3).mean(axis=0).tolist()


def test_an_uploaded_image_takes_the_place_of_the_data_sets(tab, tmp_path):
    Image.new("RGB", (40, 40), "teal").save(tmp_path / "teal.png")
    tab.open("playground", "sample=1")
    before = tab.wait_for_chart("image")
    shares = tab.wait_for_chart("probabilities")
    assert clean_picture(before) != pytest.approx([0, 128, 128], abs=1)
    assert "True class of this image: 1" in tab.text()
    tab.page.set_input_files(".st-key-image input[type=file]", tmp_path / "teal.png")
    tab.page.wait_for_selector("text=teal.png")
    assert clean_picture(tab.wait_for_change("image", before)) == pytest.approx(
        [0, 128, 128], abs=1
    )
    assert tab.drawn("probabilities") != shares
    assert "Class predicted for this image: 3" in tab.text()
    assert "True class" not in tab.text()
