"""What a page does to itself when something has changed: as little as possible."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.conftest import send
from tests.browser.test_walk import opened
from tests.satellite.requests import Call
from tests.satellite.running import RunningSatellite

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PLACE = {"service.name": "renewal"}
ADDRESS = "/catalog?application=renewal"


def test_what_has_not_changed_stays_the_same_element(browser: Browser, shop: RunningSatellite) -> None:
    send(shop, [Call(host=f"{c}.example", path="/status", more={}) for c in "bdf"], PLACE)
    page = opened(browser, shop.web)
    page.goto(ADDRESS)
    page.locator(".live.on").wait_for()
    page.locator("td.endpoint", has_text="f.example").wait_for()
    page.evaluate(_MARK)

    send(shop, [Call(host=f"{c}.example", path="/status", more={}) for c in "ade"], PLACE)
    page.locator("td.endpoint", has_text="e.example").wait_for()

    assert [host[0] for host in page.locator("td.endpoint .host").all_inner_texts()] == list("abdef")
    assert page.evaluate("rows.every((row) => row.isConnected)")
    assert page.evaluate("document.activeElement.closest('tr') === rows[2]")
    assert page.evaluate("getSelection().toString()") == "b.example:8080 new"
    assert page.evaluate("document.querySelector('.facets details').open") is False
    assert page.evaluate("pointed.join()") == "a,d,e"
    page.locator("tr.changed").first.wait_for(state="detached")
    page.context.close()


def test_nothing_is_sent_again_that_a_page_has(browser: Browser, shop: RunningSatellite) -> None:
    send(shop, [Call(host="again.example", path="/status", more={})], PLACE)
    page = opened(browser, shop.web)
    page.goto(ADDRESS)
    page.locator("td.endpoint", has_text="again.example").wait_for()
    page.locator(".live.on").wait_for()
    statuses: list[int] = []
    page.on("response", lambda answer: statuses.append(answer.status))
    for _ in range(3):
        with page.expect_response("**/catalog*"):
            send(shop, [Call(host="other.example", path="/status", more={})], {"service.name": "elsewhere"})

    assert statuses[-1] == 304
    page.goto("/sensors")
    files = page.evaluate("performance.getEntriesByType('resource').filter((e) => e.transferSize > 0).length")
    assert files == 0
    page.context.close()


def test_the_chosen_colors_stay(browser: Browser, shop: RunningSatellite) -> None:
    page = opened(browser, shop.web)
    page.goto("/")
    for chosen in ("light", "dark"):
        page.locator("[data-theme-button]").click()
        page.goto("/sensors")
        assert page.locator("html").get_attribute("data-theme") == chosen
    page.locator("[data-theme-button]").click()
    page.reload()
    assert page.locator("html").get_attribute("data-theme") is None
    page.context.close()


_MARK = """() => {
  window.rows = Array.from(document.querySelectorAll("tr[data-id]"));
  document.querySelector(".facets details").open = false;
  getSelection().selectAllChildren(rows[0].querySelector(".host"));
  rows[2].querySelector("a").focus();
  window.pointed = [];
  new MutationObserver(() => {
    const now = Array.from(document.querySelectorAll("tr.changed td.endpoint .host"));
    if (now.length) pointed = now.map((host) => host.textContent[0]);
  }).observe(document.getElementById("main"), { attributeFilter: ["class"], childList: true, subtree: true });
}"""
