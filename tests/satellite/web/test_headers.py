from __future__ import annotations

import pytest
from starlette.types import Receive, Scope, Send

from levo.satellite.web.headers import SecurityHeaders, names_loopback
from tests.satellite.asgi import call


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"x-frame-options", b"SAMEORIGIN")]}
    )
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("localhost", True),
        ("LOCALHOST:9999", True),
        ("satellite.localhost", True),
        ("127.0.0.1:9999", True),
        ("127.8.8.8", True),
        ("[::1]:9999", True),
        ("::1", True),
        ("", True),
        ("localhost.attacker.example", False),
        ("127.0.0.1.attacker.example", False),
        ("10.0.0.1", False),
        ("[fe80::1]", False),
        ("attacker.example:9999", False),
    ],
)
def test_which_names_are_loopback(host: str, ours: bool) -> None:
    assert names_loopback(host) is ours


def test_only_a_satellite_on_loopback_asks_for_the_name() -> None:
    headers = {"host": "attacker.example"}

    assert call(SecurityHeaders(app, loopback_only=True), "GET", "/", headers=headers).status == 421
    assert call(SecurityHeaders(app, loopback_only=False), "GET", "/", headers=headers).status == 200


@pytest.mark.parametrize(("setting", "address"), [("listen", "0.0.0.0:9999"), ("otlp-http", "0.0.0.0:4318")])
def test_who_asks_by_a_wrong_name_and_who_runs_it_are_told_what_to_set(
    caplog: pytest.LogCaptureFixture, setting: str, address: str
) -> None:
    guarded = SecurityHeaders(app, loopback_only=True, setting=setting)
    detail = call(guarded, "GET", "/", headers={"host": "Satellite.example:80"}).json()["detail"]
    call(guarded, "GET", "/", headers={"host": "not a \x1b[31mname"})

    for told in (detail, *caplog.messages):
        assert "localhost" in told and f"set {setting} to" in told and address in told
    assert caplog.messages[0].startswith("421: asked as satellite.example:80: ")
    assert caplog.messages[1].startswith("421: asked as what is no host name: ")


def test_headers_are_added_and_stricter_ones_of_a_route_kept() -> None:
    answer = call(SecurityHeaders(app, loopback_only=True), "GET", "/")

    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert answer.headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("location", "sent"),
    [
        ("/catalog", "/catalog"),
        ("?said=saved", "?said=saved"),
        ("http://attacker.example/catalog?q=1", "/catalog?q=1"),
        ("https://attacker.example", "/"),
        ("//attacker.example/x", "/x"),
        ("http://a//attacker.example/x", "/attacker.example/x"),
    ],
)
def test_a_redirect_stays_in_the_site_and_repeats_no_host(location: str, sent: str) -> None:
    async def redirect(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"location", location.encode())]
        await send({"type": "http.response.start", "status": 307, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    assert call(SecurityHeaders(redirect, loopback_only=False), "GET", "/").headers["location"] == sent
