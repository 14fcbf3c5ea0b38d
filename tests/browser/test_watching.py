"""Ten people watch while traces come in as fast as they are taken."""

from __future__ import annotations

import itertools
import multiprocessing
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Event
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import BODY, RESOURCE, send
from tests.helpers.effort import long
from tests.satellite.receive.test_http_routes import PROTOBUF
from tests.satellite.requests import Call, traces
from tests.satellite.running import RunningSatellite, fetch, until

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LONGEST_MS = 1000.0
WATCHED = (
    "/",
    "/catalog",
    "/catalog?sort=exchanges",
    "/catalog?status=5xx",
    "/endpoints/1",
    "/endpoints/3",
    "/sensitive",
    "/changes",
    "/reference",
    "/sensors",
)
SPANS = 400
_TRACE, _SPAN = b"\xf0\xf1\xf2trace-here\xf3\xf4\xf5", b"\xf0span-me\xf1"[:8]


def bodies() -> Iterator[bytes]:
    """Requests without end, each of :data:`SPANS` spans that were not sent before, at next to no cost."""
    made = []
    for number in range(SPANS):
        more = {"levo.http.response.body": BODY % number, "levo.http.request.body": '{"quantity": 2}'}
        path = f"/v{number % 4}/{('users', 'orders', 'carts', 'notes', 'bills')[number % 5]}/{number + 1000}"
        made.append(Call(("GET", "PUT")[number % 2], path, (200, 200, 404, 503)[number // 20 % 4], more=more))
    request = traces(made, RESOURCE)
    for span in request.resource_spans[0].scope_spans[0].spans:
        span.trace_id, span.span_id = _TRACE, _SPAN
    pieces = [part.split(_SPAN) for part in request.SerializeToString().split(_TRACE)]
    for first in itertools.count(0, SPANS):
        out = [pieces[0][0]]
        for number, (before, after) in enumerate(pieces[1:], start=first + 1):
            out += (number.to_bytes(16, "big"), before, number.to_bytes(8, "big"), after)
        yield b"".join(out)


def send_until(web: str, stop: Event, told: Queue[tuple[int, int]]) -> None:
    """Send one request after the other; tell how many spans were acknowledged, and requests put off."""
    acknowledged = put_off = 0
    for body in bodies():
        status = 0
        while status != 200 and not stop.is_set():
            answer = fetch("POST", web + "/v1/traces", body, {"content-type": PROTOBUF})
            status = answer.status
            if status != 200:
                assert status in (429, 503), status
                put_off += 1
                time.sleep(min(1.0, float(answer.headers.get("retry-after", "1"))))
        acknowledged += SPANS * (status == 200)
        if stop.is_set():
            break
    told.put((acknowledged, put_off))


def moved_on(satellite: RunningSatellite, learned: float) -> bool:
    """Whether more is learned by now, or all there is: the backlog may take longer than one wait."""
    done = not list((satellite.data_dir / "journal").glob("*.segment"))
    return done or satellite.metric("levo_satellite_learned_traces_total") > learned


@pytest.mark.parametrize("seconds", [6.0, long(20.0)])
def test_nothing_acknowledged_is_lost_while_ten_pages_are_watched(
    browser: Browser, tmp_path: Path, seconds: float
) -> None:
    with RunningSatellite(tmp_path / "data") as satellite:
        satellite.post("/v1/traces", next(bodies()), content_type=PROTOBUF)
        until(lambda: len(satellite.endpoints()) >= 20)
        contexts = [browser.new_context(viewport={"width": 1360, "height": 900}) for _ in WATCHED]
        for context in contexts:
            context.set_default_timeout(30_000)
            context.add_init_script(_PREPARE)
        pages = [context.new_page() for context in contexts]
        for page, path in zip(pages, WATCHED, strict=True):
            page.goto(satellite.web + path)
        spawned = multiprocessing.get_context("spawn")
        stop, told = spawned.Event(), spawned.Queue()
        sender = spawned.Process(target=send_until, args=(satellite.web, stop, told), daemon=True)
        sender.start()
        refreshed: list[float] = []
        opened: list[tuple[float, float, str]] = []
        end = time.monotonic() + seconds
        turns = itertools.cycle(zip(pages, WATCHED, strict=True))
        while time.monotonic() < end:
            page, path = next(turns)
            page.wait_for_timeout(250)
            refreshed += page.evaluate(_REFRESHED)
            page.goto(satellite.web + path, wait_until="load")
            opened.append((*page.evaluate(_OPENED), path))
        stop.set()
        acknowledged, put_off = told.get(timeout=180)
        sender.join(60)
        for page in pages:
            refreshed += page.evaluate(_REFRESHED)
        for context in contexts:
            context.close()
        learned = -1.0
        while learned != (learned := satellite.metric("levo_satellite_learned_traces_total")):
            until(lambda at=learned: moved_on(satellite, at))  # type: ignore[misc]
        counters = satellite.summary()["counters"]
        slowest, _, where = max(opened)
        shown = sorted(each[1] for each in opened)
        print(
            f"\n{seconds:.0f} s: {acknowledged:,} traces acknowledged ({acknowledged / seconds:,.0f}/s),"
            f" {put_off} requests put off; {len(opened)} pages opened, answered in {slowest:.0f} ms at most"
            f" ({where}), median {sorted(opened)[len(opened) // 2][0]:.0f} ms; drawn with all parts in"
            f" {shown[-1]:.0f} ms at most, median {shown[len(shown) // 2]:.0f} ms;"
            f" {len(refreshed)} refreshes, slowest {max(refreshed, default=0.0):.0f} ms"
        )
        assert acknowledged > 0
        # The request before the browser came has the same spans as the sender's first, and is known again.
        assert counters["learned_traces"] == max(acknowledged, SPANS)
        assert satellite.metric("levo_satellite_learner_restarts_total") == 0
        if seconds >= 20:  # short, it asserts no times: the machine may be busy with other things
            assert max(slowest, shown[-1], max(refreshed, default=0.0)) < LONGEST_MS


def test_many_pages_of_one_browser_share_one_stream(browser: Browser, shop: RunningSatellite) -> None:
    context = browser.new_context()
    context.set_default_timeout(20_000)
    pages = [context.new_page() for _ in range(9)]
    for page in pages:
        page.goto(shop.web + "/catalog")
        page.locator(".live.on").wait_for()
    send(shop, [Call(path="/only/for/tabs", more={})])
    for page in pages:
        page.locator("td.endpoint", has_text="/only/for/tabs").wait_for()
    context.close()


_REFRESHED = (
    "performance.getEntriesByType('resource').filter((e) => e.initiatorType === 'fetch')"
    ".map((e) => e.duration)"
)
_PREPARE = """
performance.setResourceTimingBufferSize(10000);
window.drawn = new Promise((done) => addEventListener("load",
  () => requestAnimationFrame(() => setTimeout(() => done(performance.now())))));
"""
_OPENED = """async () => {
  const e = performance.getEntriesByType("navigation")[0];
  return [e.responseEnd - e.requestStart, await drawn];
}"""
"""How long the answer took, and how long until a frame was drawn after all parts had come (ms)."""
