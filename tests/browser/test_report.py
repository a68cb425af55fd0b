"""A report opens without any network, and its figures can be zoomed and asked."""

import pytest

from dqviz.reports import write_report
from dqviz.studies import Owner, Store
from tests.studies.conftest import cell_at
from tests.studies.making import MADE, finding


@pytest.fixture
def report(tmp_path):
    cells = [cell_at(bits, k / 255) for bits in (8, 4) for k in (1, 2, 4)]
    with Store(tmp_path / "study.sqlite", write=True) as store:
        owner = Owner.new()
        store.claim(cells, owner)
        store.finish([(c, finding(c, 0.1 * c.spec.quant.act_bits)) for c in cells], owner, MADE)
    write_report(tmp_path / "study.sqlite", tmp_path / "report.html")
    return tmp_path / "report.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_without_a_network(report, chromium, scheme):
    context = chromium.new_context(color_scheme=scheme, offline=True)
    page, problems, asked = context.new_page(), [], []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: asked.append(request.url.partition(":")[0]))
    page.goto(report.as_uri())
    page.wait_for_selector(".js-plotly-plot .main-svg")
    assert page.locator(".js-plotly-plot").count() == 3
    plot = "document.querySelector('.js-plotly-plot')"
    before = page.evaluate(f"{plot}.layout.xaxis.range || {plot}._fullLayout.xaxis.range")
    pane = page.locator(".js-plotly-plot .nsewdrag").first
    pane.scroll_into_view_if_needed()
    box = pane.bounding_box()
    page.mouse.move(box["x"] + 120, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 150, steps=4)
    page.mouse.up()
    page.wait_for_function(f"before => {plot}._fullLayout.xaxis.range[0] !== before", arg=before[0])
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (colour == "rgb(255, 255, 255)") == (scheme == "light")
    assert problems == []
    assert set(asked) <= {"file", "data", "blob"}
    context.close()
