"""The ring is read as the kernel lays it out, and every secret of it is counted once."""

from __future__ import annotations

import mmap
import os
import struct

import pytest

from levo.engine.engine import Engine
from levo.ledger import PROBE, Ledger
from levo.sensor.capture.tlsprobe import ProbeSource

PAGE = mmap.PAGESIZE
BUSY = 1 << 31


class Ring:
    """Files in the place of the kernel's ring and counters; unlike there, the data does not come twice."""

    def __init__(self, size_bytes: int = 1 << 20) -> None:
        self.size_bytes = size_bytes
        self.descriptor, self.counters = os.memfd_create("ring"), os.memfd_create("counters")
        os.truncate(self.descriptor, 2 * PAGE + 2 * size_bytes)
        os.truncate(self.counters, PAGE)
        self._written = 0
        self._counts = [0] * 8

    def put(self, kind: int, random: bytes, secret: bytes, *, flags: int = 0, process: int = 0) -> None:
        """A record, as the program writes it."""
        record = struct.pack("<BB2sI32s48s", kind, len(secret), b"", process, random, secret)
        header = struct.pack("<II", len(record) | flags, 0)
        os.pwrite(self.descriptor, header + record, 2 * PAGE + self._written)
        self._written += len(header) + len(record)
        os.pwrite(self.descriptor, struct.pack("<Q", self._written), PAGE)
        self.count(0, 1)

    def finish(self) -> None:
        """The last record is written to its end."""
        os.pwrite(self.descriptor, struct.pack("<I", 88), 2 * PAGE + self._written - 96)

    def count(self, hits_of: int, more: int) -> None:
        """Add to the counters: hits, and one of what became of them (1 to 5; 0: passed)."""
        self._counts[0] += more
        self._counts[hits_of or 1] += more
        os.pwrite(self.counters, struct.pack("<8Q", *self._counts), 0)


def engine_with(ring: Ring) -> tuple[Engine, ProbeSource]:
    source = ProbeSource()
    source.adopt(ring.descriptor, ring.counters, ring.size_bytes)
    engine = Engine()
    engine.set_key_probe(source, 250_000_000)
    return engine, source


def test_secrets_reach_the_engine_in_a_tick() -> None:
    ring = Ring()
    engine, source = engine_with(ring)
    for kind in range(5):
        ring.put(kind, bytes(32), bytes(48))

    engine.tick(1)

    assert engine.statistics()["secrets_received"] == 5
    assert source.statistics().delivered == 5
    assert source.statistics().waiting == 0


def test_a_record_that_is_being_written_is_waited_for() -> None:
    ring = Ring()
    engine, source = engine_with(ring)
    ring.put(0, bytes(32), bytes(48))
    ring.put(0, bytes(32), bytes(48), flags=BUSY)

    engine.tick(1)
    assert (source.statistics().delivered, source.statistics().waiting) == (1, 1)

    ring.finish()
    engine.tick(2)
    assert (source.statistics().delivered, source.statistics().waiting) == (2, 0)


def test_what_cannot_be_a_secret_is_counted_as_refused() -> None:
    ring = Ring()
    engine, _ = engine_with(ring)
    ring.put(9, bytes(32), bytes(48))
    ring.put(0, bytes(32), bytes(5))
    ring.put(0, bytes(32), bytes(32))

    engine.tick(1)

    counted = engine.statistics()
    assert (counted["secrets_received"], counted["secrets_refused"], counted["secrets_held"]) == (3, 2, 1)


def test_the_second_copy_of_a_secret_is_counted_as_unused() -> None:
    """Client and server on one host log the same."""
    ring = Ring()
    engine, _ = engine_with(ring)
    for _ in range(2):
        ring.put(1, bytes(32), bytes(32))

    engine.tick(1)

    counted = engine.statistics()
    assert (counted["secrets_unused"], counted["secrets_held"]) == (1, 1)


def test_what_another_process_took_is_not_ours() -> None:
    ring = Ring()
    for _ in range(3):
        ring.put(0, bytes(32), bytes(48))
    earlier, _ = engine_with(ring)
    earlier.tick(1)

    ring.put(0, bytes(32), bytes(48))
    engine, source = engine_with(ring)
    engine.tick(1)

    assert (source.statistics().before, source.statistics().delivered) == (3, 1)


def test_the_ledger_balances_over_two_probes() -> None:
    """The second one begins at zero: both are added."""
    first, second = Ring(), Ring()
    engine, source = engine_with(first)
    for ring in (first, second):
        source.adopt(ring.descriptor, ring.counters, ring.size_bytes)
        ring.put(0, bytes(32), bytes(48))
        for fate in (2, 3, 4, 5):
            ring.count(fate, fate)
        engine.tick(1)

    counted = source.statistics()
    ledger = Ledger.from_statistics(engine.statistics(), probe=counted)

    assert (counted.hits, counted.delivered) == (2 * 15, 2)
    assert (counted.filtered, counted.limited, counted.ring_full, counted.fault) == (4, 6, 8, 10)
    assert ledger.balanced
    assert PROBE.name in [each.stage.name for each in ledger.stages]


def test_a_lost_secret_does_not_balance() -> None:
    ring = Ring()
    engine, source = engine_with(ring)
    ring.count(2, 3)
    os.pwrite(ring.counters, struct.pack("<Q", 5), 0)

    assert not Ledger.from_statistics(engine.statistics(), probe=source.statistics()).balanced


@pytest.mark.parametrize("size", [0, 1000, PAGE + 1, 3 * PAGE])
def test_a_size_that_no_ring_has_is_refused(size: int) -> None:
    ring = Ring()
    with pytest.raises(ValueError, match="a ring of"):
        ProbeSource().adopt(ring.descriptor, ring.counters, size)


def test_what_cannot_be_mapped_is_an_error() -> None:
    ring = Ring()
    read, write = os.pipe()
    source = ProbeSource()
    with pytest.raises(OSError):
        source.adopt(read, ring.counters, PAGE)
    assert not source.connected
    os.close(read)
    os.close(write)


def test_an_engine_without_a_probe_goes_on() -> None:
    ring = Ring()
    engine, _ = engine_with(ring)
    engine.set_key_probe(None)
    ring.put(0, bytes(32), bytes(48))

    engine.tick(1)

    assert engine.statistics()["secrets_received"] == 0
