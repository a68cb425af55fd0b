"""A server of our own, a headless Chromium, and waiting on states (never on a clock)."""

from __future__ import annotations

import dataclasses
from urllib.parse import parse_qs, urlsplit

import pytest

from dqviz.cli.browser import find_browser, why_none
from dqviz.jobs.folder import JobFolder
from dqviz.jobs.record import Record
from tests.browser.serving import FLAGS, ROOT, running_server
from tests.ui.made_networks import network_in

PATIENCE = 300_000
"""Milliseconds after which a state that does not come is a failure; no test waits that long."""

IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"
IDLE += "[data-test-connection-state=CONNECTED]"


@pytest.fixture(scope="session")
def chromium():
    """A running headless Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = find_browser()
    if path is None:
        pytest.skip(why_none())
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def fake_folder(tmp_path_factory):
    """The data folder of the app over an engine that computes nothing, with one file in it."""
    folder = tmp_path_factory.mktemp("fake")
    with (folder / "large.parquet").open("wb") as file:
        file.truncate(40 * 10**9)  # takes no room where files may have holes
    plant_training(folder)
    yield folder
    (folder / "large.parquet").unlink()


@pytest.fixture(scope="session")
def fake_server(fake_folder):
    """The app over an engine that computes nothing."""
    script = ROOT / "tests" / "browser" / "fake_app.py"
    with running_server(script, fake_folder) as address:
        yield address


TRAINER = "ab" * 16
"""The visitor who has trained a network on the app over an engine that computes nothing."""


def plant_training(data):
    """Has `TRAINER` finish a training before the server of that data folder starts."""
    record = Record(user=TRAINER, title="A training", address=("lab", ()), recipe="as it was")
    record = dataclasses.replace(record, address=("lab", (("run", record.id),)))
    folder = data / "lab" / record.id
    folder.mkdir(parents=True)
    network_in(folder)
    jobs = JobFolder(data / "jobs")
    jobs.save(record.over("done"))
    jobs.close()


class Tab:
    """One browser tab on the app, with the questions that the tests ask."""

    def __init__(self, page, address):
        self.page = page
        self.address = address
        self.problems = []
        page.set_default_timeout(PATIENCE)
        page.on("console", self._note_console)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", self._note_request)

    def _note_console(self, message):
        # On every page but the first, Streamlit looks for its server below the page's path too.
        probing = "/_stcore/" in message.location.get("url", "")
        if message.type == "error" and not probing:
            self.problems.append(message.text)

    def _note_request(self, request):
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.hostname != "127.0.0.1":
            self.problems.append(f"asked for {request.url}")

    def open(self, path="", query="", *, settle=True):
        """Opens a page of the app and waits until it is drawn, or only until it answers."""
        self.page.goto(f"{self.address}/{path}?{query}")
        self.page.wait_for_selector(".st-key-abits input")
        if settle:
            self.settle()
        return self

    def settle(self):
        """Waits until the script has ended and nothing is being computed."""
        self.page.wait_for_selector(IDLE)
        self.page.wait_for_selector("[data-testid=stSkeleton]", state="detached")
        self.page.wait_for_selector(".st-key-busy", state="detached")

    def drawn(self, key):
        """What a chart shows: the traces' names and values, and the axes' ranges."""
        return self.page.evaluate(DRAWN, f".st-key-figure_{key} .js-plotly-plot")

    def wait_for_change(self, key, before):
        """Waits until a chart shows something else than before; returns what."""
        self.page.wait_for_function(
            f"([selector, before]) => ({DRAWN})(selector) !== before && ({DRAWN})(selector) !== ''",
            arg=[f".st-key-figure_{key} .js-plotly-plot", before],
        )
        self.settle()
        return self.drawn(key)

    def wait_for_chart(self, key):
        """Waits until a chart is there; returns what it shows."""
        return self.wait_for_change(key, "")

    def slide(self, key, keys="ArrowRight"):
        """Moves a slider by the keyboard."""
        self.page.focus(f".st-key-{key} input[type=range]")
        self.page.keyboard.press(keys)

    def text(self):
        """The words on the page, without the sidebar."""
        return self.page.inner_text("[data-testid=stMain]")

    def query(self):
        """The address bar's parameters."""
        return parse_qs(urlsplit(self.page.url).query)

    def check(self):
        """No exception is shown, nothing went wrong in the browser, nothing was asked of others."""
        assert self.page.locator("[data-testid=stException]").count() == 0
        assert self.problems == []


DRAWN = """selector => {
  const plot = document.querySelector(selector);
  if (!plot || !plot.data) return "";
  const plain = v => typeof v === "number" ? +v.toPrecision(6) : v && v.map ? all(v) : v;
  const all = list => list && list.bdata ? list.bdata : Array.from(list || [], plain);
  return JSON.stringify(plot.data.map(t => [t.name, all(t.x), all(t.y), all(t.z)]));
}"""


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    """The browser's colour scheme."""
    return request.param


@pytest.fixture(scope="session")
def contexts(chromium):
    """One browser context a colour scheme, so that the app's files are loaded only once."""
    size = {"width": 1400, "height": 1000}
    found = {s: chromium.new_context(color_scheme=s, viewport=size) for s in ("light", "dark")}
    yield found
    for context in found.values():
        context.close()


@pytest.fixture
def open_tab(contexts):
    """Opens tabs, and checks each of them at the end of the test."""
    tabs = []

    def opened(address, scheme="light"):
        tabs.append(Tab(contexts[scheme].new_page(), address))
        return tabs[-1]

    yield opened
    try:
        for tab in tabs:
            tab.check()
    finally:
        for tab in tabs:
            tab.page.close()


@pytest.fixture
def tab(fake_server, open_tab):
    """A tab on the app over the engine that computes nothing."""
    return open_tab(fake_server)
