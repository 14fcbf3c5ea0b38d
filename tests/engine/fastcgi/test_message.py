"""Parameters and heads of CGI as HTTP messages: what is a field, what is left out, and any octets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.effort import scaled
from tests.helpers.engine_runs import run_frames
from tests.helpers.fastcgi import BEGIN, PARAMS, STDIN, answered, asked, pair, parameters, record
from tests.helpers.websocket import conversation_frames

FRONT = record(BEGIN, b"\0\1\1" + bytes(5))
BACK = record(PARAMS, b"") + record(STDIN, b"")


def exchanges(octets: bytes, output: bytes = b"\r\n") -> list[Any]:
    return run_frames(conversation_frames([(True, octets), (False, answered(output))])).exchanges


def fields(**given: str) -> list[list[str]]:
    (found,) = exchanges(asked(parameters("/") | given))
    headers: list[list[str]] = found["request"]["headers"]
    return headers[1:]


def test_a_parameter_of_the_request_is_a_field_and_one_of_the_server_is_not():
    assert fields(HTTP_X_REQUEST_ID="7", PHP_AUTH_PW="canary", REMOTE_USER="me", CONTENT_LENGTH="") == [
        ["x-request-id", "7"]
    ]


def test_names_and_values_of_any_length():
    assert fields(**{"HTTP_" + "A" * 200: "v" * 1000, "HTTP_": "none", "HTTP_E": ""}) == [
        ["a" * 200, "v" * 1000],
        ["e", ""],
    ]


@pytest.mark.parametrize(
    ("told", "version"), [("HTTP/1.0", "1.0"), ("HTTP/2.0", "2"), ("INCLUDED", "1.1"), ("HTTP/11", "1.1")]
)
def test_the_version_is_the_one_that_the_client_spoke(told, version):
    (found,) = exchanges(asked(parameters("/", SERVER_PROTOCOL=told)))

    assert found["request"]["version"] == version


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_of_parameters_that_are_cut_those_that_are_whole_count(cut):
    named = pair(b"REQUEST_METHOD", b"GET") + pair(b"REQUEST_URI", b"/x") + pair(b"HTTP_A", b"b" * 40)
    found = exchanges(FRONT + record(PARAMS, named[: len(named) - cut]) + BACK)

    whole = cut == 0
    assert [x["request"]["target"] for x in found] == ["/x"] * (cut < 49)
    assert [x["request"]["headers"] for x in found] == [[["a", "b" * 40]] if whole else []] * (cut < 49)


@settings(max_examples=scaled(500))
@given(st.binary(max_size=200), st.binary(max_size=80))
def test_any_octets_are_read_without_harm(octets, output):
    named = pair(b"REQUEST_METHOD", b"GET") + pair(b"REQUEST_URI", b"/x")
    (found,) = exchanges(FRONT + record(PARAMS, named + octets) + BACK, output)

    assert found["request"] is not None
