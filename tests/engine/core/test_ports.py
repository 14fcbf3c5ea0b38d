"""The table of server ports: what it counts, which side it takes for the server, and that it stays small."""

from __future__ import annotations

from typing import Any

from levo.engine.engine import Engine
from tests.helpers.conversation import Conversation, converse, exchanges_as_turns
from tests.helpers.packets import ACK, SYN, Ends, Segment, capture_segments

PAIR = (
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
)
TLS_HELLO = bytes([22, 3, 1, 0, 64, 1]) + bytes(63)


def used(*conversations: tuple[list[Segment], Ends], most: int = 16) -> list[dict[str, Any]]:
    engine = Engine()
    for segments, ends in conversations:
        engine.feed(capture_segments(segments, ends))
    engine.finish()
    engine.take()
    return engine.ports(most)


def test_packets_octets_and_exchanges_of_a_port() -> None:
    segments = converse(exchanges_as_turns([PAIR, PAIR]))

    (found,) = used((segments, Ends(server_port=8080)))

    assert found == {
        "port": 8080,
        "packets": len(segments),
        "bytes": 2 * sum(map(len, PAIR)),
        "connections": 1,
        "exchanges": 2,
        "protocols": ("http/1",),
    }


def test_the_server_is_the_side_that_is_asked_even_with_the_larger_port() -> None:
    late = Conversation().start_mid_stream().client(PAIR[0]).server(PAIR[1]).segments

    (found,) = used((late, Ends(client_port=2000, server_port=50051)))

    assert (found["port"], found["exchanges"]) == (50051, 1)


def test_encrypted_and_unknown_protocols_are_named() -> None:
    tls = Conversation().handshake().client(TLS_HELLO).segments
    other = Conversation().handshake().client(b"\xf0\xff" * 20000).segments

    found = {
        each["port"]: each for each in used((tls, Ends(server_port=443)), (other, Ends(server_port=5432)))
    }

    assert found[443]["protocols"] == ("tls",)
    assert found[5432]["protocols"] == ("other",)
    assert found[443]["exchanges"] == found[5432]["exchanges"] == 0


def test_the_busiest_come_first_and_the_rest_is_one_sum() -> None:
    def some(port: int, count: int) -> tuple[list[Segment], Ends]:
        conversation = Conversation().handshake()
        for _ in range(count):
            conversation.ack(True)
        return conversation.segments, Ends(server_port=port)

    found = used(some(81, 5), some(82, 50), some(83, 1), some(84, 9), most=2)

    assert [(each["port"], each["packets"]) for each in found] == [(82, 53), (84, 12), (None, 8 + 4)]


def test_a_scan_of_all_ports_neither_grows_the_table_nor_loses_a_count() -> None:
    engine = Engine()
    busy, ends = Conversation().handshake(), Ends(client_port=61000, server_port=8080)
    for _ in range(20):
        busy.ack(True)
    engine.feed(capture_segments(busy.segments, ends))
    for port in range(1, 60000, 7):
        engine.feed(
            capture_segments(
                [Segment(True, 1, 0, SYN), Segment(False, 9, 2, SYN | ACK)],
                Ends(client_port=61000, server_port=port),
            )
        )
    found = engine.ports(2000)

    assert len(found) <= 769
    assert found[0]["port"] == 8080
    assert found[-1]["port"] is None
    assert sum(each["packets"] for each in found) == 23 + 2 * len(range(1, 60000, 7))
