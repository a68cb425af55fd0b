"""The page that looks into stores, in a real browser."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from dqviz.studies import Owner, Store
from tests.studies.conftest import cell_at
from tests.studies.making import MADE, finding


@pytest.fixture(scope="module")
def study(fake_folder):
    """A store where the served app looks for stores."""
    path = fake_folder / "results" / "mine.sqlite"
    path.parent.mkdir()
    cells = [cell_at(bits, k / 255) for bits in (8, 4) for k in (1, 2, 4)]
    with Store(path, write=True) as store:
        owner = Owner.new()
        store.claim(cells, owner)
        store.finish([(c, finding(c, 0.1 * c.spec.quant.act_bits)) for c in cells], owner, MADE)
    yield path
    path.unlink()


def test_a_study_is_drawn_filtered_and_reported(study, fake_server, open_tab, scheme, tmp_path):
    tab = open_tab(fake_server, scheme)
    tab.open("studies", "number=robust+accuracy")
    before = tab.wait_for_chart("study")
    assert "6 cells: 6 done" in tab.text()
    tab.page.locator(".st-key-against").get_by_text("Activation bits").click()
    assert tab.wait_for_change("study", before) != before
    assert "Robust accuracy against Activation bits" in tab.text()
    assert tab.query()["against"] == ["Activation bits"]
    tab.page.get_by_role("button", name="Report as HTML").click()
    with tab.page.expect_download() as download:
        tab.page.get_by_role("button", name="Download the report").click()
    download.value.save_as(tmp_path / "mine.html")
    assert "6 cells: 6 done" in (tmp_path / "mine.html").read_text(encoding="utf-8")
    assert download.value.suggested_filename == "mine.html"


def test_a_click_on_a_point_leads_to_its_setting(study, fake_server, open_tab):
    tab = open_tab(fake_server)
    tab.open("studies", "number=robust+accuracy")
    tab.wait_for_chart("study")
    points = tab.page.locator(".st-key-figure_study .scatterlayer .trace").first.locator(
        "path.point"
    )
    place = points.nth(1).bounding_box()
    middle = (place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    tab.page.mouse.move(*middle)
    tab.page.locator(".st-key-figure_study .hoverlayer .hovertext").first.wait_for()
    tab.page.mouse.click(*middle)
    links = tab.page.locator(".st-key-opening").get_by_role("link")
    links.first.wait_for()
    addresses = [link.get_attribute("href") for link in links.all()]
    assert [address.partition("?")[0] for address in addresses] == [
        "amplification",
        "amplification",
        "robustness",
        "trust",
        "lipschitz",
        "playground",
    ]
    query = parse_qs(urlsplit(addresses[0]).query)
    assert (query["abits"], query["eps"]) == (["8"], ["2/255"])
    assert "not as in the study" in tab.text()  # that network is no shipped one


def test_rows_are_chosen_where_lines_cannot_be(study, fake_server, open_tab):
    tab = open_tab(fake_server)
    tab.open("studies", "study_view=Parallel")
    tab.wait_for_chart("study_parallel")
    table = tab.page.locator(".st-key-cells canvas").first
    table.scroll_into_view_if_needed()
    place = table.bounding_box()
    for row in (0, 2):  # the first column has a box to tick in every row
        tab.page.mouse.click(place["x"] + 16, place["y"] + 52 + 35 * row)
    tab.page.locator(".st-key-opening_1").get_by_role("link").first.wait_for()
    hrefs = [
        tab.page.locator(f".st-key-{key}").get_by_role("link").first.get_attribute("href")
        for key in ("opening", "opening_1")
    ]
    found = [parse_qs(urlsplit(href).query) for href in hrefs]
    assert [(q["abits"], q["eps"]) for q in found] == [
        (["8"], ["1/255"]),
        (["8"], ["4/255"]),
    ]
