"""Canaries in the headers, parameters and fields that common systems use: none leaves the sensor."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import pytest

from levo.config import Redaction
from levo.config.credentials import FIELDS, HEADERS
from levo.engine.exchange.batch import Batch
from levo.model.exchange import Exchange
from levo.sensor.redact.masking import Masking
from tests.engine.exchange.test_redact import exchange

CANARY = "S3cr3tCanary"


def outputs(given: Exchange, rules: Redaction | None = None) -> bytes:
    batch = Batch.build([given])
    Masking(rules or Redaction())(batch)
    return batch.jsonl() + bytes(batch.otlp(b""))


def body(given: Exchange) -> bytes:
    batch = Batch.build([given])
    Masking(Redaction())(batch)
    (found,) = batch.exchanges()
    assert found.request is not None
    return bytes(found.request.body)


@pytest.mark.parametrize("name", [name for name in HEADERS if name != "sec-websocket-protocol"])
def test_header_fields(name: str) -> None:
    for spelled in (name, name.title(), name.upper(), f"{name} "):
        lines = ((spelled, f"a={CANARY}" if "cookie" in name else CANARY),)
        assert CANARY.encode() not in outputs(exchange(headers=lines, trailers=lines))
        answered = exchange()
        assert answered.response is not None
        answered = replace(answered, response=replace(answered.response, headers=lines, trailers=lines))
        assert CANARY.encode() not in outputs(answered)


@pytest.mark.parametrize(
    "name",
    [
        "accessToken",
        "access-token",
        "ClientSecret",
        "confirmPassword",
        "apiKey",
        "X_Auth_Token",
        "refreshToken",
    ],
)
def test_members_and_parameters_in_every_convention(name: str) -> None:
    assert CANARY.encode() not in outputs(exchange(f'{{"a":1,"{name}":"{CANARY}"}}'.encode()))
    assert CANARY.encode() not in outputs(exchange(target=f"/p?{name}={CANARY}"))


@pytest.mark.parametrize("name", ["X_Auth_Token", "x_api_key", "X-User-Token", "Api_Key"])
def test_header_fields_in_every_convention(name: str) -> None:
    assert CANARY.encode() not in outputs(exchange(headers=((name, CANARY),)))


@pytest.mark.parametrize("name", FIELDS)
def test_parameters_and_members(name: str) -> None:
    first = f"%{ord(name[0]):02x}{name[1:]}"
    last = f"{name[:-1]}%{ord(name[-1]):02X}"
    for spelled in (name, name.upper(), first, last):
        assert CANARY.encode() not in outputs(exchange(target=f"/p?a=1&{spelled}={CANARY}&b=2"))
        form = f"a=1&{spelled}={CANARY}".encode()
        assert CANARY.encode() not in outputs(exchange(form, kind="application/x-www-form-urlencoded"))
    escaped = f"{name[:-1]}\\u{ord(name[-1]):04x}"
    for spelled in (name, name.upper(), escaped):
        for text in (
            f'{{"{spelled}":"{CANARY}"}}',
            f'{{"a":[{{"b":{{"{spelled}" : "{CANARY}"}}}}]}}',
            json.dumps({"nested": f'{{"{name}":"{CANARY}"}}'}),
            f'{{"variables":{{"{spelled}":"{CANARY}"}}}}',
        ):
            assert CANARY.encode() not in outputs(exchange(text.encode()))
    part = f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{CANARY}\r\n--b--\r\n'
    assert CANARY.encode() not in outputs(exchange(part.encode(), kind="multipart/form-data; boundary=b"))


@pytest.mark.parametrize(
    ("headers", "target"),
    [
        ((("Location", f"http://u:{CANARY}@h/"),), "/"),
        ((("Location", f"/cb?code={CANARY}&state=1"),), "/"),
        ((("Location", f"https://h/cb#access_token={CANARY}"),), "/"),
        ((("Referer", f"http://h/?access_token={CANARY}"),), "/"),
        ((("X-Original-Url", f"/?token={CANARY}"),), "/"),
        ((("Host", f"user:{CANARY}@h"),), "/"),
        ((("Link", f"<https://h/?page=2&api_key={CANARY}>; rel=next"),), "/"),
        ((("Sec-WebSocket-Protocol", f"bearer, {CANARY}"),), "/"),
        ((("Sec-WebSocket-Protocol", f"graphql-ws, base64.bearer.authorization, {CANARY}"),), "/"),
        ((), f"http://user:{CANARY}@h/p"),
        ((), f"http://h/p?api_key={CANARY}"),
        ((), f"/cb?code={CANARY}&state=x"),
        ((), f"/maps?key={CANARY}"),
    ],
)
def test_urls(headers: tuple[tuple[str, str], ...], target: str) -> None:
    assert CANARY.encode() not in outputs(exchange(headers=headers, target=target))


def test_a_token_request_hides_its_code_and_another_code_stays() -> None:
    form = "application/x-www-form-urlencoded"
    assert body(exchange(b"grant_type=authorization_code&code=abc", kind=form)).endswith(b"code=***")
    assert body(exchange(b"code=abc", kind=form)) == b"code=abc"


def test_what_is_no_credential_stays() -> None:
    given = b'{"id":"a","user_id":"b","key":"c","code":"d","passwordless":"e","nonce":"f","tokens_left":3}'
    assert body(exchange(given)) == given
    lines = (("WWW-Authenticate", 'Digest nonce="abc"'), ("Sec-WebSocket-Protocol", "graphql-ws, chat"))
    assert b"graphql-ws, chat" in outputs(exchange(headers=lines)) and b"abc" in outputs(
        exchange(headers=lines)
    )


def test_names_and_types_inside_stay_for_the_schema() -> None:
    given = b'{"token":{"value":"abc","ok":true,"at":12,"none":null,"list":["x"]},"password":false}'
    left = b'{"token":{"value":"***","ok":true,"at":11,"none":null,"list":["*"]},"password":false}'
    assert body(exchange(given)) == left


def test_each_default_can_be_kept() -> None:
    for name in (*HEADERS, *FIELDS):
        given = exchange(f'{{"{name}":"{CANARY}"}}'.encode(), headers=((name, f"Basic {CANARY}, {CANARY}"),))
        assert CANARY.encode() in outputs(given, Redaction(keep=(name,)))


def test_what_a_cut_coding_still_gives_is_masked() -> None:
    noise = [f"{number * 2654435761 % 2**32:08x}" for number in range(2000)]
    coded = gzip.compress(json.dumps({"a": 1, "password": CANARY, "list": noise}).encode())
    given = exchange(coded[: len(coded) // 2], headers=(("Content-Encoding", "gzip"),))

    left = body(given)

    assert left.startswith(b'{"a": 1, "password": "************", "list": ["00000000"')
    assert CANARY.encode() not in outputs(given)


def test_a_body_that_cannot_be_decoded_stays_without_fields_or_patterns() -> None:
    coded = bytes(range(200, 256)) * 3
    for coding, octets in (("x-own", coded), ("gzip", b"\x1f\x8b\x08\x00" + coded)):
        assert body(exchange(octets, headers=(("Content-Encoding", coding),))) == octets
    labeled = exchange(f'{{"password":"{CANARY}"}}'.encode(), headers=(("Content-Encoding", "x-own"),))
    assert CANARY.encode() not in outputs(labeled)
