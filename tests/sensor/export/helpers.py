"""Building and watching outputs in tests."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from levo.config import OutputSpec
from levo.config.values import satellite_url
from levo.sensor.export import (
    Destination,
    OtlpSettings,
    Output,
    OutputStatistics,
    QueueLimits,
    RequestLimits,
    RetryPolicy,
    Spool,
    open_destination,
)
from tests.sensor.export.batches import RESOURCE

QUICK = RetryPolicy(initial_s=0.01, ceiling_s=0.05, total_s=20.0, server_ceiling_s=0.05)
"""Retries at once, as far as a test is concerned."""


def otlp_output(
    url: str,
    *,
    spool: Spool | None = None,
    retry: RetryPolicy = QUICK,
    requests: RequestLimits | None = None,
    queue: QueueLimits | None = None,
    timeout_s: float = 5.0,
    **settings: object,
) -> Output:
    """An output to *url* with short waits; more settings of ``OtlpSettings`` by name."""
    address = satellite_url(url)
    otlp = OtlpSettings(address, request_timeout_s=timeout_s, connect_timeout_s=timeout_s, **settings)  # type: ignore[arg-type]
    destination = open_destination(OutputSpec("otlp"), otlp, requests)
    return output_to(destination, spool=spool, retry=retry, queue=queue)


def output_to(
    destination: Destination,
    *,
    spool: Spool | None = None,
    retry: RetryPolicy = QUICK,
    queue: QueueLimits | None = None,
) -> Output:
    return Output(
        destination,
        name="test",
        resource=RESOURCE,
        limits=queue,
        retry=retry,
        spool=spool,
        rng=random.Random(1),
    )


def balanced(output: Output) -> OutputStatistics:
    """A snapshot, checked: every trace is in exactly one state, and no state is negative."""
    seen = output.statistics()
    assert seen.missing == 0, seen
    counts = (seen.exported, seen.queue_full, seen.failed, seen.rejected, seen.spooled, seen.held)
    assert min(counts) >= 0, seen
    return seen


def wait_until(condition: Callable[[], bool], limit_s: float = 60.0) -> None:
    """Poll *condition*; a failure names nothing but the limit, so assert details behind it."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, f"not reached within {limit_s} s"
        threading.Event().wait(0.002)
