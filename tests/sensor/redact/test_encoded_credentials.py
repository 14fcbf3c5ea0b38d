"""Canaries in content, through every coding and encoding of text: none leaves the sensor."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import replace

import brotli
import pytest
import zstandard

from levo.config import Redaction
from levo.config.credentials import FIELDS, HEADERS
from levo.engine.engine import Engine
from levo.engine.exchange.batch import Batch
from levo.model.exchange import Exchange
from levo.sensor.redact.masking import Masking
from tests.engine.exchange.test_redact import exchange
from tests.helpers.conversation import converse, exchanges_as_turns
from tests.helpers.packets import Segment, capture_segments

CANARY = "S3cr3tCanary"

CONTENT: dict[str, tuple[str, Callable[[str], str]]] = {
    "json": ("application/json", lambda name: f'{{"a": 1, "{name}": "{CANARY}"}}'),
    "form": ("application/x-www-form-urlencoded", lambda name: f"{name}={CANARY}&a=1"),
    "xml": ("application/xml", lambda name: f"<r><x:{name} a='b'>{CANARY}</x:{name}><c/></r>"),
    "cdata": ("text/xml", lambda name: f"<r><{name}><![CDATA[<{CANARY}>]]></{name}></r>"),
    "attribute": ("application/soap+xml", lambda name: f'<r a="b" {name} = "{CANARY}"><c/></r>'),
}
MARKS = {"utf-8": b"\xef\xbb\xbf"} | {
    name: "\ufeff".encode(name) for name in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
}
CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def chunked(octets: bytes) -> bytes:
    half = len(octets) // 2 or 1
    pieces = [octets[:half], octets[half:]]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n\r\n"


def outputs(batch: Batch) -> bytes:
    batch.decode(10_000_000)
    Masking(Redaction())(batch)
    return batch.jsonl() + bytes(batch.otlp(b""))


def engine_batch(segments: list[Segment]) -> Batch:
    engine = Engine()
    engine.feed(capture_segments(segments), 1)
    engine.finish()
    return engine.take()


def of(body: bytes, kind: str, **headers: str) -> bytes:
    """Both sides of an exchange carry *body*."""
    lines = (("Content-Type", kind), *((name.replace("_", "-"), value) for name, value in headers.items()))
    given: Exchange = exchange(body, headers=lines, kind=kind)
    assert given.request is not None and given.response is not None
    given = replace(
        given,
        request=replace(given.request, headers=lines, body=body),
        response=replace(given.response, headers=lines, body=body),
    )
    return outputs(Batch.build([given]))


@pytest.mark.parametrize("name", [name for name in FIELDS if name.isascii() and " " not in name])
@pytest.mark.parametrize("form", CONTENT)
def test_fields_in_every_encoding_of_text(form, name):
    kind, write = CONTENT[form]
    for charset, mark in MARKS.items():
        text = write(name).encode(charset)
        for body in (text, mark + text):
            if charset == "utf-8" and form == "form" and body is text:
                assert f"{name}=".encode() in of(body, kind)
            assert CANARY.encode() not in of(body, kind), charset


@pytest.mark.parametrize("content", [None, *CODINGS])
@pytest.mark.parametrize(
    "transfer", ["chunked", "gzip, chunked", "deflate,chunked", "gzip, deflate, chunked", "gzip"]
)
@pytest.mark.parametrize("charset", ["utf-8", "utf-16-le", "utf-32-be"])
def test_transfer_and_content_codings_together(content, transfer, charset):
    """As the wire carries them, both ways."""
    text = (MARKS[charset] if charset != "utf-8" else b"") + CONTENT["json"][1]("password").encode(charset)
    body, head = text, b"Content-Type: application/json\r\n"
    if content:
        body = CODINGS[content](body)
        head += b"Content-Encoding: %s\r\n" % content.encode()
    for name in transfer.replace(" ", "").split(","):
        body = chunked(body) if name == "chunked" else CODINGS[name](body)
    head += b"Transfer-Encoding: %s\r\n\r\n" % transfer.encode()
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    if transfer.endswith("chunked"):
        request = b"POST / HTTP/1.1\r\nHost: a\r\n" + head + body
    segments = converse(exchanges_as_turns([(request, b"HTTP/1.1 200 OK\r\n" + head + body)]))
    batch = engine_batch(segments)
    seen = outputs(batch)

    assert CANARY.encode() not in seen
    assert b'\\"password\\": \\"' in seen
    (given,) = batch.exchanges()
    assert given.response is not None and given.response.anomalies == ()


@pytest.mark.parametrize("order", ["chunked, gzip", "chunked,deflate"])
def test_chunks_inside_another_coding_up_to_the_close(order):
    """RFC 9112 section 6.3: chunked is not the last coding, so the content goes on to the close."""
    text = CONTENT["json"][1]("password").encode()
    body = CODINGS[order.replace(" ", "").split(",")[1]](chunked(text))
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: %s\r\n\r\n"
    segments = converse([(True, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), (False, head % order.encode() + body)])
    seen = outputs(engine_batch(segments))

    assert CANARY.encode() not in seen
    assert b'\\"password\\": \\"' in seen


@pytest.mark.parametrize(
    "kind", ["message/http", "application/http; msgtype=request", "multipart/mixed; boundary=b", ""]
)
@pytest.mark.parametrize("name", [n for n in HEADERS if n != "sec-websocket-protocol"])
def test_heads_inside_content(kind, name):
    value = f"a={CANARY}" if "cookie" in name else CANARY
    lines = (
        f"POST /c?access_token={CANARY} HTTP/1.1\r\nHost: a\r\n{name}: {value}\r\n\t{CANARY}\r\n\r\n{{}}\r\n"
    )
    if kind.startswith("multipart"):
        lines = f"--b\r\nContent-Type: application/http\r\n\r\n{lines}--b--\r\n"

    for charset in ("utf-8", "utf-16-le"):
        mark = b"" if charset == "utf-8" else MARKS[charset]
        assert CANARY.encode() not in of(mark + lines.encode(charset), kind), charset


@pytest.mark.parametrize("url", ["postgres://u:{}@db/x", "https:\\/\\/u:{}@h\\/", "amqp://{}@h"])
def test_users_of_urls_in_content(url):
    body = f'{{"dsn": "{url.format(CANARY)}", "mail": "a@b.example"}}'.encode()

    seen = of(body, "application/json")
    assert CANARY.encode() not in seen
    assert b"a@b.example" in seen


@pytest.mark.parametrize("name", ["password", "apiKey", "Authorization", "X-Api-Key", "client_secret"])
@pytest.mark.parametrize(
    "pair",
    [
        '{{"name": "{0}", "value": "{1}"}}',
        '{{"value":"{1}","name":"{0}"}}',
        '[{{"name":"a","value":"b"}},{{"Key" : "{0}", "Value" : "{1}"}}]',
        '{{"env": [{{"key": "{0}", "type": "x", "value": ["{1}"]}}]}}',
    ],
)
def test_pairs_of_name_and_value(pair, name):
    """Lists of environment variables, header fields in HAR, form fields."""
    text = pair.format(name, CANARY)

    assert CANARY.encode() not in of(text.encode(), "application/json")
    nested = json.dumps({"inside": text}).encode()
    assert CANARY.encode() not in of(nested, "application/json")


def test_a_value_beside_another_name_stays():
    body = b'[{"name":"color","value":"red"},{"name":"password","valued":"x"},{"value":"blue"}]'

    seen = of(body, "application/json")
    assert b"red" in seen and b"blue" in seen
