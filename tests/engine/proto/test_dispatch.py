"""Which parser gets a connection's octets, and what opaque ones cost."""

from __future__ import annotations

import os

from levo.engine.engine import Engine
from tests.helpers.engine_runs import run_frames
from tests.helpers.websocket import conversation_frames, frame

START = 1_700_000_000_000_000_000
REQUEST = b"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_an_unrecognized_connection_becomes_opaque_within_its_first_kilobytes():
    """After 16 KiB nobody looks for messages any more, HTTP or not."""
    turns = [(True, b"\x01" + os.urandom(1000).replace(b"G", b"g")) for _ in range(17)]
    run = run_frames(conversation_frames([*turns, (True, REQUEST), (False, ANSWER)]))
    assert run.exchanges == []
    assert run.statistics["connections_opaque"] == 1


def test_a_connection_joined_in_its_middle_wakes_when_a_message_begins():
    """A download is under way when the capture starts; the exchange behind it is read."""
    engine = Engine()
    seq = 1000
    frames = []
    for _ in range(40):
        frames.append((START, frame(False, seq, 500, b"\x01" * 1000), None))
        seq += 1000
    frames.append((START, frame(True, 500, seq, REQUEST), None))
    frames.append((START, frame(False, seq, 500 + len(REQUEST), ANSWER), None))
    engine.feed(frames)
    (exchange,) = engine.take().exchanges()
    assert (exchange.incomplete, exchange.request.path, exchange.response.body) == (None, "/x", b"ok")


def test_tls_is_recognized_and_counted():
    hello = bytes.fromhex("160301003c010000380303") + bytes(53)
    run = run_frames(conversation_frames([(True, hello), (False, b"\x16\x03\x03\x00\x02\x02\x00")]))
    assert run.statistics["connections_tls"] == 1
    assert run.exchanges == []
