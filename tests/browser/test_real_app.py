"""The app as it is shipped, with the real engine: a fresh server, live numbers, pictures.

Pictures are taken in every run, of one network on few images and for the most part in one scheme;
with DQVIZ_SCREENSHOTS set they are the README's, in both, and go into docs/images.
"""

import io
import os

import pytest
from PIL import Image

from tests.browser.serving import ROOT, running_server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]


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
    ("playground", "playground", "eps=2/255", ["image", "probabilities", "noise"], 2560),
    ("amplification", "amplification", "abits=3", ["growth"], 1100),
    ("quantizer", "amplification", "view=Quantizer", ["quantizer"], 1100),
    ("lipschitz", "lipschitz", "", ["constants", "batchnorm"], 1100),
]


SHOWN = {("overview", "light"), ("amplification", "light"), ("lipschitz", "dark")}
WANTED = bool(os.environ.get("DQVIZ_SCREENSHOTS"))
LITTLE = "n=16&net=streetdigits/resnet20/dq"


def shots():
    """Those that the README shows, and the first; all in both where the pictures are wanted."""
    for shot in SHOTS:
        for scheme in ("light", "dark"):
            if WANTED or (shot[0], scheme) in SHOWN:
                yield pytest.param(scheme, shot, id=f"{shot[0]}-{scheme}")


@pytest.mark.parametrize(("scheme", "shot"), list(shots()))
def test_pictures_for_the_readme(fresh, open_tab, tmp_path, scheme, shot):
    name, path, query, keys, height = shot
    pictures = ROOT / "docs" / "images" if WANTED else tmp_path
    tab = open_tab(fresh, scheme)
    tab.page.set_viewport_size({"width": 1400, "height": height})
    tab.open(path, query if WANTED else f"{LITTLE}&{query}")
    for key in keys:
        assert tab.wait_for_chart(key)
    tab.settle()
    tab.page.evaluate("document.fonts.ready")
    packed = tab.page.screenshot(animations="disabled")
    with Image.open(io.BytesIO(packed)) as picture:
        few = picture.convert("RGB").quantize(192, dither=Image.Dither.NONE)
    few.save(pictures / f"{name}-{scheme}.png", optimize=True)
    assert few.size == (1400, height)
    assert len(few.getcolors()) > 50, "an empty page has few colours"
    ground = {"light": 255, "dark": 0}[scheme]
    assert abs(few.convert("L").getpixel((1390, height - 10)) - ground) < 60
