"""The kinds of failure."""

from __future__ import annotations

from levo.errors import LevoError
from levo.sensor.export import PermanentExportError, RetryableExportError, SpoolError


def test_each_failure_is_one_of_ours_and_says_what_to_do_next() -> None:
    failures = [RetryableExportError("busy"), PermanentExportError("no"), SpoolError("full")]
    assert all(isinstance(failure, LevoError) and failure.exit_status == 1 for failure in failures)
    assert RetryableExportError("busy", 3.0).retry_after_s == 3.0
    assert failures[0].retry_after_s is None  # type: ignore[attr-defined]
    assert not failures[1].organization_rejected  # type: ignore[attr-defined]
