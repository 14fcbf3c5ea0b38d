from __future__ import annotations

import json

from levo.satellite.web.json_body import JsonResponse, count, timestamp


def test_counts_are_whole_where_they_can_be() -> None:
    assert [count(value) for value in (3.0, 2.5, 1 / 3)] == [3, 2.5, 0.333]
    assert isinstance(count(3.0), int)


def test_timestamps() -> None:
    assert timestamp(1_700_000_000_123_456_789) == "2023-11-14T22:13:20.123Z"
    assert timestamp(0) == "1970-01-01T00:00:00.000Z"


def test_numbers_that_json_lacks_are_null() -> None:
    assert json.loads(JsonResponse({"a": float("nan"), "b": float("inf")}).body) == {"a": None, "b": None}
