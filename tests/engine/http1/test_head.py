"""Heads as they occur: what lenient receivers make of broken lines (RFC 9112 sections 2.2, 4, 5)."""

from __future__ import annotations

import pytest

from tests.engine.http1.test_parser import REQUEST, one
from tests.helpers.engine_runs import run_frames
from tests.helpers.websocket import conversation_frames


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"HTTP/1.1 200 OK", 200),
        (b"HTTP/1.1 200", 200),
        (b"HTTP/1.1", 0),
        (b"HTTP/1.10 204 x", 204),
        (b"HTTP/1.1\x0b404\x0bgone", 404),
        (b"HTTP/1.1 0200 OK", 200),
        (b"http/1.0 503 low", 503),
    ],
)
def test_status_lines(line, status):
    """Servers send these and browsers read them; a status that was not sent is 0."""
    assert one(line + b"\r\nConnection: close\r\n\r\nbody")["response"]["status"] == status


@pytest.mark.parametrize(
    "text",
    [
        *("999 Denied", "600 OK", "099", "99 low", "2 OK", "2XX OK", "1000 OK", "20000 OK", "65736 OK"),
        *("0", "-200 OK", "+200", "OK", "two hundred", "20O OK", "\u0662\u0660\u0660"),
    ],
)
def test_what_is_no_status_code_is_a_finding_and_kept_as_the_reason(text):
    """RFC 9110 section 15: codes are 100 to 599. The exchange stays, its content too."""
    response = one(b"HTTP/1.1 " + text.encode() + b"\r\nContent-Length: 4\r\n\r\nbody")["response"]

    assert (response["status"], response["reason"]) == (0, text)
    assert (response["anomalies"], response["body"]) == (["bad_status"], "body")


@pytest.mark.parametrize("code", [100, 101, 204, 304, 599])
def test_the_whole_range_of_status_codes_is_no_finding(code):
    turns = [(True, REQUEST), (False, b"HTTP/1.1 %d x\r\nConnection: close\r\n\r\n" % code)]
    (exchange,) = run_frames(conversation_frames(turns)).exchanges

    assert "anomalies" not in (exchange["response"] or {})


@pytest.mark.parametrize(
    "head",
    [
        b"X-A: 1\r\nX-B: 2\r\n\r\n",
        b"X-A: 1\nX-B: 2\n\n",
        b"X-A: 1\rX-B: 2\r\n\r\n",
        b"X-A: 1\r\nX-B: 2\n \n",
        b"X-A:1\r\nX-B :2\r\n\r\n",
        b"X-A: 1\r\nX\x00-B: 2\r\n\r\n",
        b"X-A: 1\r\nX-B\r\n : 2\r\n\r\n",
    ],
)
def test_field_lines_whatever_ends_them(head):
    """The same two fields under every line end, with spaces, NUL and folds."""
    response = one(b"HTTP/1.1 200 OK\r\n" + head + b"body")["response"]
    assert (response["headers"], response["body"]) == ([["X-A", "1"], ["X-B", "2"]], "body")


def test_a_folded_value_is_one_value():
    response = one(b"HTTP/1.1 200 OK\r\nX-A: one\r\n two\r\nContent-Length: 0\r\n\r\n")["response"]
    assert response["headers"][0] == ["X-A", "one two"]
    assert "folded" in response["anomalies"]


@pytest.mark.parametrize(
    ("line", "method", "target", "version"),
    [
        (b"GET /a b HTTP/1.1", "GET", "/a b", "1.1"),
        (b"GET  /x  HTTP/1.0", "GET", "/x", "1.0"),
        (b"M-SEARCH * HTTP/1.1", "M-SEARCH", "*", "1.1"),
        (b"GET /x HTTP/1.", "GET", "/x", "1.0"),
    ],
)
def test_request_lines(line, method, target, version):
    """Targets with spaces, unknown methods and incomplete versions, as servers accept them."""
    request = one(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", line + b"\r\nHost: a\r\n\r\n")["request"]
    assert (request["method"], request["target"], request["version"]) == (method, target, version)


def test_repeats_stay_in_order():
    request = REQUEST[:-2] + b"X: 1\r\nx: 2\r\nX: 1\r\n\r\n"
    fields = one(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", request)["request"]["headers"]
    assert fields[1:] == [["X", "1"], ["x", "2"], ["X", "1"]]


def test_many_lines_that_end_with_lf_alone():
    """Each of them grows by the CR that it lacks: short ones first, then a long one, all are kept."""
    names = [f"a{number}" for number in range(600)]
    head = b"HTTP/1.1 200 OK\n" + b"".join(b"%s:\n" % name.encode() for name in names)
    response = one(head + b"last: " + b"x" * 3000 + b"\nConnection: close\n\nbody")["response"]

    assert [name.lower() for name, _ in response["headers"]] == [*names, "last", "connection"]
    assert len(dict(map(tuple, response["headers"]))["last"]) == 3000


def test_a_head_that_seemed_to_go_on_behind_white_space_ends_once():
    """Whether a line of white space ends a head shows only behind it; segments may end anywhere there."""
    wire = b"HTTP/1.1 200 OK\nConnection: close\n \nabc def" + b" ghi" * 9 + b"\n\nbody"
    for first in range(1, len(wire) - 1):
        for second in (first + 1, len(wire) - 9):
            pieces = [wire[:first], wire[first:second], wire[max(first, second) :]]
            turns = [(True, REQUEST), *((False, piece) for piece in pieces if piece)]
            (exchange,) = run_frames(conversation_frames(turns)).exchanges
            assert exchange["response"]["status"] == 200
