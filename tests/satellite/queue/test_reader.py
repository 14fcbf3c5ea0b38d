"""The reading end: order, damage, and a writer that is at work."""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from levo.errors import LevoError
from levo.satellite.queue import Journal, JournalReader, Position, Record, RecordKind
from levo.satellite.queue.reader import DOUBT_S
from levo.satellite.queue.segment import HEAD_BYTES
from tests.helpers.effort import scaled


def write(folder: Path, sizes: list[int], segment_bytes: int = 1 << 20) -> list[Position]:
    with Journal(folder, max_bytes=1 << 30, segment_bytes=segment_bytes) as journal:
        futures = []
        for number, size in enumerate(sizes):
            futures.append(journal.append(Record(RecordKind.TRACES, number, "", bytes(size))))
            futures[-1].result(60)
        return [future.result(60) for future in futures]


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
                journal.append(Record(RecordKind.TRACES, number, "", bytes(number))).result(60)

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


def damaged(folder: Path, change: Callable[[bytearray], None]) -> tuple[list[int], int, int]:
    """(records read, damaged, torn) after *change* of the only segment, which the writer has left."""
    segment = next(folder.glob("*.segment"))
    octets = bytearray(segment.read_bytes())
    change(octets)
    segment.write_bytes(octets)
    now_s = [0.0]
    reader = JournalReader(folder, Position(0, 0), lambda: now_s[0])
    numbers = read_all(reader)
    if reader.in_doubt:
        now_s[0] += DOUBT_S
        numbers += read_all(reader)
    assert not reader.in_doubt
    seen = reader.statistics()
    return numbers, seen.damaged_total, seen.torn_bytes


def test_one_damaged_octet_costs_the_record_in_which_it_is(tmp_path: Path) -> None:
    positions = write(tmp_path, [40, 70, 40])
    segment = next(tmp_path.glob("*.segment"))
    octets = segment.read_bytes()
    starts = [HEAD_BYTES, *(position.offset for position in positions)]
    for at in range(len(octets)):

        def flip(changed: bytearray, at: int = at) -> None:
            changed[:] = octets
            changed[at] ^= 1 << at % 8

        hit = [n for n in range(3) if starts[n] <= at < starts[n + 1]]
        assert damaged(tmp_path, flip) == ([n for n in range(3) if n not in hit], len(hit), 0), at


@given(st.data())
@settings(max_examples=scaled(30), deadline=None)
def test_a_damaged_sector_costs_the_records_that_it_touches(
    tmp_path_factory: object, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("journal")  # type: ignore[attr-defined]
    sizes = data.draw(st.lists(st.integers(0, 900), min_size=2, max_size=20))
    positions = write(folder, sizes)
    starts = [HEAD_BYTES, *(position.offset for position in positions)]
    at = data.draw(st.integers(HEAD_BYTES, starts[-1] - 1))
    sector = data.draw(st.one_of(st.binary(min_size=512, max_size=512), st.just(bytes(512))))

    before = next(folder.glob("*.segment")).read_bytes()
    after = (before[:at] + sector + before[at + len(sector) :])[: len(before)]

    def overwrite(octets: bytearray) -> None:
        octets[:] = after

    numbers, lost, torn = damaged(folder, overwrite)
    whole = [
        n for n in range(len(sizes)) if before[slice(*starts[n : n + 2])] == after[slice(*starts[n : n + 2])]
    ]
    assert numbers == whole
    assert len(whole) == len(sizes) or lost or torn
    assert lost <= len(sizes) - len(whole)


def test_a_segment_without_a_head_is_counted_and_the_next_one_read(tmp_path: Path) -> None:
    write(tmp_path, [40, 40])
    first = next(tmp_path.glob("*.segment"))
    write(tmp_path, [40])
    octets = first.read_bytes()
    first.write_bytes(bytes(HEAD_BYTES) + octets[HEAD_BYTES:])

    reader = JournalReader(tmp_path, Position(0, 0))
    assert read_all(reader) == [0]
    assert (reader.statistics().torn_bytes, reader.statistics().damaged_total) == (0, 1)


def test_segments_of_an_earlier_version_are_read(tmp_path: Path) -> None:
    """Octets as version 1 of the format had them: one head; frames with length and crc32 alone."""
    write(tmp_path, [1])
    (segment,) = tmp_path.glob("*.segment")
    start = b"LEVOJRN1" + bytes(range(16))
    octets = start + zlib.crc32(start).to_bytes(4, "little")
    derive = HKDF(hashes.SHA256(), 32, bytes(range(16)), b"levo journal segment 1")
    cipher = AESGCM(derive.derive((tmp_path / "journal.key").read_bytes()))
    for number, size in enumerate([0, 90, 3]):
        plain = Record(RecordKind.TRACES, number, "", bytes(size)).encode()
        sealed = cipher.encrypt(len(octets).to_bytes(12, "little"), plain, None)
        octets += struct.pack("<II", len(sealed), zlib.crc32(sealed)) + sealed
    segment.write_bytes(octets)
    write(tmp_path, [5])

    reader = JournalReader(tmp_path, Position(0, 0))
    assert read_all(reader) == [0, 1, 2, 0]
    assert reader.statistics().damaged_total == reader.statistics().torn_bytes == 0


def test_a_reader_makes_no_key(tmp_path: Path) -> None:
    write(tmp_path, [40])
    (tmp_path / "journal.key").unlink()

    with pytest.raises(LevoError, match="put it back"):
        JournalReader(tmp_path, Position(0, 0))
    assert not (tmp_path / "journal.key").exists()
