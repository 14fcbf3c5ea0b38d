"""Columns that are added as octets: the sums that Python makes of their numbers."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.learn.callers import SKETCH_SIZE, Callers, hashed_caller
from levo.satellite.learn.columns import joined_callers, joined_latency, pack_latency

LATENCIES = st.dictionaries(st.integers(0, 255), st.integers(0, 1 << 40).map(lambda parts: parts / 1024))


def stored(latency: dict[int, float]) -> bytes:
    """As msgspec writes it."""
    return msgspec.msgpack.encode([dict(sorted(latency.items()))])


@given(LATENCIES, LATENCIES)
def test_latencies_are_written_and_added_as_msgspec_and_python_do(
    one: dict[int, float], other: dict[int, float]
) -> None:
    together = dict(one)
    for bucket, exchanges in other.items():
        together[bucket] = together.get(bucket, 0.0) + exchanges

    assert pack_latency(one) == stored(one)
    assert joined_latency(stored(one), pack_latency(other)) == stored(together)


def test_whole_numbers_are_read_as_well() -> None:
    assert joined_latency(msgspec.msgpack.encode([{3: 5, 200: 70_000}]), b"\x91\x80") == stored(
        {3: 5.0, 200: 7e4}
    )


@pytest.mark.parametrize(
    "octets",
    [
        b"", b"\x91", b"\x80", b"\x91\x81", b"\x91\x81\x05", b"\x91\x81\x05\xcb\0",
        b"\x91\x81\xcd\x01\x00\x01", b"\x91\x81\xff\x01", b"\x91\x81\x05\xc3", b"\x91\x80\x00",
        b"\x91\xde\x00", b"\x91\xdf\0\0\0\0", b"\x92\x80", b"\x91\x81\xcb" + bytes(9),
    ],
)  # fmt: skip
def test_damaged_latencies_are_refused(octets: bytes) -> None:
    with pytest.raises(ValueError, match="damaged"):
        joined_latency(stored({3: 1.0}), octets)
    with pytest.raises(ValueError, match="damaged"):
        joined_latency(octets, stored({3: 1.0}))


def test_any_octets_are_read_or_refused() -> None:
    rng = Random(3)
    whole = stored({bucket: 1.5 * bucket for bucket in range(0, 256, 9)})
    for _ in range(3000):
        octets = bytearray(whole)
        octets[rng.randrange(len(octets))] = rng.randrange(256)
        del octets[rng.choice((len(octets), rng.randrange(len(octets)))) :]
        try:
            joined = joined_latency(bytes(octets), b"\x91\x80")
        except ValueError:
            continue
        assert joined_latency(joined, b"\x91\x80") == joined


@given(st.sets(st.integers(0, 999)), st.sets(st.integers(0, 999)))
def test_callers_are_joined_as_if_they_had_been_counted_together(one: set[int], other: set[int]) -> None:
    sketches = [Callers(), Callers(), Callers()]
    for sketch, addresses in zip(sketches, (one, other, one | other), strict=True):
        for address in addresses:
            sketch.add(hashed_caller(b"key", f"10.0.0.{address}"))
    first, second, together = (each.registers for each in sketches)

    assert joined_callers(first, second) == joined_callers(second, first) == together
    assert joined_callers(first, first) is first
    assert joined_callers(first, b"") == first == joined_callers(b"", first)


def test_callers_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="damaged"):
        joined_callers(bytes(SKETCH_SIZE), b"\x01")
