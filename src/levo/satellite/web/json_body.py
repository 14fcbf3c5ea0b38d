"""JSON answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.responses import Response


class JsonResponse(Response):
    """Renders with orjson: fast, and non-finite numbers become null."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)


def count(value: float) -> int | float:
    """A weighted count: whole numbers as such."""
    return int(value) if value == int(value) else round(value, 3)


def timestamp(time_ns: int) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return (
        datetime.fromtimestamp(time_ns // 1_000_000 / 1000, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )
