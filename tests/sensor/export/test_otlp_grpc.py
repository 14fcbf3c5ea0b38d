"""OTLP/gRPC against a real server built from the official service classes."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from levo.sensor.export import RequestLimits, RetryPolicy, Spool
from tests.helpers.ports import unused_port
from tests.sensor.export.batches import NumberedBatch
from tests.sensor.export.helpers import balanced, otlp_output, wait_until
from tests.sensor.export.receivers import Answer, GrpcReceiver

CODE = grpc.StatusCode
RETRYABLE = (
    CODE.UNAVAILABLE,
    CODE.ABORTED,
    CODE.OUT_OF_RANGE,
    CODE.DATA_LOSS,
    CODE.CANCELLED,
    CODE.DEADLINE_EXCEEDED,
)


@pytest.mark.parametrize("code", RETRYABLE, ids=lambda code: code.name)
def test_a_retryable_status_costs_a_retry_and_no_trace(code: grpc.StatusCode) -> None:
    receiver = GrpcReceiver([Answer(code=code), Answer(code=code)])
    output = otlp_output(f"127.0.0.1:{receiver.port}")
    try:
        output.submit(NumberedBatch(range(4)))
        assert output.flush(20)
        seen = balanced(output)
        assert (seen.exported, seen.retries) == (4, 2)
        assert receiver.seen.numbers == [0, 1, 2, 3]
    finally:
        output.close()
        receiver.close()


def test_resource_exhausted_is_retried_only_with_retry_info() -> None:
    with_info = Answer(code=CODE.RESOURCE_EXHAUSTED, retry_delay_s=0.02)
    without = Answer(code=CODE.RESOURCE_EXHAUSTED)
    receiver = GrpcReceiver([with_info, with_info, Answer(), without])
    output = otlp_output(f"grpc://127.0.0.1:{receiver.port}")
    try:
        output.submit(NumberedBatch([1]))
        assert output.flush(20)
        seen = balanced(output)
        assert (seen.exported, seen.retries) == (1, 2)
        output.submit(NumberedBatch([2]))
        assert output.flush(20)
        seen = balanced(output)
        assert (seen.exported, seen.failed, seen.retries) == (1, 1, 2)
    finally:
        output.close()
        receiver.close()


def test_what_is_on_disk_waits_for_an_exhausted_receiver_that_promises_nothing(tmp_path: Path) -> None:
    without = Answer(code=CODE.RESOURCE_EXHAUSTED)
    receiver = GrpcReceiver([without] * 5)
    output = otlp_output(f"127.0.0.1:{receiver.port}", spool=Spool(tmp_path))
    try:
        output.submit(NumberedBatch(range(4)))
        wait_until(lambda: output.statistics().exported == 4)
        assert balanced(output).retries == 5
        assert receiver.seen.numbers == [0, 1, 2, 3]
    finally:
        output.close()
        receiver.close()


def test_but_not_for_ever(tmp_path: Path) -> None:
    """One that refuses for longer than the policy waits costs a request, not the spool."""
    without = Answer(code=CODE.RESOURCE_EXHAUSTED)
    receiver = GrpcReceiver([without] * 2)
    retry = RetryPolicy(initial_s=0.05, multiplier=1.0, jitter=0.0, total_s=0.001)
    output = otlp_output(f"127.0.0.1:{receiver.port}", spool=Spool(tmp_path), retry=retry)
    try:
        output.submit(NumberedBatch([1]))
        wait_until(lambda: output.statistics().failed == 1)
        output.submit(NumberedBatch([2]))
        wait_until(lambda: output.statistics().exported == 1)
        assert balanced(output).retries == 1
        assert receiver.seen.numbers == [2]
    finally:
        output.close()
        receiver.close()


def test_a_trace_above_the_bound_is_not_tried_again_when_it_exhausts_the_receiver(tmp_path: Path) -> None:
    receiver = GrpcReceiver([Answer(code=CODE.RESOURCE_EXHAUSTED)])
    limits = RequestLimits(bytes=2_000)
    output = otlp_output(f"127.0.0.1:{receiver.port}", spool=Spool(tmp_path), requests=limits)
    try:
        output.submit(NumberedBatch([1], padding=3_000))
        output.submit(NumberedBatch([2]))
        wait_until(lambda: output.statistics().exported == 1)
        seen = balanced(output)
        assert (seen.failed, seen.retries) == (1, 0)
        assert "too large" in (seen.last_error or "")
        assert receiver.seen.numbers == [2]
    finally:
        output.close()
        receiver.close()


@pytest.mark.parametrize("code", [CODE.INVALID_ARGUMENT, CODE.UNIMPLEMENTED, CODE.INTERNAL, CODE.UNKNOWN])
def test_other_statuses_fail_at_once(code: grpc.StatusCode) -> None:
    receiver = GrpcReceiver([Answer(code=code)])
    output = otlp_output(f"127.0.0.1:{receiver.port}")
    try:
        output.submit(NumberedBatch([1]))
        assert output.flush(20)
        seen = balanced(output)
        assert (seen.failed, seen.retries) == (1, 0)
        assert code.name in (seen.last_error or "")
    finally:
        output.close()
        receiver.close()


@pytest.mark.parametrize("code", [CODE.UNAUTHENTICATED, CODE.PERMISSION_DENIED])
def test_a_rejected_organization_is_named(code: grpc.StatusCode) -> None:
    receiver = GrpcReceiver([Answer(code=code)])
    output = otlp_output(f"127.0.0.1:{receiver.port}", organization_id="acme")
    try:
        output.submit(NumberedBatch([1]))
        assert output.flush(20)
        seen = balanced(output)
        assert seen.organization_rejected
        assert "organization 'acme'" in (seen.last_error or "")
    finally:
        output.close()
        receiver.close()


def test_a_partial_success_is_counted_and_not_repeated() -> None:
    receiver = GrpcReceiver([Answer(rejected=1)])
    output = otlp_output(f"127.0.0.1:{receiver.port}")
    try:
        output.submit(NumberedBatch(range(3)))
        assert output.flush(20)
        seen = balanced(output)
        assert (seen.exported, seen.rejected, seen.retries) == (2, 1, 0)
    finally:
        output.close()
        receiver.close()


def test_a_refused_connection_is_tried_again_until_the_receiver_is_there() -> None:
    port = unused_port()
    output = otlp_output(f"127.0.0.1:{port}")
    output.submit(NumberedBatch([1, 2]))
    wait_until(lambda: output.statistics().retries >= 2)
    seen = balanced(output)
    assert seen.held == 2
    assert str(seen.last_error) == f"grpc://127.0.0.1:{port}: Connection refused"
    receiver = GrpcReceiver(port=port)
    try:
        assert output.flush(20)
        assert balanced(output).exported == 2
        assert receiver.seen.numbers == [1, 2]
    finally:
        output.close()
        receiver.close()


def test_an_answer_that_never_comes_is_a_retry() -> None:
    receiver = GrpcReceiver([Answer(stall=True)])
    output = otlp_output(f"127.0.0.1:{receiver.port}", timeout_s=0.3)
    try:
        output.submit(NumberedBatch([1]))
        wait_until(lambda: output.statistics().exported == 1)
        assert balanced(output).retries >= 1
    finally:
        receiver.close()
        output.close()


def test_close_cancels_a_call_that_hangs_and_counts_its_traces() -> None:
    receiver = GrpcReceiver([Answer(stall=True)])
    output = otlp_output(f"127.0.0.1:{receiver.port}", timeout_s=60)
    try:
        output.submit(NumberedBatch([1, 2]))
        wait_until(lambda: receiver.seen.requests == 1)
        output.close(0.05)
        seen = balanced(output)
        assert (seen.failed, seen.held) == (2, 0)
    finally:
        receiver.close()


def test_metadata_says_who_sends_and_metrics_have_their_own_service() -> None:
    receiver = GrpcReceiver()
    output = otlp_output(f"127.0.0.1:{receiver.port}", organization_id="acme", token="t0ken")
    try:
        output.submit_metrics(b"\x0a\x00")
        output.submit(NumberedBatch([1]))
        assert output.flush(20)
        wait_until(lambda: output.statistics().metrics_sent == 1)
        assert receiver.seen.metrics == [b"\x0a\x00"]
        assert receiver.seen.headers[0]["x-levo-organization-id"] == "acme"
        assert receiver.seen.headers[0]["authorization"] == "Bearer t0ken"
    finally:
        output.close()
        receiver.close()
