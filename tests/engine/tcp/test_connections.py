"""The connection table: opening, reuse, closing, and giving up under memory pressure."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import pytest

from levo.engine.engine import Engine
from tests.helpers.conversation import Conversation
from tests.helpers.engine_runs import assert_balanced
from tests.helpers.http2_peers import simple_exchanges
from tests.helpers.packets import Ends, frame

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
SERVER = socket.inet_aton("10.0.0.2")
REQUEST = b"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def packet(client: int, from_client: bool, seq: int, ack: int, payload: bytes, flags: int = 0x18) -> bytes:
    """A frame between 10.1.x.y:5000, x.y the client's number, and 10.0.0.2:80."""
    address = socket.inet_aton(f"10.1.{client >> 8}.{client & 255}")
    ends, ports = ((address, SERVER), (5000, 80)) if from_client else ((SERVER, address), (80, 5000))
    tcp = (
        struct.pack(">HHIIBBHHH", *ports, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 0x50, flags, 65535, 0, 0)
        + payload
    )
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, *ends) + tcp
    return b"\x02\0\0\0\0\1\x02\0\0\0\0\2\x08\0" + ip


def feed(engine: Engine, *frames: bytes, at: int = START) -> None:
    engine.feed([(at, octets, None) for octets in frames])


def exchange(client: int, isn: int = 0) -> list[bytes]:
    return [
        packet(client, True, isn, 0, b"", 2),
        packet(client, False, isn, isn + 1, b"", 0x12),
        packet(client, True, isn + 1, isn + 1, REQUEST),
        packet(client, False, isn + 1, isn + 1 + len(REQUEST), ANSWER),
    ]


def test_a_syn_with_other_numbers_opens_a_new_connection_on_the_same_ports():
    engine = Engine()
    feed(engine, *exchange(1), *exchange(1, isn=7_000_000))
    assert [x.response.body for x in engine.take().exchanges()] == [b"ok", b"ok"]
    assert engine.statistics()["connections_opened"] == 2


@pytest.mark.parametrize("end", ["fin", "reset"])
@pytest.mark.parametrize("ahead", [200_000_000, -200_000_000])
def test_other_numbers_after_the_end_are_another_connection_even_without_a_syn(end, ahead):
    """Its handshake was not captured; nothing of it belongs to the one that has ended."""
    engine = Engine()
    client_end, server_end = 1 + len(REQUEST), 1 + len(ANSWER)
    feed(engine, *exchange(1))
    if end == "fin":
        feed(
            engine,
            packet(1, False, server_end, client_end, b"", 0x11),
            packet(1, True, client_end, server_end + 1, b"", 0x11),
        )
    else:
        feed(engine, packet(1, True, client_end, server_end, b"", 0x14))
    feed(engine, *exchange(1, isn=1_000_000_000 + ahead)[2:], at=START + 40 * SECOND)
    engine.finish()

    assert [x.response.body for x in engine.take().exchanges()] == [b"ok", b"ok"]
    statistics = engine.statistics()
    assert (statistics["connections_opened"], statistics["payload_bytes_closed"]) == (2, 0)
    assert_balanced(statistics)


def test_late_duplicates_of_a_closed_connection_open_nothing():
    """What is retransmitted behind the FINs is a duplicate, not a connection joined in its middle."""
    engine = Engine()
    client_end, server_end = 1 + len(REQUEST), 1 + len(ANSWER)
    feed(engine, *exchange(1), packet(1, False, server_end, client_end, b"", 0x11))
    feed(
        engine,
        packet(1, True, client_end, server_end + 1, b"", 0x11),
        packet(1, False, 1, client_end, ANSWER),
    )
    assert engine.statistics()["connections_opened"] == 1
    assert engine.statistics()["payload_bytes_duplicate"] == len(ANSWER)
    assert len(engine.take()) == 1


def test_a_reset_ends_what_waits():
    engine = Engine()
    feed(engine, *exchange(1)[:3], packet(1, False, 1, 1 + len(REQUEST), b"", 0x14))
    engine.tick(START + SECOND)
    (waiting,) = engine.take().exchanges()
    assert (waiting.response, waiting.incomplete) == (None, "no_response")


def test_an_idle_connection_is_given_up_and_its_request_reported():
    engine = Engine(idle_ns=60 * SECOND)
    feed(engine, *exchange(1)[:3])
    engine.tick(START + 59 * SECOND)
    assert engine.ready == 0
    engine.tick(START + 61 * SECOND)
    assert engine.ready == 1
    assert engine.statistics()["connections_open"] == 0


def test_a_busy_connection_does_not_keep_idle_ones_alive():
    engine = Engine(idle_ns=60 * SECOND)
    feed(engine, *exchange(1)[:2], *exchange(2)[:3])
    for tenth in range(1, 650):
        feed(engine, packet(1, True, 0, 1, b"", 0x10), at=START + tenth * SECOND // 10)
    engine.tick(START + 65 * SECOND)
    assert engine.ready == 1
    assert engine.statistics()["connections_open"] == 1


def test_memory_is_given_back_by_the_largest_and_ordinary_traffic_goes_on():
    """2,000 endless heads and bodies against 2 MiB: every exchange beside them is captured."""
    engine = Engine(max_memory_bytes=2 << 20)
    openings = [b"GET / HTTP/1.1\r\nX: ", b"POST / HTTP/1.1\r\nContent-Length: 9999999999\r\n\r\n"]
    for client in range(2000):
        feed(engine, *exchange(client)[:2], packet(client, True, 1, 1, openings[client % 2]))
    seqs = [1 + len(openings[client % 2]) for client in range(2000)]
    answered = 0
    for turn in range(4):
        for client in range(2000):
            feed(engine, packet(client, True, seqs[client], 1, b"j" * 1400))
            seqs[client] += 1400
            assert engine.memory_used_bytes < 3 << 20
            if client % 100 == 0:
                feed(engine, *exchange(5000 + turn * 20 + client // 100))
                answered += sum(x.response is not None for x in engine.take().exchanges())
    assert answered == 80
    statistics = engine.statistics()
    assert statistics["connections_evicted"] > 0
    assert statistics["exchanges_begun"] == (
        statistics["exchanges_emitted"]
        + statistics["exchanges_open"]
        + sum(statistics["exchanges_dropped"].values())
    )


def test_many_connections_are_told_apart():
    """20,000 connections at once, answered in another order than asked."""
    engine = Engine()
    for client in range(20000):
        feed(engine, *exchange(client)[:3])
    for client in reversed(range(20000)):
        feed(engine, exchange(client)[3])
    clients = [x.client.address for x in engine.take().exchanges()]
    assert len(set(clients)) == 20000


def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def test_the_memory_of_many_connections_goes_back_when_they_are_forgotten():
    """Waves of 30,000, each given up for idleness: what one took is there for the next, or for the system."""
    engine = Engine(idle_ns=10 * SECOND, linger_ns=SECOND)
    least = resident_mib()
    full = []
    for wave in range(3):
        at = START + wave * 100 * SECOND
        for client in range(30_000):
            feed(engine, packet(client, True, 0, 0, b"", 2), at=at)
        assert engine.statistics()["connections_open"] == 30_000
        full.append(resident_mib())
        engine.tick(at + 20 * SECOND)
        engine.tick(at + 50 * SECOND)
        assert engine.statistics()["connections_open"] == engine.memory_used_bytes == 0
    assert full[0] - least > 15, "connections take no memory?"
    assert full[2] < full[0] + 5
    assert resident_mib() < least + 10


# Silence.

HOUR = 3600 * SECOND


def hear(engine: Engine, talk: Conversation, pause: int, at: int) -> int:
    """Feed what *talk* has collected, then let *pause* pass by ticks; the time after it."""
    engine.feed([(at, frame(each, Ends()), None) for each in talk.segments])
    talk.segments.clear()
    for tenth in range(1, 11):
        engine.tick(at + pause * tenth // 10)
    return at + pause


@pytest.mark.parametrize("pause", [310 * SECOND, 20 * HOUR], ids=["310 s", "20 h"])
@pytest.mark.parametrize("quiet_from", ["before the first request", "between exchanges", "in a request"])
def test_a_keep_alive_connection_goes_on_after_a_pause(pause, quiet_from):
    """Silence is not an end: what comes after it is read where the connection stopped."""
    engine = Engine()
    talk = Conversation().handshake()
    now = START
    if quiet_from == "before the first request":
        now = hear(engine, talk, pause, now)
    for number in range(4):
        request = b"POST /turn/%d HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nbody" % number
        if quiet_from == "in a request":
            talk.client(request[:30])
            now = hear(engine, talk, pause, now)
            talk.client(request[30:-2])
            now = hear(engine, talk, pause, now)
            talk.client(request[-2:])
        else:
            talk.client(request)
        talk.server(ANSWER)
        now = hear(engine, talk, pause, now)
    found = engine.take().exchanges()
    engine.finish()
    assert [(x.request.target, x.request.body, x.response.body, x.incomplete) for x in found] == [
        (f"/turn/{number}", b"body", b"ok", None) for number in range(4)
    ]
    statistics = engine.statistics()
    assert statistics["payload_bytes_parsed"] == statistics["payload_bytes_received"]
    assert_balanced(statistics)


@pytest.mark.parametrize("wait", [310 * SECOND, 20 * HOUR], ids=["310 s", "20 h"])
@pytest.mark.parametrize("half_closed", [False, True], ids=["open", "client has sent FIN"])
def test_a_response_that_takes_long_answers_its_request(wait, half_closed):
    engine = Engine()
    talk = Conversation().handshake().client(REQUEST)
    if half_closed:
        talk.fin(True)
    now = hear(engine, talk, wait, START)
    assert engine.ready == 0
    hear(engine, talk.server(ANSWER), SECOND, now)
    (exchange,) = engine.take().exchanges()
    assert (exchange.incomplete, exchange.response.body) == (None, b"ok")


@pytest.mark.parametrize("pause", [320 * SECOND, 20 * HOUR], ids=["320 s", "20 h"])
def test_http2_keeps_its_tables_over_a_pause(pause):
    """The second half refers to HPACK entries of the first."""
    peers = simple_exchanges(8)
    engine = Engine()
    talk = Conversation().handshake()
    half = len(peers.turns) // 2
    for from_client, octets in peers.turns[:half]:
        talk.send(from_client, octets)
    now = hear(engine, talk, pause, START)
    for from_client, octets in peers.turns[half:]:
        talk.send(from_client, octets)
    hear(engine, talk, SECOND, now)
    found = engine.take().exchanges()
    assert [(x.request.target, x.incomplete) for x in found] == [(f"/items/{i}", None) for i in range(8)]
    assert_balanced(engine.statistics())


def test_a_flood_of_handshakes_does_not_stay():
    """A connection that never carried a payload is gone after minutes; one that did is kept for a day."""
    engine = Engine()
    feed(engine, *exchange(1))
    for client in range(2, 1002):
        feed(engine, *exchange(client)[: 1 + client % 2])
    engine.tick(START + 301 * SECOND)
    statistics = engine.statistics()
    assert (statistics["connections_open"], statistics["connections_quiet"]) == (1, 1)
    engine.tick(START + 24 * HOUR - SECOND)
    assert engine.statistics()["connections_open"] == 1
    engine.tick(START + 24 * HOUR)
    assert engine.statistics()["connections_open"] == engine.statistics()["connections_quiet"] == 0
    assert engine.take() and engine.memory_used_bytes == 0


def test_a_connection_that_one_side_has_ended_does_not_stay():
    engine = Engine()
    feed(engine, *exchange(1), packet(1, False, 1 + len(ANSWER), 1 + len(REQUEST), b"", 0x11))
    engine.tick(START + 299 * SECOND)
    assert engine.statistics()["connections_open"] == 1
    engine.tick(START + 300 * SECOND)
    assert engine.statistics()["connections_open"] == 0


def test_what_comes_at_the_moment_of_the_idle_limit_is_read():
    """A connection that was given up for silence leaves nothing behind that discards payloads."""
    engine = Engine(idle_ns=60 * SECOND)
    feed(engine, *exchange(1))
    engine.tick(START + 60 * SECOND)
    late, size = START + 60 * SECOND + 1, len(REQUEST)
    feed(engine, packet(1, True, 1 + size, 1 + len(ANSWER), REQUEST), at=late)
    feed(engine, packet(1, False, 1 + len(ANSWER), 1 + 2 * size, ANSWER), at=late)
    assert [x.incomplete for x in engine.take().exchanges()] == [None, None]
    assert engine.statistics()["payload_bytes_closed"] == 0


def test_fifty_thousand_quiet_connections_stay_in_the_budget_and_the_active_ones_are_served():
    """More than the budget holds: the quiet go first, counted; bodies under way are not touched."""
    limit = 16 << 20
    engine = Engine(max_memory_bytes=limit)
    head = b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n"
    for client in range(50_000):
        feed(engine, *exchange(client), at=START + client)
        if client % 1000 == 0:
            engine.take()
        assert engine.memory_used_bytes <= limit
    engine.take()
    engine.tick(START + 301 * SECOND)
    assert engine.statistics()["connections_quiet"] > 20_000
    now = START + 302 * SECOND
    uploads = range(60_000, 60_010)
    feed(
        engine,
        *[each for one in uploads for each in (*exchange(one)[:2], packet(one, True, 1, 1, head))],
        at=now,
    )
    for at in range(0, 400_000, 1000):
        for one in uploads:
            feed(engine, packet(one, True, 1 + len(head) + at, 1, b"b" * 1000), at=now)
        assert engine.memory_used_bytes <= limit + (1 << 20)
    for one in uploads:
        feed(engine, packet(one, False, 1, 1 + len(head) + 400_000, ANSWER), at=now)
    assert [(len(x.request.body), x.incomplete) for x in engine.take().exchanges()] == [(400_000, None)] * 10
    statistics = engine.statistics()
    assert statistics["connections_evicted"] > 0
    assert statistics["exchanges_dropped"]["evicted"] == 0
    engine.finish()
    assert_balanced(engine.statistics())


def test_a_flood_of_handshakes_does_not_drive_out_connections_that_carry_exchanges():
    engine = Engine(max_memory_bytes=4 << 20)
    feed(engine, *exchange(1))
    engine.take()
    engine.tick(START + 301 * SECOND)
    now = START + 302 * SECOND
    for client in range(2, 30_000):
        feed(engine, *exchange(client)[:1], at=now)
    assert engine.statistics()["connections_evicted"] > 10_000
    size = len(REQUEST)
    feed(engine, packet(1, True, 1 + size, 1 + len(ANSWER), REQUEST), at=now)
    feed(engine, packet(1, False, 1 + len(ANSWER), 1 + 2 * size, ANSWER), at=now)
    assert [x.incomplete for x in engine.take().exchanges()] == [None]
    assert engine.statistics()["connections_mid_stream"] == 0
