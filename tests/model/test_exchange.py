"""``levo.model.exchange``: decoding rules, sizes, the JSON form."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.engine.exchange.batch import Batch
from levo.model.exchange import Exchange, Message, Request, body_text_of, text_of
from tests.helpers.exchanges import examples, exchanges, simple_exchange


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        pytest.param(b"plain", "plain", id="ascii"),
        pytest.param("grün €".encode(), "grün €", id="utf-8"),
        pytest.param(b"gr\xfcn", "grün", id="latin-1"),
        pytest.param(b"\xed\xa0\x80", "\xed\xa0\x80", id="surrogate is no utf-8"),
        pytest.param(b"\xc0\xaf", "\xc0\xaf", id="overlong is no utf-8"),
    ],
)
def test_octets_become_text_by_the_one_rule(octets, text):
    assert text_of(octets) == text


@pytest.mark.parametrize(
    ("body", "cut", "text"),
    [
        pytest.param(b'{"a": 1}\r\n', False, '{"a": 1}\r\n', id="json"),
        pytest.param(b"\x1b[31mred", False, "\x1b[31mred", id="escape sequences"),
        pytest.param(b"\x00\x00\x00\x00\x05hello", False, None, id="grpc frame"),
        pytest.param(b"gr\xfcn", False, None, id="latin-1 is binary"),
        pytest.param("grü".encode()[:-1], False, None, id="half a character"),
        pytest.param("grü".encode()[:-1], True, "gr", id="half a character where the body was cut"),
        pytest.param(b"gr\xfc\xfc", True, None, id="cut elsewhere"),
        pytest.param(b"", False, "", id="empty"),
    ],
)
def test_bodies_are_text_or_binary(body, cut, text):
    assert body_text_of(body, cut) == text


def test_sizes_that_are_not_given_follow_from_the_body():
    assert Message(body=b"abc", missing_bytes=4).wire_body_size == 7
    assert Message(body=b"abc", missing_bytes=4).body_size == 7
    assert Message(body=b"abcdef", wire_body_size=3, decoded=True).body_size == 6


def test_headers_are_found_in_any_case():
    message = Message(headers=(("Content-TYPE", "a"), ("content-type", "b")))

    assert (message.header("Content-Type"), message.header("accept")) == ("a", None)


def test_captured_content_is_not_in_the_repr():
    """Style guide, principle 12."""
    value = simple_exchange(
        request=Request(
            target="/s3cret?s3cret", path="/s3cret", headers=(("cookie", "s3cret"),), body=b"s3cret"
        )
    )

    assert "s3cret" not in repr(value)


@examples(50)
@given(exchanges())
def test_the_json_form_survives_its_own_text(value):
    (value,) = Batch.build([value]).exchanges()

    line = json.loads(json.dumps(value.to_json()))

    assert Exchange.from_json(line).to_json() == value.to_json()


@examples(100)
@given(st.binary())
def test_a_binary_body_survives_the_json_form(body):
    value = simple_exchange(request=Request(body=body))

    assert Exchange.from_json(value.to_json()).request.body == body
