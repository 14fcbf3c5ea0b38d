"""Bodies of each media type as values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.learn.schema.body import (
    MAX_CELLS,
    MAX_ESCAPES,
    MAX_FIELDS,
    Body,
    Unreadable,
    media_type,
    observe_body,
    read_body,
)
from levo.satellite.learn.schema.text import BINARY

MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n\x89PNG\r\n'
    b'--b\r\nContent-Disposition: form-data; name="title"\r\n\r\nHello\r\n--b--\r\n'
)


@pytest.mark.parametrize(
    ("content_type", "octets", "value"),
    [
        ("application/json", b'{"a": [1]}', {"a": [1]}),
        ("application/problem+json; charset=utf-8", b'{"a": 1}', {"a": 1}),
        (
            "application/x-www-form-urlencoded",
            b"a=1&b=x&b=y&c[]=1",
            {"a": "1", "b": ["x", "y"], "c[]": ["1"]},
        ),
        ("application/x-www-form-urlencoded", b'{"a": [1]}\n', {"a": [1]}),
        ("application/x-www-form-urlencoded", b"{x}=1&y={}", {"{x}": "1", "y": "{}"}),
        ("application/x-www-form-urlencoded", b"{no json}", {}),
        ("multipart/form-data; boundary=b", MULTIPART, {"file": BINARY, "title": "Hello"}),
        ("application/xml", b'<s a="1"><i>1</i><i>2</i></s>', {"s": {"@a": "1", "i": ["1", "2"]}}),
        ("application/x-ndjson", b'{"a":1}\n{"a":2}\n', [{"a": 1}, {"a": 2}]),
        ("text/csv", b"a,b\n1,x\n", [{"a": "1", "b": "x"}]),
        ("text/plain", b"ok", "ok"),
        ("image/png", b"\x89PNG", BINARY),
    ],
)
def test_each_media_type(content_type: str, octets: bytes, value: Any) -> None:
    assert read_body(media_type(content_type), content_type, octets) == value


def test_entities_are_refused() -> None:
    with pytest.raises(Unreadable):
        read_body("text/xml", "text/xml", b'<!DOCTYPE d [<!ENTITY a "aa">]><d>&a;</d>')


@pytest.mark.parametrize(
    ("content_type", "octets"),
    [
        ("text/csv", b"a," * MAX_FIELDS + b"a"),
        ("application/x-www-form-urlencoded", b"a=" + b"%" * (MAX_ESCAPES + 1)),
        ("multipart/form-data; boundary=b", MULTIPART.replace(b"form-data", b"form-data" + b";a=b" * 3000)),
    ],
)
def test_what_would_cost_much_more_than_its_octets_is_not_read(content_type: str, octets: bytes) -> None:
    body = Body()

    assert not observe_body(body, media_type(content_type), content_type, octets, ())
    assert body.seen == 1


def test_of_a_wide_table_some_rows_are_read() -> None:
    row = ",".join(["1"] * MAX_FIELDS)
    rows = read_body("text/csv", "text/csv", "\n".join([row] * 100).encode())

    assert len(rows) == MAX_CELLS // MAX_FIELDS


@given(
    st.binary(max_size=200),
    st.sampled_from(
        ["application/json", "text/xml", "multipart/form-data; boundary=b", "text/csv", "text/plain"]
    ),
)
def test_any_octets_are_counted_and_none_raises(octets: bytes, content_type: str) -> None:
    body = Body()
    read = observe_body(body, media_type(content_type), content_type, octets, ())

    assert (body.seen, body.learned) == (1, int(read))


def test_values_in_the_place_of_a_media_type_are_not_kept() -> None:
    assert media_type("application/kX9aQ2bT7cR4dW1eZZ") == "" == media_type("no type")


@pytest.mark.parametrize(
    ("charset", "octets"),
    [
        ("", '\ufeff{"name": "Zo\u00eb"}'.encode()),
        ("; charset=ISO-8859-1", '{"name": "Zo\u00eb"}'.encode("latin-1")),
        ('; charset="windows-1252"', '{"name": "Zo\u00eb"}'.encode("cp1252")),
        (";charset=utf-16le", '{"name": "Zo\u00eb"}'.encode("utf-16-le")),
        ("", '{"name": "Zo\u00eb"}'.encode("utf-16")),
        ("", '{"name": "Zo\u00eb"}'.encode("utf-32")),
    ],
)
def test_text_is_read_in_its_charset(charset: str, octets: bytes) -> None:
    assert read_body("application/json", f"application/json{charset}", octets) == {"name": "Zo\u00eb"}


def test_chinese_text_in_gbk_is_read() -> None:
    octets = '{"name": "\u4f60\u597d"}'.encode("gbk")

    assert read_body("application/json", "application/json;charset=GBK", octets) == {"name": "\u4f60\u597d"}


@pytest.mark.parametrize(
    "charset", ["", "; charset=zlib", "; charset=rot13", "; charset=utf-16", "; charset=gb-nothing"]
)
def test_octets_of_no_known_charset_are_unreadable(charset: str) -> None:
    with pytest.raises(Unreadable):
        read_body("application/json", f"application/json{charset}", b'{"a": "\xff\xff"}x')
