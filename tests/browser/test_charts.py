"""Charts as they are drawn: no label on the data, every line visible, one time zone that is named."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import pytest

from tests.browser.test_pages import SIZES
from tests.satellite.running import RunningSatellite

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_OVERLAPS = """() => Array.from(document.querySelectorAll('figure.chart'), (chart) => {
  const box = (element) => element.getBoundingClientRect();
  const drawn = Array.from(chart.querySelectorAll('rect:not(.hit), polyline'), box);
  const texts = Array.from(chart.querySelectorAll('.top, .axis span, figcaption > *'), box);
  const meets = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const crossed = texts.filter((a, at) => texts.some((b, other) => other > at && meets(a, b)));
  const covering = texts.filter((text) => drawn.some((each) => meets(text, each)));
  return [drawn.length, covering.length, crossed.length];
})"""


def opened(browser: Browser, shop: RunningSatellite, path: str, *, scripts: bool = True) -> Page:
    """A page as somebody in New York sees it."""
    context = browser.new_context(timezone_id="America/New_York", java_script_enabled=scripts)
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.goto(shop.web + path)
    return page


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/endpoints/1", "/endpoints/1?range=90d"])
def test_no_label_is_on_the_data_or_on_another(
    browser: Browser, shop: RunningSatellite, path: str, scheme: Literal["light", "dark"], size: str
) -> None:
    """All of the shop's traffic is in one of the newest steps, where the peak is."""
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    page.goto(shop.web + path)
    found = page.evaluate(_OVERLAPS)
    context.close()

    assert len(found) == 2 and all(drawn for drawn, _, _ in found)
    assert [rest for _, *rest in found] == [[0, 0], [0, 0]]


def test_lines_that_coincide_are_all_visible(browser: Browser, shop: RunningSatellite) -> None:
    page = opened(browser, shop, "/endpoints/1")
    lines = page.evaluate(
        "Array.from(document.querySelectorAll('polyline'), (each) =>"
        " [each.getAttribute('class'), parseFloat(getComputedStyle(each).strokeWidth)])"
    )
    page.context.close()

    widths = [width for _, width in lines]
    assert [style for style, _ in lines] == ["p99", "p95", "p50"]
    assert all(below - above >= 1.5 for below, above in pairwise(widths))


@pytest.mark.parametrize("scripts", [True, False])
def test_axes_and_tooltips_are_in_the_zone_that_the_page_names(
    browser: Browser, shop: RunningSatellite, scripts: bool
) -> None:
    page = opened(browser, shop, "/endpoints/1", scripts=scripts)
    if scripts:
        page.locator(".live.on").wait_for()
    time = page.locator("#head time").first
    sent, told = str(time.get_attribute("datetime")), time.get_attribute("title")
    tooltips = page.locator("figure.chart g title").all_text_contents()
    labels = page.locator("figure.chart").first.locator(".axis span").all_text_contents()
    zones = page.locator(".zone").all_text_contents()
    hour, minute = int(sent[11:13]), int(sent[14:16])
    page.context.close()

    assert told == f"{sent[:10]} {sent[11:19]} UTC"
    assert tooltips and all(" UTC: " in text for text in tooltips)
    assert f"{hour:02}:{minute:02} to " in " ".join(tooltips)
    last = [int(part) for part in labels[3].split(":")]
    apart = (hour * 60 + minute - (last[0] * 60 + last[1])) % 1440
    assert min(apart, 1440 - apart) < 120  # another zone is hours away
    assert zones == ["Times in UTC", "Times in UTC"]


def test_the_latency_of_a_step_can_be_pointed_at(browser: Browser, shop: RunningSatellite) -> None:
    page = opened(browser, shop, "/endpoints/1")
    box = page.locator("figure.chart").nth(1).locator("rect.hit").last.bounding_box()
    assert box is not None and box["height"] > 100
    x, y = box["x"] + box["width"] / 2, box["y"] + 20
    text = page.evaluate(
        "([x, y]) => document.elementFromPoint(x, y).closest('g').querySelector('title').textContent", [x, y]
    )
    page.context.close()

    assert "UTC: p50 " in text and ", p95 " in text and ", p99 " in text


def test_the_download_follows_the_search_without_a_new_page(browser: Browser, shop: RunningSatellite) -> None:
    page = opened(browser, shop, "/catalog")
    page.locator(".live.on").wait_for()
    page.locator("input[name=filter]").fill("orders")
    link = page.locator("#downloads a[href*='filter=orders'][href*='csv']")
    link.wait_for()
    with page.expect_download() as started:
        link.click()
    lines = started.value.path().read_text().splitlines()
    shown = page.locator("#endpoints tbody tr").count()
    page.context.close()

    assert len(lines) - 1 == shown == 2
    assert all("orders" in line for line in lines[1:])
