"""What is retransmitted after a connection's end opens nothing, for as long as TCP retransmits."""

from __future__ import annotations

import pytest

from levo.engine.engine import Engine
from tests.helpers.conversation import Conversation
from tests.helpers.engine_runs import assert_balanced
from tests.helpers.packets import Ends, Segment, frame

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
ENDS = Ends()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def ask(name: bytes) -> bytes:
    return b"GET /%s HTTP/1.1\r\nHost: a.example\r\n\r\n" % name


def feed(engine: Engine, segments: list[Segment], at: int, ends: Ends = ENDS) -> None:
    engine.feed([(at, frame(each, ends), None) for each in segments])


@pytest.mark.parametrize("after", [3, 60, 300, 800], ids=str)
@pytest.mark.parametrize("how", ["FIN", "RST"])
@pytest.mark.parametrize("from_client", [True, False])
def test_a_late_retransmission_is_a_duplicate(after, how, from_client):
    engine = Engine()
    talk = Conversation().handshake().client(ask(b"pay")).server(ANSWER)
    payloads = {segment.from_client: segment for segment in talk.segments if segment.payload}
    feed(engine, (talk.close() if how == "FIN" else talk.rst(True)).segments, START)
    for second in range(1, after + 1, max(1, after // 50)):
        engine.tick(START + second * SECOND)
    feed(engine, [payloads[from_client]], START + after * SECOND)
    engine.finish()
    assert len(engine.take()) == 1
    statistics = engine.statistics()
    assert statistics["payload_bytes_duplicate"] == len(payloads[from_client].payload)
    assert_balanced(statistics)


def test_new_octets_after_the_end_are_a_connection_joined_late():
    engine = Engine()
    feed(engine, Conversation().handshake().client(ask(b"one")).server(ANSWER).close().segments, START)
    engine.tick(START + 10 * SECOND)
    other = Conversation(client_isn=900_000_000, server_isn=100_000_000).start_mid_stream()
    feed(engine, other.client(ask(b"two")).server(ANSWER).segments, START + 10 * SECOND)
    assert [x.request.path for x in engine.take().exchanges()] == ["/one", "/two"]


def test_thousands_of_ended_connections_stay_within_their_share_of_the_budget():
    engine = Engine(max_memory_bytes=4 << 20)
    for port in range(10_000, 20_000):
        ends = ENDS.with_client_port(port)
        feed(
            engine, Conversation().handshake().client(ask(b"x")).server(ANSWER).close().segments, START, ends
        )
    engine.take()
    engine.tick(START + 10 * SECOND)
    assert engine.statistics()["memory_used_bytes"] == 0
