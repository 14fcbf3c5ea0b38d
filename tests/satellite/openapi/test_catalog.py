"""State to operations."""

from __future__ import annotations

from tests.satellite.openapi.learned import operations, trace


def test_noise_is_no_operation_and_values_are_one() -> None:
    found = operations(
        [trace("GET", f"/users/{n}", 200) for n in range(9)] + [trace("GET", "/wp-admin", 404)]
    )

    assert [(o.method, o.path, o.exchanges) for o in found] == [("GET", "/users/{userId}", 9.0)]
