"""Forms: what is read, what is refused."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from levo.satellite.access import Identity
from levo.satellite.access.auth import Role
from levo.satellite.web.forms import Form, back, field, form_route, html_or_json
from levo.satellite.web.json_body import JsonResponse
from levo.satellite.web.problems import on_http_exception
from tests.satellite.asgi import call
from tests.satellite.running import Answer

URLENCODED = "application/x-www-form-urlencoded"
NOT_TEXT = b'--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n\xff\r\n--x--'
EDITOR = Identity("anna", Role.named("editor"), "the-token", "a-session", login_required=True)


def echo(request: Request, identity: Identity, form: Form) -> Response:
    return html_or_json(request, JsonResponse({"page": identity.name}), form)


def app(identity: Identity | None = None) -> ASGIApp:
    """A form for editors, bounded to 200 octets, asked by *identity*."""
    site = Starlette(
        routes=[form_route("/form", echo, role="editor", max_bytes=200)],
        exception_handlers={HTTPException: on_http_exception},
    )

    async def identified(scope: Scope, receive: Receive, send: Send) -> None:
        if identity is not None:
            scope["levo.identity"] = identity
        await site(scope, receive, send)

    return identified


def post(body: bytes, kind: str = URLENCODED, identity: Identity | None = None, **more: str) -> Answer:
    headers = {"content-type": kind, "accept": "application/json", **more}
    return call(app(identity), "POST", "/form", body, headers)


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=4), st.text(max_size=8), max_size=3))
def test_what_was_filled_in_arrives_without_nul(fields: dict[str, str]) -> None:
    sent = urlencode(fields).encode()
    if len(sent) <= 200:
        assert post(sent).json() == {name: text.replace("\0", "") for name, text in fields.items()}


def test_of_repeated_fields_the_last_counts() -> None:
    assert post(b"a=1&a=2&b=").json() == {"a": "2", "b": ""}


def test_a_form_with_a_file_is_text() -> None:
    body = (
        b'--x\r\ncontent-disposition: form-data; name="document"; filename="a.yaml"\r\n\r\nopenapi: 3\r\n'
        b'--x\r\ncontent-disposition: form-data; name="next"\r\n\r\n/a\r\n--x--\r\n'
    )

    assert post(body, "multipart/form-data; boundary=x").json() == {"document": "openapi: 3", "next": "/a"}


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"a": 1}', "application/json", 400),
        (b"a=\xff", URLENCODED, 400),
        (b"&".join(b"a=" for _ in range(51)), URLENCODED, 400),
        (b"x", "text/plain", 415),
        (b"x", "multipart/form-data", 400),
        (
            b'--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n\xff\r\n--x--',
            "multipart/form-data; boundary=x",
            400,
        ),
        (b"a=" + b"x" * 199, URLENCODED, 413),
    ],
)
def test_what_is_no_form_is_refused(body: bytes, kind: str, status: int) -> None:
    assert post(body, kind).status == status


def test_a_form_brings_the_token_of_its_session_back_and_it_goes_no_further() -> None:
    assert post(b"form_token=the-token&a=1", identity=EDITOR).json() == {"a": "1"}
    assert post(b"a=1", identity=EDITOR, **{"x-form-token": "the-token"}).json() == {"a": "1"}
    for wrong in (b"a=1", b"form_token=&a=1", b"form_token=the-toke&a=1", b"form_token=%ff"):
        assert post(wrong, identity=EDITOR).status == 403


def test_a_lesser_role_is_refused_before_the_form_is_read() -> None:
    viewer = Identity("vera", Role.named("viewer"), "the-token")

    assert post(b"\xff" * 999, "text/plain", viewer).status == 403


def test_scripts_get_json_and_people_the_page() -> None:
    people = call(app(), "POST", "/form", b"a=1", {"content-type": URLENCODED, "accept": "text/html"})

    assert people.json() == {"page": "local"}
    assert post(b'{"a": "1"}', "application/json", accept="*/*").json() == {"a": "1"}


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("", "/catalog?said=saved"),
        ("/catalog?q=a", "/catalog?q=a&said=saved"),
        ("//evil.example", "/?said=saved"),
        ("https://evil.example/", "/?said=saved"),
    ],
)
def test_a_form_leads_back_within_the_site(target: str, location: str) -> None:
    assert back({"next": target}, "/catalog", "saved").headers["location"] == location


def test_fields_are_trimmed_and_bounded() -> None:
    assert field({"a": "  b  "}, "a", 1) == "b"
    assert field({}, "a", 1, required=False) == ""
    for form in ({}, {"a": "  "}, {"a": "bc"}):
        with pytest.raises(HTTPException) as refused:
            field(form, "a", 1)
        assert refused.value.status_code == 400 and refused.value.detail.startswith("a: ")
