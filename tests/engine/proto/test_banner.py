"""Names of protocols that are not read, by the first octets of a connection."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.engine.engine import Engine
from tests.helpers.conversation import Conversation
from tests.helpers.engine_runs import run_frames
from tests.helpers.packets import Ends, Segment, capture_segments

ASKED = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
SSH = b"SSH-2.0-OpenSSH_9.6\r\n"
MYSQL = b"\x4a\0\0\0\x0a8.0.36\0" + bytes(60)
STARTUP = struct.pack("!II", 40, 196608) + b"user\0me\0database\0shop\0\0"
GREETINGS = {
    "ssh": SSH,
    "ftp-smtp": b"220 mail.example ESMTP ready\r\n",
    "imap": b"* OK [CAPABILITY IMAP4rev2] ready\r\n",
    "pop3": b"+OK POP3 ready <1.2@a>\r\n",
    "mysql": MYSQL,
    "redis": b"-ERR unknown command 'GET'\r\n",
    "tls": b"\x15\x03\x01\0\x02\x02\x46",
}
"""What a server sends, by the name of its protocol."""
FIRST = {"postgresql": STARTUP, "redis": b"*1\r\n$4\r\nPING\r\n", "ssh": SSH}
"""What a client begins with."""


def protocols(segments: list[Segment], ends: Ends) -> tuple[str, ...]:
    engine = Engine()
    engine.feed(capture_segments(segments, ends))
    (port,) = engine.ports()
    assert port["port"] == ends.server_port
    return port["protocols"]


@pytest.mark.parametrize("name", GREETINGS)
def test_a_server_that_greets_is_named(name):
    segments = Conversation().handshake().server(GREETINGS[name]).segments

    assert protocols(segments, Ends(server_port=2222)) == (name,)


@pytest.mark.parametrize("name", FIRST)
def test_a_client_that_begins_names_the_port_of_its_server(name):
    segments = Conversation().handshake().client(FIRST[name]).segments

    assert protocols(segments, Ends(server_port=2222)) == (name,)


@pytest.mark.parametrize("name", GREETINGS)
def test_another_protocol_does_not_answer_a_request_and_is_named(name):
    """Octets of a server that are no head would be an answer of HTTP/0.9."""
    segments = Conversation().handshake().client(ASKED).server(GREETINGS[name]).close().segments
    run = run_frames(capture_segments(segments, Ends(server_port=22)))

    assert [(x["response"], x["incomplete"]) for x in run.exchanges] == [(None, "no_response")]
    assert protocols(segments, Ends(server_port=22)) == ("http/1", name)


@pytest.mark.parametrize(
    "octets",
    [
        b"SSH",
        b"220\r\n",
        b"2200 x",
        b"* NO way",
        b"+OK\r\n",
        b"-ERROR",
        b"\x4a\0\0\1\x0a8.0.36\0",
        b"*0\r\n$x",
        struct.pack("!II", 4, 196608),
        struct.pack("!II", 40, 131072),
        b"\x15\x02\0\0\2\1\1",
        b"\x17\3\3\0\1\1\1",
    ],
)
def test_octets_that_only_look_alike_name_nothing(octets):
    segments = Conversation().handshake().server(octets).segments

    assert protocols(segments, Ends(server_port=2222)) == ()


def test_a_connection_joined_late_names_nothing():
    segments = Conversation().start_mid_stream().server(SSH).segments

    assert protocols(segments, Ends(server_port=22)) == ()


@given(st.binary(max_size=12))
def test_any_beginning_is_looked_at_without_harm(octets):
    run_frames(capture_segments(Conversation().handshake().server(octets).segments, Ends()))


def test_http_0_9_still_answers():
    segments = (
        Conversation().handshake().client(b"GET /\r\n").server(b"<html>220 pages</html>").close().segments
    )
    (found,) = run_frames(capture_segments(segments, Ends())).exchanges

    assert found["response"]["body"] == "<html>220 pages</html>"
