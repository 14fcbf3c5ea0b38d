"""Who gets past the gate."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from levo.satellite.access.auth import Authenticator
from levo.satellite.access.middleware import (
    AuthMiddleware,
    bearer_token,
    from_this_site,
    identity_of,
    local_target,
    session_cookie,
)
from tests.satellite.access.authenticators import authenticator
from tests.satellite.asgi import call
from tests.satellite.running import Answer


def who(request: Request) -> Response:
    identity = identity_of(request)
    return PlainTextResponse(f"{identity.name} {identity.role.name}")


def problem(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(text, status, headers)


def ask(kept: Authenticator, target: str, method: str = "GET", **headers: str) -> Answer:
    app = Starlette(routes=[Route("/{path:path}", who, methods=["GET", "POST"])])
    named = {"host": "satellite.example"} | {name.replace("_", "-"): text for name, text in headers.items()}
    return call(AuthMiddleware(app, authenticator=kept, problem=problem), method, target, headers=named)


@pytest.fixture
def kept(tmp_path: Path) -> Authenticator:
    made = authenticator(tmp_path)
    made.accounts.put("anna", "admin", "no hash", 1)
    made.accounts.put("vera", "viewer", "no hash", 1)
    return authenticator(tmp_path)


def test_a_stranger_gets_the_login_page_and_a_program_a_401(kept: Authenticator) -> None:
    page = ask(kept, "/catalog?q=a%20b", accept="text/html")
    program = ask(kept, "/api/endpoints")

    assert (page.status, page.headers["location"]) == (303, "/login?next=%2Fcatalog%3Fq%3Da%2520b")
    assert (program.status, program.headers["www-authenticate"]) == (401, "Bearer")


def test_before_the_first_account_pages_lead_to_the_setup(tmp_path: Path) -> None:
    assert ask(authenticator(tmp_path), "/", accept="text/html").headers["location"] == "/setup"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/login", "/setup", "/static/a.css", "/v1/traces"])
def test_what_has_to_be_open_is_open(kept: Authenticator, path: str) -> None:
    assert ask(kept, path).status == 200


@pytest.mark.parametrize("path", ["/", "/static", "/healthz/x", "/loginx", "/v1/traces/x", "/Setup"])
def test_nothing_else_is(kept: Authenticator, path: str) -> None:
    assert ask(kept, path).status == 401


def test_a_session_and_a_token_say_who_it_is(kept: Authenticator) -> None:
    secret, token = kept.open_session("vera"), kept.add_token("robot", "editor", "", "anna")

    assert ask(kept, "/", cookie=f"levo_session={secret}").body == b"vera VIEWER"
    assert ask(kept, "/", authorization=f"bearer {token}").body == b"token robot EDITOR"


def test_a_wrong_token_is_nobody_even_with_a_session(kept: Authenticator) -> None:
    cookie = f"levo_session={kept.open_session('anna')}"

    assert ask(kept, "/", cookie=cookie, authorization="Bearer levo_guess").status == 401


def test_on_loopback_without_accounts_whoever_asks_is_an_admin(tmp_path: Path) -> None:
    assert ask(authenticator(tmp_path, on_loopback=True), "/").body == b"local ADMIN"


@pytest.mark.parametrize(
    ("account", "headers", "status"),
    [
        ("vera", {"x_form_token": "right"}, 403),
        ("anna", {"x_form_token": "right"}, 200),
        ("anna", {"x_form_token": "wrong"}, 403),
        ("anna", {}, 403),
        ("anna", {"x_form_token": "right", "sec_fetch_site": "cross-site"}, 403),
        ("anna", {"x_form_token": "right", "sec_fetch_site": "same-site"}, 403),
        ("anna", {"x_form_token": "right", "origin": "http://evil.example"}, 403),
        ("anna", {"x_form_token": "right", "origin": "null"}, 403),
        ("anna", {"x_form_token": "right", "origin": "http://satellite.example"}, 200),
    ],
)
def test_a_change_needs_the_role_the_form_token_and_a_page_of_this_site(
    kept: Authenticator, account: str, headers: dict[str, str], status: int
) -> None:
    secret = kept.open_session(account)
    session = kept.session(secret)
    assert session is not None
    sent = {name: session.form_token if value == "right" else value for name, value in headers.items()}

    assert ask(kept, "/api/decisions", "POST", cookie=f"levo_session={secret}", **sent).status == status


@pytest.mark.parametrize(("scope", "status"), [("viewer", 403), ("editor", 200), ("admin", 200)])
def test_a_token_needs_no_form_token_but_the_role(kept: Authenticator, scope: str, status: int) -> None:
    token = kept.add_token("robot", scope, "", "anna")

    assert ask(kept, "/api/decisions", "POST", authorization=f"Bearer {token}").status == status


@pytest.mark.parametrize(
    ("target", "safe"),
    [
        ("/catalog?q=1", "/catalog?q=1"),
        ("//x", "/"),
        ("/\\x", "/"),
        ("https://x", "/"),
        ("", "/"),
        ("/a\nb", "/"),
    ],
)
def test_targets_stay_here(target: str, safe: str) -> None:
    assert local_target(target) == safe


def test_requests_of_other_sites_are_known() -> None:
    assert from_this_site(Headers({"host": "a:1"}))
    assert from_this_site(Headers({"host": "a:1", "origin": "http://a:1", "sec-fetch-site": "same-origin"}))
    assert not from_this_site(Headers({"host": "a:1", "origin": "http://b:1"}))
    assert not from_this_site(Headers({"host": "a:1", "origin": "null"}))
    assert not from_this_site(Headers({"host": "a:1", "sec-fetch-site": "cross-site"}))


def test_credentials_are_found() -> None:
    assert bearer_token("bearer abc ") == "abc" and bearer_token("Basic abc") == ""
    assert session_cookie(["x=1; levo_session=abc"], "http") == "abc"
    assert session_cookie(["levo_session=abc"], "https") == ""
