"""The verdict on one change."""

from __future__ import annotations

import pytest

from levo.satellite.openapi.comparison.verdict import Effect, Level, Place


@pytest.mark.parametrize(
    ("effect", "in_request", "in_response"),
    [
        (Effect.NARROWS, Level.BREAKING, Level.COMPATIBLE),
        (Effect.WIDENS, Level.COMPATIBLE, Level.BREAKING),
        (Effect.CHANGES, Level.BREAKING, Level.BREAKING),
        (Effect.NONE, Level.COMPATIBLE, Level.COMPATIBLE),
    ],
)
def test_requests_must_not_allow_less_and_responses_not_more(
    effect: Effect, in_request: Level, in_response: Level
) -> None:
    assert Place("/p", "GET", "request").level(effect) == in_request
    assert Place("/p", "GET", "response 200", response=True).level(effect) == in_response
    assert Place("/p", "GET", "request", muted=True).level(effect) == Level.COMPATIBLE


def test_a_change_reads_as_a_line() -> None:
    change = Place("/p", "GET", "request a/b").at("x").at("*").change("type", Level.WARNING, "a to b")

    assert (str(change), change.pointer) == ("warning  GET /p: request a/b/x/*: type (a to b)", "/x/*")
