"""Who may do what: log in, set-up, settings."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from levo.satellite.access import AuthMiddleware
from levo.satellite.store.storage import Storage
from levo.satellite.store.userdata import USERDATA_NAME, UserData
from levo.satellite.web.account_pages import AccountPages
from levo.satellite.web.problems import on_http_exception, problem
from levo.satellite.web.render import Renderer
from tests.satellite.access.authenticators import PASSWORD, START_NS, Clock, authenticator_of
from tests.satellite.asgi import call
from tests.satellite.running import Answer


class Browser:
    """One browser at the account pages; keeps its cookie and the session's form token."""

    def __init__(self, folder: Path, *, on_loopback: bool = False) -> None:
        self.userdata = UserData(folder / USERDATA_NAME)
        self.authenticator = authenticator_of(self.userdata, on_loopback=on_loopback, clock_ns=Clock().ns)
        renderer = Renderer("http://localhost", lambda: START_NS)
        room = Storage(5_000_000, 0, 0, 10_000_000_000, 1_000_000)
        pages = AccountPages(
            self.authenticator, self.userdata.webhooks, self.userdata.alerts, renderer, lambda: room
        )
        self.app = Starlette(
            routes=pages.routes(),
            middleware=[Middleware(AuthMiddleware, authenticator=self.authenticator, problem=problem)],
            exception_handlers={HTTPException: on_http_exception},
        )
        self.cookie = ""

    def get(self, target: str) -> Answer:
        return call(self.app, "GET", target, b"", {"cookie": self.cookie, "accept": "text/html"})

    def post(self, target: str, **fields: str) -> Answer:
        session = self.authenticator.session(self.cookie.partition("=")[2])
        body = urlencode({"form_token": session.form_token if session else "", **fields}).encode()
        kind = {"content-type": "application/x-www-form-urlencoded", "cookie": self.cookie}
        answer = call(self.app, "POST", target, body, kind)
        found = re.match(r"[^;]*", answer.headers.get("set-cookie", ""))
        self.cookie = found[0] if found and found[0] else self.cookie
        return answer

    def set_up(self) -> Answer:
        return self.post("/setup", code=self.authenticator.setup_code, name="anna", password=PASSWORD)


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    made = Browser(tmp_path)
    assert made.set_up().status == 303
    return made


def test_the_first_run_leads_to_set_up_and_only_the_code_opens_it(tmp_path: Path) -> None:
    new = Browser(tmp_path)

    assert new.get("/login").headers["location"] == "/setup"
    assert new.post("/setup", code="wrong", name="anna", password=PASSWORD).status == 403
    assert new.authenticator.accounts.all() == [] and new.cookie == ""
    assert new.set_up().headers["location"] == "/"
    assert new.get("/setup").headers["location"] == "/"
    assert new.get("/settings").status == 200


def test_a_login_opens_a_session_and_ends_the_old_one(browser: Browser) -> None:
    old = browser.cookie
    answer = browser.post("/login", name="anna", password=PASSWORD, next="/catalog")

    assert answer.headers["location"] == "/catalog" and browser.cookie != old
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert browser.get("/settings").status == 200
    browser.cookie = old
    assert browser.get("/settings").headers["location"].startswith("/login")


def test_a_wrong_password_opens_nothing(browser: Browser) -> None:
    browser.cookie = ""

    assert browser.post("/login", name="anna", password="wrong").status == 403
    assert browser.cookie == ""


def test_logging_out_ends_the_session_itself(browser: Browser) -> None:
    kept = browser.cookie
    browser.post("/logout")
    browser.cookie = kept

    assert browser.get("/settings").status == 303


def test_a_new_password_needs_the_old_one(browser: Browser) -> None:
    assert browser.post("/settings/password", old="wrong", new="another long one").status == 400
    assert browser.authenticator.login("anna", PASSWORD, "c")[1] == "admin"
    assert browser.post("/settings/password", old=PASSWORD, new="another long one").status == 303
    assert browser.authenticator.login("anna", "another long one", "c")[1] == "admin"
    assert browser.get("/settings").status == 200


def test_the_last_admin_stays(browser: Browser) -> None:
    assert browser.post("/settings/accounts/remove", name="anna").status == 400
    assert browser.post("/settings/accounts", name="anna", role="viewer", password=PASSWORD).status == 400
    assert [(a.name, a.role) for a in browser.authenticator.accounts.all()] == [("anna", "admin")]


def test_accounts_come_and_go(browser: Browser) -> None:
    browser.post("/settings/accounts", name="vera", role="viewer", password=PASSWORD)
    assert {a.name for a in browser.authenticator.accounts.all()} == {"anna", "vera"}
    statuses = [browser.post("/settings/accounts/remove", name=name).status for name in ("nobody", "vera")]
    assert statuses == [404, 303]
    assert [a.name for a in browser.authenticator.accounts.all()] == ["anna"]


def test_a_viewer_sees_and_changes_no_accounts_and_no_tokens(browser: Browser) -> None:
    browser.post("/settings/accounts", name="vera", role="viewer", password=PASSWORD)
    browser.post("/settings/tokens", name="secret-name", scope="ingest", organization="acme")
    browser.post("/login", name="vera", password=PASSWORD)
    page = browser.get("/settings").body.decode()

    assert "secret-name" not in page and "anna" not in page
    for target in ("accounts", "accounts/remove", "tokens", "tokens/revoke", "webhooks", "webhooks/remove"):
        assert browser.post(f"/settings/{target}", name="anna", id="1").status == 403


def test_a_token_is_shown_once_and_revoked_once(browser: Browser) -> None:
    shown = browser.post("/settings/tokens", name="t", scope="ingest", organization="acme").body.decode()
    found = re.search(r"levo_[\w-]{30,}", shown)
    assert found is not None and found[0] not in browser.get("/settings").body.decode()
    assert browser.authenticator.organization_of_token(found[0]) == "acme"
    (token,) = browser.authenticator.tokens.all()
    assert [browser.post("/settings/tokens/revoke", id=str(token.id)).status for _ in range(2)] == [303, 404]
    assert browser.authenticator.organization_of_token(found[0]) is None


def test_a_webhook_is_checked_kept_and_removed(browser: Browser) -> None:
    assert browser.post("/settings/webhooks", url="ftp://x").status == 400
    browser.post("/settings/webhooks", url="https://chat.example/hook?key=secret")
    (hook,) = browser.userdata.webhooks.all()

    assert hook.url == "https://chat.example/hook?key=secret"
    assert all("secret" not in entry.subject for entry in browser.authenticator.audit.page()[1])
    ids = (str(hook.id), str(hook.id), "\u0661")
    assert [browser.post("/settings/webhooks/remove", id=i).status for i in ids] == [303, 404, 404]


def test_on_loopback_there_is_no_login_until_there_is_an_account(tmp_path: Path) -> None:
    local = Browser(tmp_path, on_loopback=True)

    assert local.get("/settings").status == 200
    assert local.post("/settings/accounts", name="anna", role="admin", password=PASSWORD).status == 303
    local.cookie = ""
    assert local.get("/settings").headers["location"].startswith("/login")


def test_an_admin_sees_how_much_room_there_is(browser: Browser) -> None:
    browser.set_up()
    page = browser.get("/settings").body.decode()

    assert "Room on disk" in page and "4.8 MiB" in page and "9.3 GiB" in page
