"""TCP reassembly by numbers: what is waited for, for how long, and what is counted."""

from __future__ import annotations

import random

import pytest

from levo.engine.engine import Engine
from tests.helpers.conversation import Conversation
from tests.helpers.effort import long
from tests.helpers.engine_runs import assert_balanced
from tests.helpers.packets import Ends, capture_segments
from tests.helpers.websocket import frame

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
REQUEST = b"POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 30\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Line:
    """A connection 10.0.0.1:40000 - 10.0.0.2:80 whose segments are handed over one by one."""

    def __init__(self, **options):
        self.engine = Engine(**options)
        self.now = START
        self.give(True, 0, 0, b"", 2)
        self.give(False, 0, 1, b"", 0x12)

    def give(self, from_client, seq, ack, payload, flags=0x18):
        self.engine.feed([(self.now, frame(from_client, seq, ack, payload, flags), None)])

    def held(self):
        return self.engine.statistics()["payload_bytes_held"]

    def exchanges(self):
        return self.engine.take().exchanges()


def test_a_hole_nobody_acknowledged_is_waited_for_until_the_stream_timeout():
    """Ten seconds by default, told by ticks; then the body says how much is missing."""
    line = Line(stream_timeout_ns=10 * SECOND)
    line.give(True, 1, 1, REQUEST + b"a" * 10)
    behind = 1 + len(REQUEST) + 20
    line.give(True, behind, 1, b"c" * 10)
    line.engine.tick(START + 9 * SECOND)
    assert line.held() == 10
    line.engine.tick(START + 11 * SECOND)
    assert line.held() == 0
    line.now = START + 11 * SECOND
    line.give(False, 1, behind + 10, ANSWER)
    (exchange,) = line.exchanges()
    assert (exchange.request.missing_bytes, exchange.request.body) == (10, b"a" * 10 + b"c" * 10)
    assert exchange.incomplete == "request_gap"


def test_a_hole_its_receiver_acknowledged_is_given_up_after_a_short_grace():
    """An acknowledgment proves that the capture lost the octets."""
    line = Line()
    line.give(True, 1, 1, REQUEST + b"a" * 10)
    line.give(True, 1 + len(REQUEST) + 20, 1, b"c" * 10)
    line.give(False, 1, 1 + len(REQUEST) + 30, ANSWER)
    assert line.engine.ready == 0
    line.engine.tick(START + SECOND // 5)
    (exchange,) = line.exchanges()
    assert (exchange.request.missing_bytes, exchange.response.body) == (10, b"ok")


def test_a_response_never_overtakes_its_request():
    """Captured first, delivered second: the request is what the response acknowledges."""
    line = Line()
    whole = REQUEST + b"b" * 30
    line.give(False, 1, 1 + len(whole), ANSWER)
    assert line.held() == len(ANSWER)
    line.give(True, 1, 1, whole)
    (exchange,) = line.exchanges()
    assert (exchange.incomplete, exchange.request.body, exchange.response.body) == (None, b"b" * 30, b"ok")


def test_octets_that_came_first_win_and_differing_ones_are_counted():
    line = Line()
    line.give(True, 1 + len(REQUEST) + 10, 1, b"X" * 20)
    line.give(True, 1 + len(REQUEST) + 10, 1, b"Y" * 20)
    line.give(True, 1, 1, REQUEST + b"a" * 10)
    line.give(False, 1, 1 + len(REQUEST) + 30, ANSWER)
    (exchange,) = line.exchanges()
    assert exchange.request.body == b"a" * 10 + b"X" * 20
    assert line.engine.statistics()["segments_overlap_conflict"] == 1


def test_far_sequence_numbers_are_kept_out_and_counted():
    """A segment a gigabyte away is somebody else's; the connection goes on."""
    line = Line()
    line.give(True, 1 << 30, 1, b"z" * 50)
    line.give(True, 1, 1, REQUEST + b"b" * 30)
    line.give(False, 1, 1 + len(REQUEST) + 30, ANSWER)
    (exchange,) = line.exchanges()
    assert exchange.incomplete is None
    assert line.engine.statistics()["payload_bytes_out_of_window"] == 50


def test_what_is_held_is_bounded():
    """Past max_held_bytes the hole is given up at once."""
    line = Line(max_held_bytes=1000)
    line.give(True, 1, 1, b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
    seq = 1 + 53 + 100
    for _ in range(20):
        line.give(True, seq, 1, b"d" * 100)
        seq += 100
    assert line.held() <= 1100
    assert line.engine.statistics()["gap_bytes"] == 100


def scattered(count: int) -> Line:
    """One-octet segments of a body, each after a hole, in random order, and none of the holes ever filled."""
    line = Line()
    head = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (2 * count)
    line.give(True, 1, 1, head)
    order = list(range(1, 2 * count, 2))
    random.Random(7).shuffle(order)
    line.engine.feed([(line.now, frame(True, 1 + len(head) + at, 1, b"a"), None) for at in order])
    return line


def test_segments_that_are_held_are_bounded_by_number():
    """However small they are: past the bound the oldest hole is given up, and counted as such."""
    line = scattered(50_000)
    assert line.held() <= 8192
    assert line.engine.memory_used_bytes < 2 << 20
    statistics = line.engine.statistics()
    assert 0 < statistics["gaps_overfull"] <= statistics["gaps"]
    line.engine.finish()
    (exchange,) = line.exchanges()
    assert exchange.request.missing_bytes == line.engine.statistics()["gap_bytes"] >= 50_000
    assert_balanced(line.engine.statistics())


def test_every_octet_counts_where_memory_ends_within_a_segment():
    """A segment around others that are held already is kept in pieces, as long as there is room for them."""
    line = Line(max_memory_bytes=1 << 20, max_held_bytes=64 << 20)
    line.give(True, 1, 1, REQUEST.replace(b"30", b"9000000"))
    for start in range(1_000, 9_000_000, 50_000):
        for at in range(start, start + 50_000, 1_000):
            line.give(True, at, 1, b"d" * 10)
        line.give(True, start, 1, b"d" * 50_000)
    line.engine.finish()

    statistics = line.engine.statistics()
    assert statistics["payload_bytes_evicted"] > 0
    assert_balanced(statistics)


@pytest.mark.parametrize("order", ["scattered", "upwards", "downwards"])
@pytest.mark.parametrize("count", [100_000, long(1_000_000)])
def test_a_flood_of_held_segments_costs_each_the_same_and_its_neighbors_nothing(order: str, count: int):
    """What is searched never grows past the bound, so the work is linear; exchanges beside it are whole."""
    line = Line()
    head = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (2 * count)
    line.give(True, 1, 1, head)
    places = list(range(1, 2 * count, 2))
    if order == "scattered":
        random.Random(7).shuffle(places)
    elif order == "downwards":
        places.reverse()
    step = count // 50
    for part in range(50):
        some = places[part * step : (part + 1) * step]
        line.engine.feed([(line.now, frame(True, 1 + len(head) + at, 1, b"a"), None) for at in some])
        talk = Conversation(client_isn=part * 7_777_777, server_isn=part * 5_555_555).handshake()
        talk.send(True, b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").send(False, ANSWER)
        honest = capture_segments(talk.segments, Ends(client_port=1000 + part))
        line.engine.feed([(line.now, octets, None) for _, octets, _ in honest])
        assert line.held() <= 8192
        assert line.engine.memory_used_bytes < 4 << 20
    found = line.exchanges()
    assert len(found) == 50 and all(each.incomplete is None for each in found)
    line.engine.finish()
    assert_balanced(line.engine.statistics())


def test_a_reordered_window_of_many_segments_is_put_in_order_without_a_gap():
    """6,000 segments of 1,200 octets behind the one that comes last."""
    line = Line()
    body = bytes(range(256)) * 28_125
    head = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    line.give(True, 1, 1, head)
    places = list(range(1200, len(body), 1200))
    random.Random(3).shuffle(places)
    for at in [*places, 0]:
        line.give(True, 1 + len(head) + at, 1, body[at : at + 1200])
    line.give(False, 1, 1 + len(head) + len(body), ANSWER)
    (exchange,) = line.exchanges()
    assert (exchange.incomplete, exchange.request.body == body) == (None, True)
    assert line.engine.statistics()["gaps"] == 0
