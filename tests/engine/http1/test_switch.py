"""Leaving HTTP/1: tunnels and upgrades."""

from __future__ import annotations

from tests.helpers.engine_runs import run_frames
from tests.helpers.websocket import conversation_frames

CONNECT = b"CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n"
GET = b"GET /inner HTTP/1.1\r\nHost: a.example\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
UPGRADE = b"GET /up HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: proto\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: proto\r\n\r\n"


def test_http_inside_a_tunnel_is_read():
    """Behind CONNECT and 2xx anything may follow, HTTP included (RFC 9110 section 9.3.6)."""
    turns = [(True, CONNECT), (False, b"HTTP/1.1 200 Connected\r\n\r\n"), (True, GET), (False, ANSWER)]
    outer, inner = run_frames(conversation_frames(turns)).complete
    assert (outer["request"]["method"], inner["request"]["path"]) == ("CONNECT", "/inner")


def test_a_refused_connect_is_an_ordinary_exchange():
    refused = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
    run = run_frames(conversation_frames([(True, CONNECT), (False, refused), (True, GET), (False, ANSWER)]))
    assert [(x["response"]["status"], x["response"]["body"]) for x in run.complete] == [
        (403, "no"),
        (200, "ok"),
    ]


def test_an_unknown_upgrade_is_opaque():
    """What follows 101 is not HTTP, even where it looks like it."""
    run = run_frames(conversation_frames([(True, UPGRADE), (False, SWITCH), (True, GET), (False, ANSWER)]))
    assert [x["response"]["status"] for x in run.exchanges] == [101]
    assert run.statistics["payload_bytes_opaque"] == len(GET) + len(ANSWER)
