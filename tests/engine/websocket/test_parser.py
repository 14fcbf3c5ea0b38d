"""WebSocket frames behind an upgrade, counted; wsproto writes what is counted."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto import ConnectionType, WSConnection
from wsproto.connection import Connection
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.extensions import PerMessageDeflate

from levo.engine.engine import Engine
from levo.satellite.learn.state import State, learn
from levo.satellite.learn.trace import read_delivery
from tests.helpers.effort import scaled
from tests.helpers.websocket import conversation_frames

UPGRADE = (
    b"GET /chat HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
AGREED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)

SECOND = 10**9
START = 1_700_000_000 * SECOND

messages = st.lists(
    st.tuples(
        st.booleans(),
        st.one_of(
            st.text(max_size=300).map(lambda text: TextMessage(text)),
            st.binary(max_size=70000).map(lambda octets: BytesMessage(octets)),
            st.binary(max_size=125).map(lambda octets: Ping(octets)),
        ),
    ),
    max_size=12,
)


def written(script, deflate: bool):
    """[(from_client, octets)] as wsproto sends them, and what was sent by direction."""
    sides = {}
    for from_client in (True, False):
        extensions = [PerMessageDeflate()] if deflate else []
        for extension in extensions:
            extension._enabled = True
        kind = ConnectionType.CLIENT if from_client else ConnectionType.SERVER
        sides[from_client] = Connection(kind, extensions)
    return [(from_client, sides[from_client].send(event)) for from_client, event in script]


def run(chunks, cuts=None, drop=()):
    engine = Engine()
    engine.feed(conversation_frames([(True, UPGRADE), (False, AGREED), *chunks], cuts, drop))
    engine.finish()
    exchanges = engine.take().exchanges()
    statistics = engine.statistics()
    assert statistics["exchanges_begun"] == statistics["exchanges_emitted"]
    return exchanges


@settings(max_examples=scaled(60), deadline=None)
@given(script=messages, deflate=st.booleans(), seed=st.integers(0, 2**32))
def test_counts_are_those_of_what_wsproto_sent(script, deflate, seed):
    """However TCP cuts the stream, each direction's messages and kinds are counted exactly."""
    upgrade, report = run(written(script, deflate), cuts=random.Random(seed))

    assert (upgrade.protocol, upgrade.response.status, upgrade.weight) == ("http/1.1", 101, 1.0)
    assert (report.protocol, report.weight, report.request.target) == ("websocket", 0.0, "/chat")
    for from_client, message in ((True, report.request), (False, report.response)):
        sent = [event for side, event in script if side == from_client]
        texts = [event for event in sent if isinstance(event, TextMessage)]
        octets = [event for event in sent if isinstance(event, BytesMessage)]
        assert message.data_messages == len(texts) + len(octets)
        assert message.text_messages == len(texts)
        assert message.control_frames == len(sent) - len(texts) - len(octets)
        if not deflate:
            size = sum(len(event.data.encode()) for event in texts) + sum(len(e.data) for e in octets)
            assert message.data_message_bytes == size


def test_fragments_are_one_message():
    """A message in three frames with a ping between them counts once, the ping as control."""
    frames = bytes([0x01, 3]) + b"abc" + bytes([0x89, 0]) + bytes([0x00, 2]) + b"de" + bytes([0x80, 1]) + b"f"
    _, report = run([(False, frames)])
    counted = report.response
    assert (counted.data_messages, counted.text_messages, counted.control_frames) == (1, 1, 1)
    assert counted.data_message_bytes == 6


@pytest.mark.parametrize("lost", range(5))
def test_a_lost_segment_is_said_and_the_next_frames_count(lost):
    """One of five segments of one frame each is lost: four are counted, the report says so."""
    frames = [(False, bytes([0x82, 100]) + bytes(100)) for _ in range(5)] + [(False, bytes([0x88, 0]))]
    _, report = run(frames, drop={lost + 2})
    assert report.incomplete == "response_gap"
    assert report.response.data_messages == 4
    assert report.response.control_frames == 1


@settings(max_examples=scaled(200), deadline=None)
@given(octets=st.binary(max_size=400), from_client=st.booleans())
def test_any_octets_are_harmless(octets, from_client):
    """Whatever follows an upgrade, the upgrade is reported and the ledger balances."""
    exchanges = run([(from_client, octets)] if octets else [])
    assert exchanges[0].response.status == 101


def test_wsproto_and_the_upgrade_agree():
    """The handshake used here is one that wsproto accepts."""
    server = WSConnection(ConnectionType.SERVER)
    server.receive_data(UPGRADE)
    assert next(iter(server.events())).target == "/chat"
    assert CloseConnection(1000).code == 1000


def test_one_that_lasts_is_one_exchange_for_the_satellite():
    """Reported when it is agreed on, once a minute and at its end; counted once, and seen to be in use."""
    frames = conversation_frames([(True, UPGRADE), (False, AGREED), *[(False, bytes([0x82, 1, 7]))] * 23])
    minutes = [(START + index * 2 * SECOND, octets, size) for index, (_, octets, size) in enumerate(frames)]
    engine = Engine()
    for each in minutes:
        engine.feed([each])
        engine.tick(each[0])
    engine.finish()
    batch = engine.take()
    exchanges = batch.exchanges()
    assert len(exchanges) == 3 and sum(x.weight for x in exchanges) == 1
    assert sum(x.response.data_messages for x in exchanges) == 23
    statistics = engine.statistics()
    assert statistics["exchanges_begun"] == statistics["exchanges_emitted"] == 3

    _, traces = read_delivery(bytes(batch.otlp(b"")), "", minutes[-1][0])
    state = State()
    for trace in traces:
        learn(state, trace)
    (facts,) = state.endpoints.values()
    assert (state.exchanges, facts.exchanges, facts.statuses) == (1, 1, {101: 1})
    assert facts.last_seen_ns == exchanges[-1].end_ns > exchanges[0].end_ns + 60 * SECOND
