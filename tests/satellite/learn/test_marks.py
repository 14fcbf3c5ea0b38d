from __future__ import annotations

import msgspec
import pytest

from levo.satellite.learn.marks import (
    ANY_ORIGIN,
    DATABASE,
    LISTING,
    MARKS,
    NO_HTTP_ONLY,
    NO_SAME_SITE,
    NO_SECURE,
    NULL_ORIGIN,
    STACK,
    VERSION,
    marks_of,
)
from levo.satellite.learn.trace import Fields, Origin, Trace

PLAIN = Trace(Origin("a", "p", "s", ""), "shop.example", "GET", "/users", 200, 1.0, 1, 2, scheme="http")
change = msgspec.structs.replace


def marked(*headers: tuple[str, str], scheme: str = "http") -> set[str]:
    return set(marks_of(change(PLAIN, response_headers=headers, scheme=scheme)))


def body(octets: bytes, status: int = 500, **more: object) -> tuple[str, ...]:
    return marks_of(change(PLAIN, response_body=octets, status=status, **more))


@pytest.mark.parametrize(
    ("origin", "credentials", "found"),
    [("*", "true", {ANY_ORIGIN}), ("null", "true", {NULL_ORIGIN}), ("https://a.example", "true", set()),
     ("*", "false", set()), ("null", "", set())],
)  # fmt: skip
def test_origins_that_may_read_answers_with_credentials(
    origin: str, credentials: str, found: set[str]
) -> None:
    headers: Fields = (
        ("access-control-allow-origin", origin),
        ("access-control-allow-credentials", credentials),
    )

    assert marked(*headers) == marked(*reversed(headers)) == found
    assert marked(headers[0]) == marked(headers[1]) == set()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("session=abc; Path=/", {NO_HTTP_ONLY, NO_SAME_SITE}),
        ("session=abc; HttpOnly; samesite=Lax", set()),
        ("session=abc; HTTPONLY", {NO_SAME_SITE}),
        ("sessionid=abc; Path=/httponly; SameSite=None", {NO_HTTP_ONLY}),
        ("theme=dark", set()),
        ("session=; Path=/", set()),
        ('session=""; Path=/', set()),
        ("session=abc; Max-Age=0", set()),
        ("session=abc; expires=Thu, 01 Jan 1970 00:00:00 GMT", set()),
        ("session=abc; expires=Thu, 01 Jan 2099 00:00:00 GMT; SameSite=Lax; HttpOnly", set()),
        ("session=abc; max-age=3600; SameSite=Lax", {NO_HTTP_ONLY}),
        ("csrf_token=abc; SameSite=Lax", set()),
        ("session", set()),
        ("", set()),
    ],
)
def test_cookies_of_sessions_miss_attributes(line: str, found: set[str]) -> None:
    assert marked(("set-cookie", line)) == found


def test_secure_is_asked_for_over_https_only() -> None:
    line = ("set-cookie", "session=abc; HttpOnly; SameSite=Lax")

    assert marked(line, scheme="https") == {NO_SECURE}
    assert marked(("set-cookie", f"{line[1]}; Secure"), scheme="https") == set()


@pytest.mark.parametrize(
    ("value", "found"), [("nginx/1.18.0", {VERSION}), ("nginx", set()), ("Python/3", set())]
)
def test_a_version_is_told_by_a_number_with_a_dot(value: str, found: set[str]) -> None:
    assert marked(("server", value), ("x-powered-by", value)) == found
    assert marked(("x-other", value)) == set()


@pytest.mark.parametrize(
    ("octets", "found"),
    [
        (b"Traceback (most recent call last):\n", STACK),
        (b'{"error": "at com.acme.User.get(User.java:42)"}', STACK),
        (b"    at main (/srv/app/index.js:10:5)", STACK),
        (b"in /srv/Shop.cs:line 17", STACK),
        (b"panic: x\n\ngoroutine 1 [running]:", STACK),
        (b"ORA-00933: SQL command not properly ended", DATABASE),
        (b"SQLSTATE[42000]: Syntax error", DATABASE),
        (b"You have an error in your SQL syntax; check", DATABASE),
        (b"select a table at the restaurant (Java: 42)", ""),
        (b"SQL is a language", ""),
    ],
)
def test_what_only_errors_of_programs_say(octets: bytes, found: str) -> None:
    assert body(octets) == ((found,) if found else ())
    assert body(octets, 200) == ()


@pytest.mark.parametrize(
    "sent",
    [
        {"query": "q=ORA-00933%3A%20x"},
        {"query": "q=ORA-00933%3A+x"},
        {"path": "/ORA-00933: x"},
        {"request_body": b"ORA-00933: x"},
        {"request_headers": (("user-agent", "ORA-00933: x"),)},
    ],
)
def test_what_the_request_sent_is_not_the_servers_word(sent: dict[str, object]) -> None:
    assert body(b"no page ORA-00933: x") == (DATABASE,)
    assert body(b"no page ORA-00933: x", **sent) == ()


def test_listings_are_pages_that_succeeded() -> None:
    page = b"<!DOCTYPE html><html><head><title>Index of /pub/</title>"

    assert body(page, 200) == (LISTING,)
    assert body(page, 404) == body(b"Index of /pub/", 200) == ()
    assert body(b"<title>Index of our goods</title>", 200) == ()


def test_no_traffic_makes_other_marks_and_large_bodies_cost_no_more() -> None:
    octets = b"<" + b"at a" * 2_000_000
    found = body(octets)

    assert set(found) <= set(MARKS)
