"""Attempts: how often, how long, and what becomes of a request in the end."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from levo.sensor.export import (
    EncodedRequest,
    ExportBatch,
    PermanentExportError,
    Receipt,
    RetryableExportError,
    RetryPolicy,
)
from levo.sensor.export.closing import Closing
from levo.sensor.export.counters import OutputCounters
from levo.sensor.export.failure import ExhaustedError, HandshakeError
from levo.sensor.export.queue import Taken
from levo.sensor.export.sender import LatestMetrics, Retry, Sender

SOON = RetryPolicy(initial_s=0.0, ceiling_s=0.0, total_s=3600)
NEVER = RetryPolicy(initial_s=0.0, ceiling_s=0.0, total_s=0.0)


@dataclass
class Scripted:
    """A destination that answers as told, then with success."""

    answers: list[Exception] = field(default_factory=list)
    timeouts: list[float | None] = field(default_factory=list)
    consumes = False

    def encode(self, batch: ExportBatch, resource: bytes) -> Iterator[EncodedRequest]:
        raise NotImplementedError

    def send(self, request: EncodedRequest, timeout_s: float | None = None) -> Receipt:
        self.timeouts.append(timeout_s)
        if self.answers:
            raise self.answers.pop(0)
        return Receipt(bytes_sent=3)

    def send_metrics(self, encoded: bytes, timeout_s: float | None = None) -> Receipt:
        return self.send(EncodedRequest(0, encoded), timeout_s)

    def close(self) -> None:
        pass

    def abandon(self) -> None:
        pass


class Steps:
    """The last steps of an output, with one trace in memory and one on disk."""

    def __init__(self, answers: list[Exception], policy: RetryPolicy = SOON) -> None:
        self.destination = Scripted(answers)
        self.closing = Closing()
        self.counters = OutputCounters("test", self.closing)
        self.sender = Sender(self.destination, "test", self.closing, self.counters)
        self.retry = Retry(self.sender, policy, random.Random(1), self.closing, self.counters)
        self.counters.hold(1, 100)
        self.counters.recover(1, 0)
        self.fates: list[str] = []

    def deliver(self, *, on_disk: bool) -> list[str]:
        """What the queue is told of a request."""
        self.fates = []
        put_back = (lambda: self.fates.append("put back")) if on_disk else None
        self.retry.deliver(Taken(EncodedRequest(1, b"abc"), lambda: self.fates.append("settled"), put_back))
        assert self.counters.snapshot(0).missing == 0
        return self.fates


def test_what_is_in_memory_is_tried_until_it_is_delivered() -> None:
    steps = Steps([RetryableExportError("busy")] * 5)
    assert steps.deliver(on_disk=False) == ["settled"]
    seen = steps.counters.snapshot(0)
    assert (seen.exported, seen.retries, seen.held, seen.bytes_sent) == (1, 5, 0, 3)


def test_what_is_on_disk_is_tried_once_and_put_back() -> None:
    steps = Steps([RetryableExportError("busy")] * 2, NEVER)
    assert [steps.deliver(on_disk=True) for _ in range(3)] == [["put back"], ["put back"], ["settled"]]
    seen = steps.counters.snapshot(0)
    assert (seen.exported, seen.retries, seen.spooled) == (1, 2, 0)


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize(
    "error",
    [
        pytest.param(PermanentExportError("no", organization_rejected=True), id="permanent"),
        pytest.param(ZeroDivisionError("secret"), id="a fault"),
        pytest.param(ExhaustedError("no room"), id="exhausted, past the time of the policy"),
    ],
)
def test_what_never_will_be_delivered_is_given_up_at_once(error: Exception, on_disk: bool) -> None:
    steps = Steps([error], NEVER)
    assert steps.deliver(on_disk=on_disk) == ["settled"]
    seen = steps.counters.snapshot(0)
    assert (seen.failed, seen.retries) == (1, 0)
    assert seen.organization_rejected == getattr(error, "organization_rejected", False)
    assert "secret" not in str(seen)


def test_only_what_is_on_disk_waits_for_an_exhausted_receiver() -> None:
    steps = Steps([ExhaustedError("no room")])
    assert steps.deliver(on_disk=True) == ["put back"]
    steps = Steps([ExhaustedError("no room")])
    assert steps.deliver(on_disk=False) == ["settled"]
    assert steps.counters.snapshot(0).failed == 1


@pytest.mark.parametrize(
    ("error", "policy"),
    [
        pytest.param(RetryableExportError("busy", 1.0), NEVER, id="past the time of the policy"),
        pytest.param(HandshakeError("who?"), RetryPolicy(waits_for_repair=False), id="only a repair helps"),
    ],
)
def test_memory_is_not_kept_for_a_retry_that_the_policy_forbids(
    error: Exception, policy: RetryPolicy
) -> None:
    steps = Steps([error], policy)
    assert steps.deliver(on_disk=False) == ["settled"]
    seen = steps.counters.snapshot(0)
    assert (seen.failed, seen.retries, seen.last_loss) == (1, 0, str(error))


def test_an_attempt_has_no_more_time_than_close_leaves() -> None:
    steps = Steps([])
    steps.sender.send(EncodedRequest(1, b""))
    steps.closing.begin(3600)
    steps.sender.send(EncodedRequest(1, b""))
    first, second = steps.destination.timeouts
    assert first is None and second is not None and 3000 < second <= 3600

    late = Steps([])
    late.closing.begin(0)
    assert late.deliver(on_disk=False) == ["settled"]
    assert late.deliver(on_disk=True) == ["put back"]
    assert late.destination.timeouts == []
    assert late.counters.snapshot(0).failed == 1


def test_metrics_are_sent_once_and_a_newer_message_replaces_what_waits() -> None:
    steps = Steps([RetryableExportError("busy")])
    metrics = LatestMetrics(steps.closing, steps.counters)
    metrics.send_with(steps.sender)
    assert steps.destination.timeouts == []
    for encoded in (b"old", b"new"):
        metrics.submit(encoded)
    assert metrics.waiting and metrics.pending
    metrics.send_with(steps.sender)
    assert not metrics.pending
    metrics.submit(b"newer")
    metrics.send_with(steps.sender)
    metrics.submit(b"dropped")
    metrics.drop()
    steps.closing.begin(3600)
    metrics.submit(b"late")
    assert not metrics.waiting
    seen = steps.counters.snapshot(0)
    assert (seen.metrics_sent, seen.metrics_failed, seen.last_error) == (1, 4, "busy")
