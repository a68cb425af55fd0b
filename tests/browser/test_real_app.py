"""The app as it is shipped, with the real engine: a fresh server, live numbers, pictures.

With DQVIZ_SCREENSHOTS set, the pictures of the README are written into docs/images.
"""

import io
import os

import pytest
from PIL import Image

from dqviz.cards import shipped_ids
from tests.browser.serving import ROOT, running_server

NEEDED = {"streetdigits/resnet20/vanilla", "streetdigits/resnet20/dq"}
pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not set(shipped_ids()) >= NEEDED, reason="needs the shipped networks"),
]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A server that nobody has asked for anything yet."""
    with running_server(ROOT / "app.py", tmp_path_factory.mktemp("real")) as address:
        yield address


def test_a_link_to_a_page_is_the_first_thing_a_fresh_server_is_asked(fresh, open_tab):
    tab = open_tab(fresh).open("amplification", "abits=3&eps=2/255", settle=False)
    assert "Page not found" not in tab.page.inner_text("body")
    assert tab.page.locator("[data-testid=stMain] h1").inner_text() == "Amplification"
    assert tab.page.locator(".st-key-abits input").get_attribute("aria-valuetext") == "3"
    assert tab.page.locator(".st-key-eps input").get_attribute("aria-valuetext") == "2/255"


def test_the_first_page_goes_from_the_shipped_result_to_live_numbers(fresh, open_tab):
    tab = open_tab(fresh).open(settle=False)
    before = tab.wait_for_chart("growth")
    tab.settle()
    assert "Shipped result" not in tab.text()
    assert tab.drawn("growth")
    tab.slide("eps")
    tab.wait_for_change("growth", before)
    assert "At the last layer" in tab.text()


SHOTS = [
    ("overview", "", "", ["growth"], 1100),
    ("playground", "playground", "eps=2/255", ["image", "probabilities", "noise"], 2100),
    ("amplification", "amplification", "abits=3", ["growth"], 1100),
    ("quantizer", "amplification", "view=Quantizer", ["quantizer"], 1100),
    ("lipschitz", "lipschitz", "", ["constants", "batchnorm"], 1100),
]


@pytest.mark.skipif(not os.environ.get("DQVIZ_SCREENSHOTS"), reason="DQVIZ_SCREENSHOTS is not set")
@pytest.mark.parametrize(("name", "path", "query", "keys", "height"), SHOTS)
def test_pictures_for_the_readme(fresh, open_tab, scheme, name, path, query, keys, height):
    tab = open_tab(fresh, scheme)
    tab.page.set_viewport_size({"width": 1400, "height": height})
    tab.open(path, query)
    for key in keys:
        assert tab.wait_for_chart(key)
    tab.settle()
    tab.page.evaluate("document.fonts.ready")
    folder = ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    packed = tab.page.screenshot(animations="disabled")
    with Image.open(io.BytesIO(packed)) as picture:
        few = picture.convert("RGB").quantize(192, dither=Image.Dither.NONE)
        few.save(folder / f"{name}-{scheme}.png", optimize=True)
