"""``levo.engine.exchange.batch``: values to records and back, ownership, use by several threads."""

from __future__ import annotations

import dataclasses
import gc
import gzip
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.config import Redaction
from levo.engine.exchange.batch import Batch
from levo.model.exchange import Address, Exchange, Request
from levo.sensor.redact.masking import Masking
from levo.wire.resource import encode_resource
from tests.helpers.exchanges import decoded, examples, exchanges, simple_exchange

DERIVED = ("scheme", "host", "path", "query")


def without_derived(exchange: Exchange) -> Exchange:
    """*exchange* less what follows from target and fields, and less its own times."""
    request = exchange.request
    if request is not None:
        request = dataclasses.replace(request, **dict.fromkeys(DERIVED, ""))
    return dataclasses.replace(exchange, request=request, start_ns=0, end_ns=0)


@examples(50)
@given(st.lists(exchanges(), max_size=4))
def test_records_give_back_the_values_they_were_built_from(values):
    """Octets that are no UTF-8 come back as ISO-8859-1; a size that follows from the body is filled in."""
    seen = Batch.build(values).exchanges()

    expected = [without_derived(decoded(value)) for value in values]
    for value in expected:
        if value.protocol != "websocket":
            message = value.request or value.response
            assert value.protocol == "http/" + message.version
    assert [without_derived(value) for value in seen] == expected


@examples(50)
@given(st.lists(exchanges(), max_size=3))
def test_building_what_was_read_changes_nothing(values):
    first = Batch.build(values).exchanges()

    assert Batch.build(first).exchanges() == first


@examples(50)
@given(exchanges())
def test_times_span_both_messages(value):
    (seen,) = Batch.build([value]).exchanges()

    messages = [m for m in (value.request, value.response) if m is not None]
    assert seen.start_ns == min(m.start_ns for m in messages)
    assert seen.end_ns >= max([seen.start_ns, *(m.end_ns for m in messages)])


def test_an_exchange_without_message_times_keeps_its_own():
    value = simple_exchange(request=Request(), response=None, start_ns=5, end_ns=5)

    (seen,) = Batch.build([value]).exchanges()

    assert (seen.start_ns, seen.end_ns) == (5, 5)


def test_an_empty_batch_has_nothing_to_send():
    batch = Batch.build([])

    assert (len(batch), batch.nbytes, batch.exchanges()) == (0, 0, [])
    assert (batch.otlp(encode_resource({"service.name": "x"})), batch.jsonl()) == (b"", b"")
    assert batch.decode() == 0


@examples(100)
@given(st.lists(exchanges(), max_size=5), st.integers(1, 2000), st.integers(0, 2000))
def test_processing_decodes_and_masks_as_both_by_themselves(values, size, growth):
    values = [
        dataclasses.replace(value, request=with_credentials(value.request)) if value.request else value
        for value in values
    ]
    one, other = Batch.build(values), Batch.build(values)

    masking = Masking(Redaction(headers=("x-mine",)))
    one.attach(lambda batch, start, stop: masking(batch, size, growth, start, stop))

    one.process()
    other.decode(size, growth)
    other.decode(size, growth)
    masking(other, size, growth)

    hidden = masking.statistics()["credentials_masked"]
    assert hidden >= 2 * sum(value.request is not None for value in values)
    assert one.exchanges() == other.exchanges()
    assert one.nbytes == other.nbytes


def with_credentials(request: Request) -> Request:
    body = gzip.compress(b"repeated " * 200)
    headers = (("Authorization", "Bearer abc"), ("Content-Encoding", "gzip"), ("X-mine", "y"))
    return dataclasses.replace(request, headers=headers, body=body, truncated=False, missing_bytes=0)


def test_memory_is_counted_with_the_bodies():
    small = Batch.build([simple_exchange()]).nbytes
    request = Request(body=b"x" * 100_000)

    assert 99_000 <= Batch.build([simple_exchange(request=request)]).nbytes - small < 102_000


@examples(50)
@given(st.lists(exchanges(), min_size=1, max_size=5), st.integers(0, 6), st.integers(0, 6))
def test_a_slice_encodes_only_its_exchanges(values, start, stop):
    whole, part = Batch.build(values), Batch.build(values[start:stop])

    spans = whole.otlp(b"", start, stop)

    if not values[start:stop]:
        assert spans == b""
    else:
        assert len(spans) == len(part.otlp(b""))
    assert whole.otlp(b"", 0, None) == whole.otlp(b"")


def test_several_outputs_read_one_batch_at_the_same_time():
    batch = Batch.build([simple_exchange(client=Address("192.0.2.9", port)) for port in range(1, 400)])
    resource = encode_resource({"service.name": "shop"})
    expected = (batch.otlp(resource), batch.jsonl())

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: (batch.otlp(resource), batch.jsonl()), range(12)))

    assert results == [expected] * 12


def test_order_is_kept():
    ports = list(range(1000, 1100))
    batch = Batch.build([simple_exchange(client=Address("192.0.2.9", port)) for port in ports])

    assert [json.loads(line)["client"]["port"] for line in batch.jsonl().splitlines()] == ports


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"client": Address("api.example.com", 1)}, id="name instead of an address"),
        pytest.param({"request": Request(version="x")}, id="version"),
        pytest.param({"incomplete": "because"}, id="reason"),
        pytest.param({"request": Request(anomalies=("odd",))}, id="anomaly"),
    ],
)
def test_values_that_are_none_are_refused(change):
    with pytest.raises(ValueError):
        Batch.build([simple_exchange(**change)])


@pytest.mark.parametrize("address", ["192.0.2.1", "::1", "2001:db8::7", "::ffff:192.0.2.1", "fe80::1:0:0:1"])
def test_addresses_come_back_in_their_shortest_form(address):
    value = simple_exchange(client=Address(address, 7), server=Address(address, 8))

    (seen,) = Batch.build([value]).exchanges()

    assert (seen.client, seen.server) == (Address(address, 7), Address(address, 8))


@examples(50)
@given(st.lists(exchanges(), min_size=1, max_size=12), st.lists(st.integers(1, 4), min_size=12, max_size=12))
def test_what_one_reader_has_done_with_goes_at_once(values, steps):
    whole, lent = Batch.build(values), Batch.build(values)
    whole.decode()
    lent.decode()
    before = lent.nbytes
    lent.attach(sole=True)
    start = 0
    for step in steps:
        lent.release(start)
        stop = min(start + step, len(values))
        assert lent.otlp(b"", start, stop) == whole.otlp(b"", start, stop)
        assert lent.jsonl(start, stop) == whole.jsonl(start, stop)
        start = stop
    lent.release(start)
    assert (lent.nbytes, len(lent), lent.exchanges()) == (0, len(values), []) and before > 0
    assert lent.otlp(b"", 0, len(values)) == b""


@examples(50)
@given(
    st.lists(exchanges(), min_size=1, max_size=12),
    st.lists(st.integers(1, 4), min_size=12, max_size=12),
    st.booleans(),
)
def test_a_reader_that_finishes_what_it_reads_sees_the_same(values, steps, release):
    """Piece by piece, each exchange once, in order, and never one that is not finished."""
    whole, lent = Batch.build(values), Batch.build(values)
    masking = Masking(Redaction(headers=("x-mine",)))
    masking(whole, 1000, 10**6)
    asked = []

    def finish(batch, start, stop):
        asked.append((start, stop))
        masking(batch, 1000, 10**6, start, stop)

    lent.attach(finish, sole=True)
    start = 0
    for step in steps:
        if release:
            lent.release(start)
        stop = min(start + step, len(values))
        assert lent.otlp(b"", start, stop) == whole.otlp(b"", start, stop)
        assert lent.jsonl(start, stop) == whole.jsonl(start, stop)
        start = stop
    assert [at for at, _ in asked] == [0, *(at for _, at in asked[:-1])] and asked[-1][1] == len(values)
    if not release:
        assert lent.exchanges() == whole.exchanges()


@pytest.mark.parametrize(
    "read", [Batch.jsonl, Batch.exchanges, lambda batch: batch.otlp(b""), lambda batch: batch.process(9)]
)
def test_what_could_not_be_finished_is_not_read(read):
    batch = Batch.build([simple_exchange()] * 3)

    def faulty(batch, start, stop):
        raise MemoryError(start, stop)

    batch.attach(faulty, sole=True)
    for _ in range(2):
        with pytest.raises(MemoryError, match=r"\(0, 3\)"):
            read(batch)


def test_what_a_finisher_failed_at_is_not_given_to_it_again():
    batch = Batch.build([simple_exchange()] * 600)
    asked = []

    def faulty(batch, start, stop):
        asked.append((start, stop))
        if start:
            raise MemoryError(start)

    batch.attach(faulty)
    for _ in range(2):
        assert batch.jsonl(0, 200).count(b"\n") == 200
        with pytest.raises(MemoryError, match="256"):
            batch.process()
    assert asked == [(0, 256), (256, 600)]


def test_a_batch_that_failed_is_freed_without_the_garbage_collector():
    def faulty(batch, start, stop):
        raise MemoryError

    batch = Batch.build([simple_exchange()])
    batch.attach(faulty)
    gc.collect()
    gc.disable()
    try:
        for _ in range(2):
            with pytest.raises(MemoryError):
                batch.process()
        held = sys.getrefcount(faulty)
        del batch
        assert sys.getrefcount(faulty) == held - 1
    finally:
        gc.enable()


def test_processing_is_done_once_whoever_asks_and_however_often():
    batch = Batch.build([simple_exchange()] * 300)
    asked = []
    batch.attach(lambda batch, start, stop: asked.append((start, stop)))

    for stop in (3, 0, 256, None, 1000, None):
        batch.process(stop)
    batch.jsonl()

    assert asked == [(0, 256), (256, 300)]


def test_several_threads_that_read_process_each_exchange_once_and_in_order():
    request = Request(headers=(("Authorization", "Bearer abc"),), body=b"x" * 100)
    values = [simple_exchange(request=request, start_ns=number, end_ns=number) for number in range(2000)]
    for _ in range(10):
        whole, shared = Batch.build(values), Batch.build(values)
        masking = Masking(Redaction())
        masking(whole)
        asked = []

        def finish(batch, start, stop, asked=asked, masking=masking):
            asked.append((start, stop))
            masking(batch, start=start, stop=stop)

        shared.attach(finish)
        starts = range(0, 2000, 50)
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(shared.jsonl, starts, (start + 50 for start in starts)))
        assert found == [whole.jsonl(start, start + 50) for start in starts]
        assert [at for at, _ in asked] == [0, *(at for _, at in asked[:-1])] and asked[-1][1] == 2000


def test_a_batch_has_one_finisher_which_cannot_read_it():
    batch = Batch.build([simple_exchange()])
    batch.attach(lambda batch, start, stop: batch.jsonl())

    with pytest.raises(ValueError, match="one finisher"):
        batch.attach()
    with pytest.raises(RuntimeError, match="a finisher reads"):
        batch.process()


def test_what_was_given_up_unread_is_not_finished():
    batch = Batch.build([simple_exchange()] * 5)
    asked = []
    batch.attach(lambda batch, start, stop: asked.append((start, stop)), sole=True)

    batch.release(2)
    batch.otlp(b"", 2, 3)
    batch.release(3)
    batch.process(9)

    assert asked == [(2, 5)]


def test_a_long_batch_is_released_across_its_marks():
    values = [simple_exchange(start_ns=number, end_ns=number) for number in range(1000)]
    whole, lent = Batch.build(values), Batch.build(values)
    whole.decode()
    lent.decode()
    lent.attach(sole=True)
    for start in range(0, 1000, 100):
        lent.release(start)
        assert lent.jsonl(start, start + 100) == whole.jsonl(start, start + 100)
    assert lent.jsonl(950, 1000) == whole.jsonl(950, 1000)


def test_a_long_batch_is_finished_a_few_hundred_at_a_time():
    batch = Batch.build([simple_exchange()] * 1000)
    asked = []
    batch.attach(lambda batch, start, stop: asked.append((start, stop)), sole=True)

    for start in range(0, 1000, 64):
        batch.release(start)
        batch.otlp(b"", start, start + 64)

    assert asked == [(0, 256), (256, 512), (512, 768), (768, 1000)]


def test_a_batch_that_several_read_keeps_what_one_has_done_with():
    batch = Batch.build([simple_exchange(), simple_exchange()])
    before = batch.jsonl()

    batch.release(2)

    assert batch.jsonl() == before
