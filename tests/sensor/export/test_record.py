"""One record: what its head says, and what its body is bound to."""

from __future__ import annotations

import pytest

from levo.sensor.export.batch import EncodedRequest
from levo.sensor.export.record import HEAD_BYTES, OVERHEAD_BYTES, parse_head, seal, unseal
from levo.sensor.export.sealing import Sealer

SEALER = Sealer(b"k" * 32)
REQUEST = EncodedRequest(7, b"content" * 9, gzipped=True)


def test_a_record_is_read_as_it_was_written() -> None:
    record = seal(SEALER, 3, 1000, REQUEST)
    head = parse_head(record)
    assert head is not None
    assert (head.traces, head.gzipped, head.settled, head.sealed) == (7, True, False, True)
    assert len(record) == head.record_size == OVERHEAD_BYTES + len(REQUEST.body)
    assert unseal(SEALER, 3, 1000, head, record[HEAD_BYTES:]) == REQUEST
    assert unseal(SEALER, 4, 1000, head, record[HEAD_BYTES:]) is None
    assert unseal(SEALER, 3, 1001, head, record[HEAD_BYTES:]) is None


def test_no_two_records_are_alike() -> None:
    """Each has a nonce of its own, also at a place that was written before (a segment that was emptied)."""
    first, second = (seal(SEALER, 1, 0, REQUEST)[HEAD_BYTES:] for _ in range(2))
    assert sum(a == b for a, b in zip(first, second, strict=True)) < len(first) // 4


def test_settling_is_one_octet() -> None:
    record = bytearray(seal(SEALER, 1, 500, REQUEST))
    head = parse_head(bytes(record))
    assert head is not None
    at, octet = head.settlement(500)
    for value in range(256):
        record[at - 500] = value
        found = parse_head(bytes(record))
        assert found is not None and found.settled == (bytes([value]) == octet)


@pytest.mark.parametrize("at", range(HEAD_BYTES - 1))
def test_a_damaged_head_is_none(at: int) -> None:
    record = bytearray(seal(SEALER, 1, 0, REQUEST))
    record[at] ^= 1
    assert parse_head(bytes(record)) is None


def test_a_head_that_was_cut_off_is_none() -> None:
    record = seal(SEALER, 1, 0, REQUEST)
    assert [parse_head(record[:size]) for size in range(HEAD_BYTES)] == [None] * HEAD_BYTES
