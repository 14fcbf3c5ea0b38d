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
