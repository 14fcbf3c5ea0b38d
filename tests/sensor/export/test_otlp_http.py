"""OTLP/HTTP against a real server that decodes with the official library."""

from __future__ import annotations

import pytest

from levo.sensor.export import RequestLimits, RetryPolicy
from tests.helpers.ports import unused_port
from tests.sensor.export.batches import NumberedBatch
from tests.sensor.export.helpers import balanced, otlp_output, wait_until
from tests.sensor.export.receivers import Answer, HttpReceiver

FAULTS = {
    "503 with Retry-After": Answer(status=503, headers=(("retry-after", "1"),)),
    "429 with an HTTP date": Answer(status=429, headers=(("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"),)),
    "429 with nonsense": Answer(status=429, headers=(("retry-after", "soon"),)),
    "502": Answer(status=502),
    "504": Answer(status=504),
    "reset without an answer": Answer(reset="before"),
    "reset inside the answer": Answer(reset="inside"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_passing_fault_costs_a_retry_and_no_trace(fault: Answer) -> None:
    receiver = HttpReceiver([fault, fault])
    output = otlp_output(f"http://127.0.0.1:{receiver.port}")
    try:
        assert output.submit(NumberedBatch(range(5)))
        assert output.flush(20)
        seen = balanced(output)
        assert (seen.exported, seen.retries, seen.requests) == (5, 2, 1)
        assert receiver.seen.numbers == [0, 1, 2, 3, 4]
    finally:
        output.close()
        receiver.close()
    balanced(output)


@pytest.mark.parametrize("status", [400, 404, 405, 408, 413, 415, 500, 501, 301, 302])
def test_other_statuses_fail_at_once(status: int) -> None:
    receiver = HttpReceiver([Answer(status=status, headers=(("location", "/elsewhere"),))])
    output = otlp_output(f"http://127.0.0.1:{receiver.port}")
    try:
        output.submit(NumberedBatch(range(3)))
        assert output.flush(20)
        seen = balanced(output)
        assert (seen.failed, seen.exported, seen.retries) == (3, 0, 0)
        assert f"HTTP {status}" in (seen.last_error or "")
        assert receiver.seen.requests == 1
        output.submit(NumberedBatch([9]))
        assert output.flush(20)
        assert balanced(output).exported == 1
    finally:
        output.close()
        receiver.close()


@pytest.mark.parametrize("status", [401, 403])
def test_a_rejected_organization_is_named_and_forgotten_when_it_is_accepted(status: int) -> None:
    receiver = HttpReceiver([Answer(status=status)])
    output = otlp_output(f"http://127.0.0.1:{receiver.port}", organization_id="acme", token="s3cret")
    try:
        output.submit(NumberedBatch([1]))
        assert output.flush(20)
        seen = balanced(output)
        assert seen.organization_rejected
        assert "organization 'acme'" in (seen.last_error or "")
        assert "s3cret" not in repr(seen)
        output.submit(NumberedBatch([2]))
        assert output.flush(20)
        assert not balanced(output).organization_rejected
    finally:
        output.close()
        receiver.close()


def test_a_partial_success_is_counted_and_not_repeated() -> None:
    receiver = HttpReceiver([Answer(rejected=2)])
    output = otlp_output(f"http://127.0.0.1:{receiver.port}")
    try:
        output.submit(NumberedBatch(range(5)))
        assert output.flush(20)
        seen = balanced(output)
        assert (seen.exported, seen.rejected, seen.retries) == (3, 2, 0)
        assert seen.last_error == "the receiver rejected 2 of 5 traces"
        assert receiver.seen.requests == 1
    finally:
        output.close()
        receiver.close()


def test_a_receiver_that_rejects_more_than_was_sent_does_not_unbalance_the_ledger() -> None:
    output_of = NumberedBatch(range(2))
    receiver = HttpReceiver([Answer(status=299)])
    output = otlp_output(f"http://127.0.0.1:{receiver.port}")
    try:
        receiver.seen.answers.appendleft(Answer(rejected=2**40))
        output.submit(output_of)
        output.submit(NumberedBatch([3]))
        assert output.flush(20)
        seen = balanced(output)
        assert (seen.rejected, seen.exported) == (2, 1)
    finally:
        output.close()
        receiver.close()


def test_a_refused_connection_is_tried_again_until_the_receiver_is_there() -> None:
    port = unused_port()
    output = otlp_output(f"http://127.0.0.1:{port}")
    output.submit(NumberedBatch([1, 2]))
    wait_until(lambda: output.statistics().retries >= 2)
    seen = balanced(output)
    assert seen.held == 2
    assert "refused" in (seen.last_error or "")
    receiver = HttpReceiver(port=port)
    try:
        assert output.flush(20)
        assert balanced(output).exported == 2
        assert receiver.seen.numbers == [1, 2]
    finally:
        output.close()
        receiver.close()


def test_an_answer_that_never_comes_is_a_retry() -> None:
    receiver = HttpReceiver([Answer(stall=True)])
    output = otlp_output(f"http://127.0.0.1:{receiver.port}", timeout_s=0.1)
    try:
        output.submit(NumberedBatch([1]))
        wait_until(lambda: output.statistics().exported == 1)
        seen = balanced(output)
        assert seen.retries >= 1
        assert "no answer in time" in (seen.last_error or "")
    finally:
        output.close()
        receiver.close()


def test_retries_end_and_the_traces_are_counted_as_failed() -> None:
    receiver = HttpReceiver([Answer(status=503)] * 1000)
    patience = RetryPolicy(initial_s=0.005, ceiling_s=0.01, total_s=0.05)
    output = otlp_output(f"http://127.0.0.1:{receiver.port}", retry=patience)
    try:
        output.submit(NumberedBatch([1, 2]))
        assert output.flush(20)
        seen = balanced(output)
        assert (seen.failed, seen.exported) == (2, 0)
        assert seen.retries >= 1
    finally:
        output.close()
        receiver.close()


def test_a_request_says_who_sends_and_goes_below_the_prefix() -> None:
    receiver = HttpReceiver()
    output = otlp_output(f"http://127.0.0.1:{receiver.port}/in/", organization_id="acme", token="t0ken")
    try:
        output.submit(NumberedBatch([1]))
        output.submit_metrics(b"\x0a\x00")
        assert output.flush(20)
        wait_until(lambda: output.statistics().metrics_sent == 1)
        assert sorted(set(receiver.seen.paths)) == ["/in/v1/metrics", "/in/v1/traces"]
        assert receiver.seen.metrics == [b"\x0a\x00"]
        headers = receiver.seen.headers[0]
        assert headers["x-levo-organization-id"] == "acme"
        assert headers["authorization"] == "Bearer t0ken"
        assert headers["content-type"] == "application/x-protobuf"
        assert headers["content-encoding"] == "gzip"
    finally:
        output.close()
        receiver.close()


def test_a_large_batch_goes_in_several_bounded_requests_in_order() -> None:
    receiver = HttpReceiver()
    limits = RequestLimits(bytes=10_000, traces=30)
    output = otlp_output(f"http://127.0.0.1:{receiver.port}", requests=limits)
    try:
        output.submit(NumberedBatch(range(100), padding=10))
        output.submit(NumberedBatch(range(100, 120), padding=2_000))
        output.submit(NumberedBatch([120], padding=50_000))
        assert output.flush(20)
        assert balanced(output).exported == 121
        assert receiver.seen.numbers == list(range(121))
        assert all(len(body) <= limits.bytes for body in receiver.seen.bodies[:-1])
        assert len(receiver.seen.bodies[-1]) > limits.bytes
    finally:
        output.close()
        receiver.close()


@pytest.mark.parametrize("kind", ["endless", "not HTTP", "garbage protobuf", "chunked nonsense"])
def test_a_strange_answer_is_bounded_and_the_next_request_is_sound(kind: str) -> None:
    """An endless answer is cut off; what is no HTTP answer is a retry; garbage in a success says nothing."""
    answers = {
        "endless": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"fffff\r\n" + b"x" * 200_000,
        "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
        "garbage protobuf": b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n"
        b"connection: close\r\ncontent-length: 4\r\n\r\n\xff\xff\xff\xff",
        "chunked nonsense": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    }
    receiver = HttpReceiver([Answer(raw=answers[kind])])
    output = otlp_output(f"http://127.0.0.1:{receiver.port}")
    try:
        output.submit(NumberedBatch([1]))
        output.submit(NumberedBatch([2]))
        assert output.flush(20)
        seen = balanced(output)
        assert seen.exported == 2
        assert seen.retries == (0 if kind in ("endless", "garbage protobuf") else 1)
    finally:
        output.close()
        receiver.close()
