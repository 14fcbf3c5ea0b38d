"""Recognizing messages: at a connection's start, in its middle, and behind a hole."""

from __future__ import annotations

import pytest

from tests.helpers.engine_runs import run_frames
from tests.helpers.websocket import conversation_frames

REQUEST = b"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize(
    "octets",
    [
        b"EHLO mail.example\r\n",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"\x00\x01\x02\x03binary",
        b"INVITE sip:a@b SIP/2.0\r\n\r\n",
        b"get lower HTTP\r\n\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"!  HTTP/1.0\r\n\r\n",
        b"! / HTTP/1.1\r\n\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
        b"GET \x01 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/0.0\r\n\r\n",
    ],
)
def test_other_protocols_are_no_exchange(octets):
    """Greetings of other protocols give nothing and are counted as opaque."""
    run = run_frames(conversation_frames([(True, octets), (False, b"250 fine\r\n")]))
    assert run.exchanges == []
    assert run.statistics["payload_bytes_opaque"] == run.statistics["payload_bytes_received"]


def test_one_octet_at_a_time_is_recognized():
    """Detection waits while the first octets could still be a request."""
    octets = [(True, REQUEST[i : i + 1]) for i in range(len(REQUEST))]
    (exchange,) = run_frames(conversation_frames([*octets, (False, ANSWER)])).complete
    assert exchange["request"]["path"] == "/x"


def test_http_behind_another_handshake_is_found():
    """SOCKS and the like: a few octets of something else, then HTTP."""
    turns = [(True, b"\x05\x01\x00"), (False, b"\x05\x00"), (True, REQUEST), (False, ANSWER)]
    (exchange,) = run_frames(conversation_frames(turns)).complete
    assert exchange["response"]["body"] == "ok"


@pytest.mark.parametrize("lost", [2, 3])
def test_the_next_message_is_found_behind_a_hole(lost):
    """A lost request or response costs its own exchange, the one behind it is exact."""
    turns = [(True, REQUEST), (False, ANSWER), (True, REQUEST.replace(b"/x", b"/lost")), (False, ANSWER)]
    turns += [(True, REQUEST.replace(b"/x", b"/next")), (False, ANSWER)]
    run = run_frames(conversation_frames(turns, drop={lost}))
    assert [x["request"]["path"] for x in run.complete] == ["/x", "/next"]
