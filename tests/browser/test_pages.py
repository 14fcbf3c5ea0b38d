"""Every page in every look: accessible, quiet, and asking nobody else for anything."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import pytest

from tests.satellite.running import RunningSatellite

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

SIZES = {"desktop": (1360, 900), "phone": (390, 844)}
PAGES = {
    "overview": "/",
    "catalog": "/catalog",
    "endpoint": "/endpoints/1",
    "evidence": "/endpoints/1/evidence",
    "sensitive": "/sensitive",
    "changes": "/changes",
    "encrypted": "/encrypted",
    "reference": "/reference",
    "sensors": "/sensors",
    "connect": "/connect",
    "settings": "/settings",
    "login": "/login",
    "nothing": "/nowhere",
}


def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(os.environ.get("LEVO_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible_and_quiet(
    browser: Browser,
    shop: RunningSatellite,
    axe: str,
    tmp_path_factory: pytest.TempPathFactory,
    scheme: Literal["light", "dark"],
    size: str,
) -> None:
    folder = screenshots(tmp_path_factory)
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    context.set_default_timeout(15_000)
    page = context.new_page()
    noise: list[str] = []
    hosts: set[str] = set()
    page.on(
        "console", lambda m: noise.append(f"{m.type}: {m.text}") if m.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: noise.append(str(error)))
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    found = {}
    for name, path in PAGES.items():
        answer = page.goto(shop.web + path)
        assert answer is not None and answer.status == (404 if name == "nothing" else 200), path
        page.screenshot(path=folder / f"{name}-{scheme}-{size}.png", full_page=name == "endpoint")
        result = run_axe(context, page, axe)
        bad = [v for v in result["violations"] if v["impact"] in ("serious", "critical")]
        if bad:
            found[name] = [(v["id"], [node["html"][:160] for node in v["nodes"][:3]]) for v in bad]
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} is {wide} pixels wider than the window"
    context.close()
    assert found == {}
    assert [n for n in noise if "404" not in n] == []
    assert hosts == {urlsplit(shop.web).netloc}


def run_axe(context: BrowserContext, page: Page, axe: str) -> dict[str, Any]:
    """Run axe-core in the page's own frame through the debugger, which the page's CSP does not bind."""
    session = context.new_cdp_session(page)
    session.send("Runtime.evaluate", {"expression": axe + ";0"})
    answer = session.send(
        "Runtime.evaluate",
        {
            "expression": "axe.run(document, {resultTypes: ['violations']})"
            ".then((r) => ({violations: r.violations.map((v) => ({id: v.id, impact: v.impact,"
            " nodes: v.nodes.map((n) => ({html: n.html}))}))}))",
            "awaitPromise": True,
            "returnByValue": True,
        },
    )
    session.detach()
    assert "exceptionDetails" not in answer, answer
    found: dict[str, Any] = answer["result"]["value"]
    return found
