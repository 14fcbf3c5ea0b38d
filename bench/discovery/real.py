# ruff: noqa: E402 - bench and src are put on the path first
"""What the drivers of real servers share: calls that are recorded, noise, and the comparison with the
description."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import re
import select
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "src")]

from discovery.corpus import Operation
from discovery.score import FAILED, anonymous, called_operations, only_failed, score
from discovery.traffic import Request
from discovery.watch import KEEP
from levo.satellite.learn import State, Trace, learn_all
from levo.satellite.learn.paths.state import ABSENT_STATUSES
from levo.satellite.learn.paths.templates import Catalog

CALLS_NAME = "calls.json"
FUZZED_AT_ONCE = 8
"""Requests of a schema fuzzer each time there is noise."""


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, seconds: float = 400.0) -> None:
    """Return when something listens on the loopback *port*; raise TimeoutError if nothing does in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"nothing listens on 127.0.0.1:{port}")


class Caller:
    """Calls a server and records method, path and status."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self._headers = headers
        self.calls: list[tuple[str, str, int]] = []
        self.broken = 0
        """Calls that ended without an answer, which are not among ``calls``."""
        self.fuzzed: list[tuple[str, str, object]] = []
        """Method, target and body of requests that ``noise`` sends as well (``fuzzed_requests``)."""

    def call(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """Send one request; return status and body."""
        octets = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = dict(self._headers)
        if octets is not None:
            headers["Content-Type"] = "application/json"
        if self._connection.sock is not None and select.select([self._connection.sock], [], [], 0)[0]:
            self._connection.close()  # the server has closed it meanwhile
        try:
            self._connection.request(method, path, octets, headers)
            response = self._connection.getresponse()
            content = response.read()
        except (ConnectionError, http.client.HTTPException):
            self._connection.close()
            self.broken += 1
            return 0, b""
        if response.status >= 500:
            self._connection.close()
        self.calls.append((method, path.partition("?")[0], response.status))
        return response.status, content

    def noise(self, rng: random.Random, known: Iterable[str], count: int) -> None:
        """Ask for what does not exist: scanners' paths, words below known paths, wrong methods."""
        known = list(known)
        for _ in range(count):
            word = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 10)))
            kind = rng.randrange(3)
            if kind == 0:
                self.call(
                    "GET", rng.choice(("/.env", "/wp-login.php", f"/{word}", f"/{word}/{word}.php", "/admin"))
                )
            elif kind == 1:
                self.call(rng.choice(("GET", "POST", "DELETE")), f"{rng.choice(known)}/{word}")
            else:
                self.call(rng.choice(("DELETE", "PATCH", "PUT")), rng.choice(known))
        for _ in range(min(FUZZED_AT_ONCE, len(self.fuzzed))):
            self.call(*self.fuzzed.pop())


def fuzzed_requests(document: dict[str, Any], seed: int, base: str = "") -> list[tuple[str, str, object]]:
    """Return what a schema fuzzer asks of *document*, shuffled: (method, target, body of JSON or None).

    ``BENCH_FUZZ`` says how many requests each operation gets (2), half of them against its schema.
    """
    import hypothesis
    import schemathesis
    from schemathesis import GenerationMode
    from schemathesis.errors import SchemathesisError

    made: list[tuple[str, str, object]] = []
    each = int(os.environ.get("BENCH_FUZZ", "2"))
    quiet = hypothesis.settings(
        max_examples=(each + 1) // 2,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    schema = schemathesis.openapi.from_dict(document)
    for found in schema.get_all_operations() if each else ():
        operation = found.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @quiet
            @hypothesis.seed(seed)
            @hypothesis.given(operation.as_strategy(generation_mode=mode))
            def collect(case: Any) -> None:
                target = base + case.formatted_path
                if case.query:
                    target += "?" + urlencode(case.query, doseq=True)
                body = case.body if isinstance(case.body, (dict, list, str, int, float)) else None
                if target.isascii() and target.isprintable() and " " not in target:
                    made.append((case.method.upper(), target, body))

            with contextlib.suppress(hypothesis.errors.HypothesisException, SchemathesisError):
                collect()
    random.Random(seed).shuffle(made)
    return made


def operations_of(document: dict[str, Any], base: str) -> tuple[Operation, ...]:
    """Return the operations of an OpenAPI or Swagger *document*."""
    methods = ("get", "put", "post", "delete", "patch", "head", "options")
    return tuple(
        Operation(method.upper(), base + path, ())
        for path, item in document["paths"].items()
        for method in item
        if method in methods
    )


def compare(
    name: str,
    operations: tuple[Operation, ...],
    calls: list[tuple[str, str, int]],
    catch_all: frozenset[str],
    traces: Sequence[Trace],
) -> None:
    """Learn *traces*, which the sensor made of *calls*, and print how the templates match what was called.

    A call belongs to the first operation whose template matches it; parameters named in *catch_all* span
    several segments. Calls that match no operation of the description are listed, not scored: a description
    may be incomplete. Nor are operations that only failed, which make no endpoint. What is compared is
    written into the folder that ``BENCH_KEEP`` names, for ``again.py``.
    """
    if os.environ.get(KEEP):
        kept = {
            "name": name,
            "operations": [(each.method, each.template) for each in operations],
            "calls": calls,
            "catch_all": sorted(catch_all),
        }
        (Path(os.environ[KEEP]) / CALLS_NAME).write_text(json.dumps(kept))
    shapes = [(o, _regex(o.template, catch_all)) for o in sorted(operations, key=_specific)]
    index = {id(o): i for i, o in enumerate(operations)}
    seen = Counter((trace.method, trace.path, trace.status) for trace in traces)
    if seen != Counter(calls):
        lost, made_up = Counter(calls) - seen, seen - Counter(calls)
        print(f"    the sensor lost {lost.total()} calls and showed {made_up.total()} that were not made")
    state = learn_all(State(), traces)
    if len(state.paths) != 1:
        raise SystemExit(f"{len(state.paths)} hosts were seen, not one")
    requests, outside = [], Counter[tuple[str, str]]()
    failed = set[tuple[str, str]]()
    for method, path, status in calls:
        if status in ABSENT_STATUSES:
            continue
        match = next((o for o, r in shapes if o.method == method and r.fullmatch(path)), None)
        if match is None:
            outside[method, path] += 1
        elif status >= FAILED:
            failed.add((method, path))
        else:
            requests.append(Request(method, _cut(path, match.template, catch_all), status, index[id(match)]))
    catalog = Catalog(next(iter(state.paths.values())))
    called = called_operations(operations, requests)
    beyond = only_failed(catalog.assign, (*outside, *failed), ((r.method, r.path) for r in requests))
    learned = [
        (method, tuple(t.id.replace("{+}", "{}").strip("/").split("/")))
        for t in catalog.templates
        for method in t.methods
        if (method, t.id) not in beyond
    ]
    assigned: dict[tuple[str, tuple[str, ...]], Counter[int]] = {}
    for request in requests:
        found = catalog.assign(request.path) if request.truth is not None else None
        if found is not None and request.truth is not None:
            key = (request.method, tuple(found.replace("{+}", "{}").strip("/").split("/")))
            assigned.setdefault(key, Counter())[request.truth] += 1
    result, missed, invented = score(called, learned, dict(assigned))
    statuses = Counter(status for _, _, status in calls)
    absent = sum(n for s, n in statuses.items() if s in ABSENT_STATUSES)
    print(
        f"{name}: {len(calls)} calls ({absent} answered as absent), {result.called} of {len(operations)} operations answered with success"  # noqa: E501
    )
    print("   ", result.row())
    for truth in missed:
        print("    missed  ", truth.method, "/" + "/".join(truth.segments), truth.requests)
    for method, segments in invented:
        print("    invented", method, "/" + "/".join(segments))
    for (method, path), count in outside.most_common(8):
        print("    not described", method, path, count)
    for template in catalog.templates:
        print(f"    {template.confidence:.2f} {','.join(template.methods):22} {template.path}")


def _specific(operation: Operation) -> tuple[int, int]:
    segments = operation.template.split("/")
    return (-sum("{" not in s for s in segments), len(segments))


def _regex(template: str, catch_all: frozenset[str]) -> re.Pattern[str]:
    parts = re.split(r"\{([^{}]*)\}", template.rstrip("/"))
    return re.compile(
        "".join(
            re.escape(part) if i % 2 == 0 else ".*" if part in catch_all else "[^/]+"
            for i, part in enumerate(parts)
        )
        + "/?"
    )


def _cut(path: str, template: str, catch_all: frozenset[str]) -> str:
    """Return *path* with what a catch-all spans as one segment, so that it can be compared by position."""
    if not any("{" + name + "}" in template for name in catch_all):
        return path
    match = re.fullmatch(
        "".join(
            re.escape(part) if i % 2 == 0 else "(.*)" if part in catch_all else "([^/]+)"
            for i, part in enumerate(re.split(r"\{([^{}]*)\}", template.rstrip("/")))
        )
        + "/?",
        path,
    )
    values = iter(quote(v, safe="") for v in (match.groups() if match else ()))
    return re.sub(r"\{[^{}]*\}", lambda _: next(values, "x"), template)


__all__ = ["Caller", "anonymous", "compare", "free_port", "operations_of", "wait_for"]
