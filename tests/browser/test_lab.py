"""A trained network in a real browser: chosen with a click, and gone with its job."""

from tests.browser.conftest import TRAINER, Tab

CHOSEN = ".st-key-net [data-tag]"
ID = "streetdigits/resnet20/lab-folded-abc"


def names(tab):
    return [name.strip() for name in tab.page.locator(CHOSEN).all_inner_texts()]


def test_what_was_trained_is_compared_by_a_click_and_removed_with_its_job(chromium, fake_server):
    context = chromium.new_context(viewport={"width": 1400, "height": 1000})
    context.add_cookies([{"name": "dqviz_visitor", "value": TRAINER, "url": fake_server}])
    tab = Tab(context.new_page(), fake_server).open("lab")
    before = names(tab)
    tab.page.get_by_role("button", name="Compare it on every page").click()
    tab.page.locator(CHOSEN, has_text=ID).wait_for()
    assert names(tab) == [*before, ID]
    assert ID in tab.query()["net"]
    tab.page.get_by_role("link", name="Lipschitz", exact=True).first.click()
    tab.page.locator("h1", has_text="Lipschitz").wait_for()
    tab.settle()
    assert names(tab) == [*before, ID]
    tab.open("jobs", "&".join(f"net={name}" for name in (*before, ID)))
    assert names(tab) == [*before, ID], "the page opened anew knows it by the cookie"
    tab.page.get_by_role("button", name="Remove", exact=True).click()
    tab.page.locator(CHOSEN, has_text=ID).wait_for(state="detached")
    assert names(tab) == before
    tab.check()
    context.close()
