"""Times as the Satellite writes them (RFC 3339)."""

from __future__ import annotations

from datetime import UTC, datetime


def timestamp(time_ns: int) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return (
        datetime.fromtimestamp(time_ns // 1_000_000 / 1000, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )
