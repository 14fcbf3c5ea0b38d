"""Items saved by Burp Suite."""

from __future__ import annotations

import base64
import gzip
from xml.sax.saxutils import escape

import pytest

from levo.satellite.learn import Trace
from levo.satellite.learn.har import HarReport, read_har
from levo.satellite.learn.recordings import burp_entries
from levo.satellite.learn.trace import Origin

DTD = "<!DOCTYPE items [<!ELEMENT items (item*)><!ATTLIST items burpVersion CDATA ''>]>"
SENT = b'POST /users?a=1 HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/json\r\n\r\n{"name": 1}'
RECEIVED = b'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\r\n{"id": 7}'


def item(sent: bytes = SENT, received: bytes = RECEIVED, *, packed: bool = True) -> str:
    def written(name: str, octets: bytes) -> str:
        text = base64.b64encode(octets).decode() if packed else escape(octets.decode())
        return f'<{name} base64="{str(packed).lower()}">{text}</{name}>'

    return (
        "<item><time>Fri May 17 09:30:00 CEST 2024</time><url><![CDATA[https://shop.example/users?a=1]]></url>"
        '<host ip="192.0.2.1">shop.example</host><port>443</port><protocol>https</protocol>'
        "<method><![CDATA[POST]]></method><path><![CDATA[/users?a=1]]></path><extension>null</extension>"
        f"{written('request', sent)}<status>201</status><mimetype>JSON</mimetype>"
        f"{written('response', received)}<comment></comment></item>"
    )


def read(*items: str) -> tuple[list[Trace], HarReport]:
    text = f'<?xml version="1.0"?>{DTD}<items burpVersion="2024.3">{"".join(items)}</items>'
    report = HarReport()
    entries = list(burp_entries(text.encode()))
    return list(read_har({"log": {"entries": entries}}, Origin("o", "e", "a", ""), report)), report


@pytest.mark.parametrize("packed", [True, False])
def test_an_item(packed: bool) -> None:
    traces, report = read(item(packed=packed), item(packed=packed))
    trace = traces[1]

    assert (trace.method, trace.host, trace.path, trace.query) == ("POST", "shop.example", "/users", "a=1")
    assert (trace.status, trace.request_body, trace.response_body) == (201, b'{"name": 1}', b'{"id": 7}')
    assert trace.scheme == "https" and trace.start_ns == 1_715_938_200_000_000_000
    assert report.used == 2 and not list(report.lines())


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"Transfer-Encoding: chunked", b'4\r\n{"id\r\n5;x=y\r\n": 7}\r\n0\r\n\r\n'),
        (b"Transfer-Encoding: chunked", b'{"id": 7}'),
        (b"Content-Encoding: gzip", gzip.compress(b'{"id": 7}', mtime=0)),
        (b"Content-Encoding: gzip", b'{"id": 7}'),
    ],
)
def test_codings_are_undone_where_burp_left_them(head: bytes, body: bytes) -> None:
    (trace,), _ = read(
        item(received=b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + head + b"\r\n\r\n" + body)
    )

    assert trace.response_body == b'{"id": 7}'


@pytest.mark.parametrize("text", ["a\u0085b", "\u2026b", "\u00e0", "a\x0bb\x1cc"])
def test_octets_within_a_field_end_no_line(text: str) -> None:
    """As 0x85 of UTF-8, which is a line end of Unicode, and 0xA0, which is its white space."""
    head = f"HTTP/1.1 200 OK\r\nX-Before: \t{text} \r\nContent-Type: application/json\r\n\r\n".encode()
    packed = item(received=head + b'{"id": 7}')
    (found,) = burp_entries(f"<items>{packed}</items>".encode())

    assert [(each["name"], each["value"].encode("latin-1")) for each in found["response"]["headers"]] == [
        ("X-Before", text.encode()),
        ("Content-Type", b"application/json"),
    ]
    assert base64.b64decode(found["response"]["content"]["text"]) == b'{"id": 7}'


def test_an_item_without_response_is_counted() -> None:
    traces, report = read(item(received=b""))

    assert [each.status for each in traces] == [0]
    assert [*report.lines()] == ["1 entry with no response"]


@pytest.mark.parametrize(
    "text",
    [
        "<items><item>",
        '<!DOCTYPE items [<!ENTITY a "b">]><items/>',
        "no XML",
    ],
)
def test_what_is_no_such_file(text: str) -> None:
    with pytest.raises(ValueError, match=r"not XML|entities"):
        list(burp_entries(text.encode()))


@pytest.mark.parametrize("sent", [b"", b"x", b"\xff\xfe\x00", b"GET"])
def test_strange_messages_never_fail(sent: bytes) -> None:
    assert len(read(item(sent, sent))[0]) == 1
