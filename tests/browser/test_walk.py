"""The main paths, walked by a browser."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.browser.conftest import calls, send
from tests.satellite.requests import Call
from tests.satellite.running import RunningSatellite, until
from tests.sensor.export.certificates import make_authority, make_leaf

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PASSWORD = "correct horse battery"


def opened(browser: Browser, base: str) -> Page:
    context = browser.new_context(
        viewport={"width": 1360, "height": 900}, base_url=base, accept_downloads=True
    )
    context.set_default_timeout(20_000)
    return context.new_page()


def test_from_first_run_to_triage(browser: Browser, tmp_path: Path) -> None:
    with RunningSatellite(tmp_path / "data") as satellite:
        page = opened(browser, satellite.web)
        page.goto("/")
        shown = page.locator("#command").inner_text()
        assert re.fullmatch(rf"sudo \S*levo apidump --satellite-url {re.escape(satellite.web)}", shown)

        send(satellite, calls())  # it appears without a reload
        page.locator(".empty.first").wait_for(state="detached")
        page.goto("/catalog")
        page.locator("td.endpoint").first.wait_for()

        page.keyboard.press("/")
        page.keyboard.type("orders")
        page.wait_for_url(re.compile("filter=orders"))
        page.locator(".pager", has_text="of 2 ").wait_for()
        page.goto("/catalog")
        page.locator(".facets a", has_text="POST").click()
        assert "method=POST" in page.url
        assert page.locator("tbody tr").count() == 1
        page.locator("td.endpoint a").click()

        page.get_by_role("heading", name="Request body").wait_for()
        assert page.locator(".tree .name", has_text="quantity").count()
        assert page.locator(".badge.sensitive").count()
        page.get_by_text("Why this template").click()
        page.locator("#why th", has_text="orders").wait_for()

        page.goto("/catalog?q=users")
        page.locator("td.endpoint a").first.click()
        page.get_by_text("Rename, split, merge").click()
        page.locator("input[name=detail]").first.fill("/v1/users/{member}")
        page.get_by_role("button", name="Rename", exact=True).click()
        page.locator("h1", has_text="{member}").wait_for()
        page.get_by_role("button", name="Undo").click()
        page.locator(".undone").wait_for()
        page.locator("h1", has_text="{member}").wait_for(state="detached")
        page.context.close()


def test_reference_downloads_and_compares(browser: Browser, shop: RunningSatellite, tmp_path: Path) -> None:
    page = opened(browser, shop.web)
    page.goto("/reference")
    with page.expect_download() as waiting:
        page.locator(".downloads a", has_text="3.1").click()
    document = json.loads(waiting.value.path().read_text())
    assert document["openapi"].startswith("3.1") and "/v1/orders" in document["paths"]

    paths: dict[str, object] = {
        "/v1/orders": {"post": {"responses": {}}},
        "/v1/gone": {"get": {"responses": {}}},
    }
    mine = {"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": paths}
    page.locator("input[type=file]").set_input_files(
        {"name": "mine.json", "mimeType": "application/json", "buffer": json.dumps(mine).encode()}
    )
    page.get_by_role("button", name="Upload and compare").click()
    page.get_by_text("called, not described").wait_for()
    page.locator("summary", has_text="Unused").click()
    page.locator("li", has_text="/v1/gone").wait_for()
    page.context.close()


def test_login_roles_and_logout(browser: Browser, tmp_path: Path) -> None:
    with RunningSatellite(tmp_path / "data") as satellite:
        send(satellite, calls())
        page = opened(browser, satellite.web)
        page.goto("/settings")
        for name, role in (("anna", "admin"), ("vera", "viewer")):
            form = page.locator("form[action='/settings/accounts']")
            form.locator("input[name=name]").fill(name)
            form.locator("select").select_option(role)
            form.locator("input[name=password]").fill(PASSWORD)
            form.get_by_role("button").click()
            page.locator("li", has_text=name).first.wait_for()
        page.get_by_role("button", name="Log out anna").click()
        page.get_by_role("heading", name="Log in").wait_for()

        page.goto("/catalog?q=users")
        assert "/login?next=" in page.url
        page.get_by_label("Name").fill("vera")
        page.get_by_label("Password").fill("wrong wrong wrong")
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("alert").wait_for()
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(re.compile("/catalog\\?q=users"))
        page.locator("td.endpoint a").first.click()
        page.get_by_role("heading", name="Answers").wait_for()
        assert page.get_by_role("button", name="Accept").count() == 0
        refused = page.evaluate(
            "async () => (await fetch(location.pathname + '/decide', {method: 'POST', headers:"
            " {'content-type': 'application/json',"
            " 'x-form-token': document.querySelector('[name=form-token]')"
            '.content}, body: \'{"kind": "ignore"}\'})).status'
        )
        assert refused == 403
        page.context.close()


def test_a_login_over_tls(browser: Browser, tmp_path: Path) -> None:
    authority, signer = make_authority(tmp_path)
    pair = make_leaf(tmp_path, "satellite", authority, signer, "localhost")
    config = tmp_path / "satellite.yaml"
    config.write_text(f"tls-certificate: {pair.cert}\ntls-key: {pair.key}\n")
    with RunningSatellite(tmp_path / "data", "--config", str(config)) as satellite:
        context = browser.new_context(ignore_https_errors=True, base_url=satellite.web)
        context.set_default_timeout(20_000)
        page = context.new_page()
        page.goto("/settings")
        form = page.locator("form[action='/settings/accounts']")
        form.locator("input[name=name]").fill("anna")
        form.locator("input[name=password]").fill(PASSWORD)
        form.get_by_role("button").click()
        page.get_by_role("button", name="Log out anna").wait_for()
        page.locator(".live.on").wait_for()
        (cookie,) = context.cookies()
        assert cookie["name"] == "__Host-levo_session" and cookie["secure"] and cookie["httpOnly"]
        page.goto("/catalog")
        assert page.url.endswith("/catalog")
        context.close()


def test_a_member_sees_the_own_organization(browser: Browser, tmp_path: Path) -> None:
    with RunningSatellite(tmp_path / "data") as satellite:
        for name in ("acme", "globex"):
            made = [Call(path=f"/{name}/things", more={}) for _ in range(3)]
            send(satellite, made, {"service.name": f"{name}-shop", "levo.organization.id": name})
        until(lambda: len(satellite.endpoints()) == 2)
        page = opened(browser, satellite.web)
        page.goto("/settings")
        for name, role, organization in (("anna", "admin", ""), ("mona", "viewer", "acme")):
            form = page.locator("form[action='/settings/accounts']")
            form.locator("input[name=name]").fill(name)
            form.locator("select").select_option(role)
            form.locator("input[name=organization]").fill(organization)
            form.locator("input[name=password]").fill(PASSWORD)
            form.get_by_role("button").click()
            page.locator("li", has_text=name).first.wait_for()
        page.goto("/catalog")
        assert page.locator("td.endpoint").count() == 2
        page.get_by_role("button", name="Log out anna").click()
        page.get_by_label("Name").fill("mona")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.goto("/catalog")
        assert page.locator("td.endpoint").count() == 1
        assert "globex" not in page.content()
        page.locator(".live.on").wait_for()
        send(satellite, [Call(path="/acme/later", more={})], {"levo.organization.id": "acme"})
        page.locator("td.endpoint", has_text="/acme/later").wait_for()
        page.context.close()


def test_keys_and_palette(browser: Browser, shop: RunningSatellite) -> None:
    page = opened(browser, shop.web)
    page.goto("/")
    page.keyboard.press("Control+k")
    page.keyboard.type("orders")
    page.locator("#palette li", has_text="/v1/orders").first.wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/endpoints/"))
    page.keyboard.press("g")
    page.keyboard.press("n")
    page.wait_for_url(re.compile("/sensors"))
    page.context.close()


def test_from_set_up_to_a_copied_command_over_plain_http(browser: Browser, tmp_path: Path) -> None:
    """Browsers give a page at such an address no clipboard; the button copies all the same."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: only asks which address would be used
        except OSError:
            pytest.skip("no address besides loopback here")
        own = probe.getsockname()[0]
    with RunningSatellite(tmp_path / "data", "--listen", "0.0.0.0:0") as satellite:
        until(lambda: "enter the code" in satellite.errors)
        base = f"http://{own}:{urlsplit(satellite.web).port}"
        page = opened(browser, base)
        page.goto("/")
        page.get_by_label("Set-up code").fill(satellite.errors.split("enter the code ")[1].split()[0])
        page.get_by_label("Your name").fill("anna")
        page.get_by_label("Password").fill("correct horse battery")
        page.get_by_role("button", name="Make the first account").click()
        page.get_by_role("link", name="Connect a sensor").click()
        page.get_by_label("Organization").fill("acme")
        page.get_by_role("button", name="Make a token").click()
        shown = page.locator("#c-host").text_content()
        assert shown and base in shown and "--levoai-org-id acme" in shown

        page.get_by_role("button", name="Copy the command for: Linux host, in the foreground").click()
        page.evaluate("document.body.append(document.createElement('textarea'))")
        page.locator("textarea").press("Control+V")
        assert page.locator("textarea").input_value() == shown
        page.context.close()
