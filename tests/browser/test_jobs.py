"""Jobs in a real browser: who one is is known by a cookie, and a job outlives its page."""

from __future__ import annotations

import pytest

from tests.browser.conftest import PATIENCE, Tab
from tests.ui.fake_engine import SLOW

JOB = "[class*=st-key-job_]"


@pytest.fixture
def visitor(chromium, fake_server):
    """Opens tabs of a visitor that was never here before."""
    contexts = []

    def opened(scheme="light", *, cookies=()):
        size = {"width": 1400, "height": 1000}
        contexts.append(chromium.new_context(color_scheme=scheme, viewport=size))
        contexts[-1].add_cookies(list(cookies))
        return Tab(contexts[-1].new_page(), fake_server)

    yield opened
    for context in contexts:
        context.close()


def slow(tab):
    """Asks for something that takes long, until it has become a job."""
    tab.open("amplification", f"seed={SLOW}", settle=False)
    tab.page.locator(".st-key-busy").get_by_role("link", name="Jobs").first.wait_for()
    return tab


def test_a_job_outlives_its_page_and_is_found_by_the_cookie(visitor, scheme, fake_server):
    tab = slow(visitor(scheme))
    (cookie,) = [c for c in tab.page.context.cookies() if c["name"] == "dqviz_visitor"]
    assert cookie["sameSite"] == "Strict"
    tab.page.close()  # the visitor leaves
    again = visitor(scheme, cookies=[cookie]).open("jobs")
    job = again.page.locator(JOB)
    job.wait_for()
    assert "At work" in job.inner_text()
    assert "Crafting the perturbation" in job.inner_text()
    stranger = visitor(scheme).open("jobs")
    stranger.page.get_by_text("You have no job").wait_for()
    with again.page.context.expect_page() as opened:
        job.get_by_role("link", name="Open").click()
    opened.value.set_default_timeout(PATIENCE)
    opened.value.locator(".st-key-busy").wait_for()
    assert f"seed={SLOW}" in opened.value.url
    opened.value.close()
    job.get_by_role("button", name="Cancel").click()
    again.page.get_by_text("Cancelled").wait_for()
    again.check()
    stranger.check()


def test_leaving_the_page_keeps_the_job_and_other_settings_replace_it(visitor):
    tab = slow(visitor())
    tab.page.get_by_role("link", name="Jobs").first.click()
    tab.page.locator(JOB).first.wait_for()
    assert tab.page.locator(JOB).count() == 1
    tab.page.get_by_role("link", name="Amplification").click()
    tab.page.locator(".st-key-busy").get_by_role("link", name="Jobs").first.wait_for()
    # Seen from another tab: left before it has heard of the other setting, the page keeps its job.
    beside = Tab(tab.page.context.new_page(), tab.address).open("jobs")
    job = beside.page.locator(JOB).filter(has_text="W8 A4")
    job.get_by_text("At work").wait_for()
    tab.slide("abits")
    job.get_by_text("Cancelled").wait_for()
    beside.check()
    tab.check()


def test_without_cookies_the_browser_session_is_the_visitor(visitor):
    """A browser that takes no cookie: the script that sets it changes nothing."""
    tab = visitor()
    tab.page.add_init_script(
        "Object.defineProperty(document, 'cookie', {get: () => '', set: () => {}})"
    )
    slow(tab)
    assert not [c for c in tab.page.context.cookies() if c["name"] == "dqviz_visitor"]
    tab.page.get_by_role("link", name="Jobs").first.click()
    tab.page.locator(JOB).first.wait_for()
    tab.open("jobs")
    tab.page.get_by_text("You have no job").wait_for()
    tab.check()
