"""One statement and its answer."""

from __future__ import annotations

from levo.satellite.openapi.comparison.statement import Answer, Spot


def test_only_what_is_contradicted_breaks() -> None:
    spot = Spot("GET", "/p", "response 200").inside("a/b").at("x")

    assert spot.say("type", Answer.CONTRADICTED, 3).breaking
    assert not spot.say("type", Answer.AGREES, 3).breaking
    seen = spot.seen(3)
    assert (seen.where, seen.pointer, seen.kind, seen.breaking) == (
        "response 200 a/b/x",
        "/x",
        "added",
        False,
    )
