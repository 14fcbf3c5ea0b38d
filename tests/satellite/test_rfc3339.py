"""Times as text."""

from __future__ import annotations

from levo.satellite.rfc3339 import timestamp


def test_a_time_is_in_utc_with_milliseconds() -> None:
    assert timestamp(0) == "1970-01-01T00:00:00.000Z"
    assert timestamp(1_700_000_000_123_456_789) == "2023-11-14T22:13:20.123Z"
