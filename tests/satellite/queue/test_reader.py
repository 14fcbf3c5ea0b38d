"""The reading end: order, damage, and a writer that is at work."""

from __future__ import annotations

import threading
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from levo.satellite.queue import Journal, JournalReader, Position, Record, RecordKind
from levo.satellite.queue.segment import HEAD_BYTES
from tests.helpers.effort import scaled


def write(folder: Path, sizes: list[int], segment_bytes: int = 1 << 20) -> list[Position]:
    with Journal(folder, max_bytes=1 << 30, segment_bytes=segment_bytes) as journal:
        futures = []
        for number, size in enumerate(sizes):
            futures.append(journal.append(Record(RecordKind.TRACES, number, "", bytes(size))))
            futures[-1].result(10)
        return [future.result(10) for future in futures]


def read_all(reader: JournalReader, limit: int = 1 << 20) -> list[int]:
    numbers: list[int] = []
    while records := reader.read(limit):
        numbers += [record.received_ns for record in records]
    return numbers


@given(st.lists(st.integers(0, 3000), max_size=20), st.integers(1, 5000), st.integers(1, 6000), st.data())
@settings(max_examples=scaled(30), deadline=None)
def test_every_record_once_in_order_from_any_position(
    tmp_path_factory: object, sizes: list[int], segment_bytes: int, limit: int, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("journal")  # type: ignore[attr-defined]
    positions = write(folder, sizes, segment_bytes)
    start = data.draw(st.integers(0, len(sizes)))
    reader = JournalReader(folder, positions[start - 1] if start else Position(0, 0))

    assert read_all(reader, limit) == list(range(start, len(sizes)))
    assert (reader.statistics().torn_bytes, reader.statistics().damaged_total) == (0, 0)
    assert not sizes or reader.position >= positions[-1]
    reader.close()
    reader.close()


def test_reading_while_writing_misses_nothing(tmp_path: Path) -> None:
    total = 400
    with Journal(tmp_path, max_bytes=1 << 30, segment_bytes=2000) as journal:
        reader = JournalReader(tmp_path, Position(0, 0))
        numbers: list[int] = []

        def append() -> None:
            for number in range(total):
                journal.append(Record(RecordKind.TRACES, number, "", bytes(number))).result(10)

        writer = threading.Thread(target=append)
        writer.start()
        while len(numbers) < total and (
            writer.is_alive() or (numbers and numbers[-1] < total - 1) or not numbers
        ):
            numbers += [record.received_ns for record in reader.read()]
            journal.release(reader.position)
        writer.join()

    assert numbers == list(range(total))


@given(st.integers(0, 250))
@settings(max_examples=scaled(40), deadline=None)
def test_a_torn_end_is_left_and_the_next_segment_read(tmp_path_factory: object, kept: int) -> None:
    folder = tmp_path_factory.mktemp("journal")  # type: ignore[attr-defined]
    positions = write(folder, [40, 40, 40])
    segment = next(folder.glob("*.segment"))
    octets = segment.read_bytes()
    segment.write_bytes(octets[:kept])
    write(folder, [1])

    reader = JournalReader(folder, Position(0, 0))
    whole = sum(position.offset <= kept for position in positions)
    assert read_all(reader) == [*range(whole), 0]
    ends = [HEAD_BYTES, *(position.offset for position in positions)]
    torn = kept - max((end for end in ends if end <= kept), default=0)
    assert reader.statistics().torn_bytes == torn


def test_a_torn_end_of_the_newest_segment_may_still_be_completed(tmp_path: Path) -> None:
    write(tmp_path, [40, 40])
    segment = next(tmp_path.glob("*.segment"))
    octets = segment.read_bytes()
    reader = JournalReader(tmp_path, Position(0, 0))
    numbers: list[int] = []
    for length in range(len(octets) + 1):
        segment.write_bytes(octets[:length])
        numbers += [record.received_ns for record in reader.read()]

    assert numbers == [0, 1]
    assert reader.statistics().torn_bytes == 0


def test_a_damaged_frame_is_counted_and_the_next_one_read(tmp_path: Path) -> None:
    positions = write(tmp_path, [40, 40, 40])
    segment = next(tmp_path.glob("*.segment"))
    octets = bytearray(segment.read_bytes())
    octets[positions[0].offset + 20] ^= 1
    segment.write_bytes(octets)

    reader = JournalReader(tmp_path, Position(0, 0))
    assert read_all(reader) == [0, 2]
    assert reader.statistics().damaged_total == 1


def test_with_another_key_nothing_is_read_and_everything_counted(tmp_path: Path) -> None:
    write(tmp_path, [40, 40])
    (tmp_path / "journal.key").write_bytes(bytes(32))
    write(tmp_path, [40])

    reader = JournalReader(tmp_path, Position(0, 0))
    assert read_all(reader) == [0]
    assert reader.statistics().damaged_total == 2
