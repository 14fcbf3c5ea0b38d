"""Operations learned from made-up traffic."""

from __future__ import annotations

from typing import Any

import orjson

from levo.satellite.learn import State, Trace, learn_all
from levo.satellite.learn.trace import Origin
from levo.satellite.openapi import Operation
from levo.satellite.openapi.catalog import operations_of

JSON = (("content-type", "application/json"),)
ORIGIN = Origin("acme", "staging", "shop", "s")


def trace(
    method: str,
    path: str,
    status: int,
    sent: Any = None,
    received: Any = None,
    query: str = "",
    host: str = "shop.example",
    scheme: str = "",
) -> Trace:
    return Trace(
        ORIGIN, host, method, path, status, 1.0, 1_700_000_000 * 10**9,
        1_700_000_001 * 10**9, query, "",
        (*JSON, ("authorization", "Bearer ***")), JSON,
        b"" if sent is None else orjson.dumps(sent), b"" if received is None else orjson.dumps(received),
        scheme=scheme,
    )  # fmt: skip


def shop(times: int = 40) -> list[Trace]:
    traces = []
    for n in range(times):
        user = {"id": n, "email": f"u{n}@example.org", "status": ("active", "locked")[n % 2], "note": None}
        traces.append(trace("GET", f"/users/{n}", 200, received=user, query="expand=true"))
        traces.append(trace("POST", "/users", 201, {"email": f"u{n}@example.org"}, user))
        event = {"type": "created", "by": "x"} if n % 2 else {"type": "deleted", "reason": "y"}
        traces.append(trace("GET", "/events", 200, received=[event]))
    return traces


def operations(traces: list[Trace]) -> list[Operation]:
    return operations_of(learn_all(State(), traces))
