"""Frames from memory, and sinks that look at what a source hands over."""

from __future__ import annotations

from levo.sensor.capture.memory import Counter, MemorySource, Recorder, record
from tests.sensor.capture.files import frames


def test_frames_come_back_as_given():
    given = frames(30)

    assert record(MemorySource(given, link_type=113)) == [(*each, 113) for each in given]


def test_pump_respects_its_limit_and_ends_with_minus_one():
    source, recorder = MemorySource(frames(5), interface=3), Recorder()

    assert [recorder.pump(source, limit) for limit in (2, 0, 10, 10)] == [2, 0, 3, -1]
    assert recorder.interfaces == [3] * 5


def test_the_wire_length_is_never_below_what_was_captured():
    assert record(MemorySource([(1, b"four", 2)])) == [(1, b"four", 4, 1)]


def test_a_recording_can_be_limited():
    source = MemorySource(frames(50))

    assert len(record(source, 20)) == 20
    assert len(record(source)) == 30


def test_a_closed_source_has_ended():
    source = MemorySource(frames(5))
    source.close()
    source.close()

    assert record(source) == []


def test_the_counter_sums():
    given = frames(100)
    source, counter = MemorySource(given), Counter()
    while counter.pump(source, 7) >= 0:
        pass

    assert counter.frames == 100
    assert counter.captured_bytes == sum(len(octets) for _, octets, _ in given)
    assert counter.wire_bytes == sum(wire for _, _, wire in given)
