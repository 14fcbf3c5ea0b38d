"""What was learned beside what was described: shadow, unused and deprecated endpoints, and drift."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from levo.satellite.openapi.diff import Change, diff, operations
from levo.satellite.openapi.document import Operation, anonymous, render_document


@dataclass(frozen=True, slots=True)
class Coverage:
    """A description compared with traffic. Endpoints are (method, path)."""

    shadow: tuple[tuple[str, str], ...]
    """Called, not described."""
    unused: tuple[tuple[str, str], ...]
    """Described, not called."""
    deprecated_but_called: tuple[tuple[str, str], ...]
    drift: tuple[Change, ...]
    """How the called differs from the described; breaking is seen from clients of the description."""


def compare(description: Mapping[str, Any], learned: Iterable[Operation]) -> Coverage:
    """Compare *description*, an OpenAPI document, with what was learned of the same application."""
    described = operations(description)
    prefixes = _prefixes(description)
    matched: dict[tuple[str, str], list[Operation]] = {}
    shadow: list[tuple[str, str]] = []
    for operation in learned:
        key = _match(operation, described, prefixes)
        if key is None:
            shadow.append((operation.method, operation.path))
        else:
            matched.setdefault(key, []).append(operation)
    renamed = [
        Operation(o.method, described[key][0], o.host, o.knowledge, o.exchanges, o.statuses)
        for key, found in matched.items()
        for o in found
        if o.knowledge.accepted
    ]
    called = {(method.upper(), described[method, path][0]) for method, path in matched}
    drift = [
        change
        for change in diff(description, render_document("learned", renamed, annotate=False))
        if (change.method, change.path) in called and _is_drift(change)
    ]
    return Coverage(
        tuple(sorted(set(shadow))),
        tuple(sorted((m.upper(), described[m, p][0]) for m, p in described if (m, p) not in matched)),
        tuple(
            sorted(
                (m.upper(), described[m, p][0]) for m, p in matched if described[m, p][2].get("deprecated")
            )
        ),
        tuple(drift),
    )


def _is_drift(change: Change) -> bool:
    """Whether traffic can prove the change: what was not seen may still exist."""
    if change.kind in ("removed", "required", "enum", "format") or change.where in ("operation", "security"):
        return False
    return change.kind in ("added", "type", "optional")


def _prefixes(description: Mapping[str, Any]) -> list[str]:
    """Return the paths of the servers: described paths are below one of them."""
    found = [""]
    for server in description.get("servers") or ():
        url = server.get("url", "") if isinstance(server, Mapping) else ""
        path = "/" + url.partition("://")[2].partition("/")[2] if "://" in url else str(url)
        if path.rstrip("/"):
            found.append(path.rstrip("/"))
    return found


def _match(
    operation: Operation, described: Mapping[tuple[str, str], Any], prefixes: list[str]
) -> tuple[str, str] | None:
    method = operation.method.lower()
    for prefix in prefixes:
        if not operation.path.startswith(prefix):
            continue
        # A GraphQL operation is found under "#" of its endpoint's path; a description knows the path.
        path = anonymous(operation.path[len(prefix) :].partition("#")[0]).rstrip("/") or "/"
        if (method, path) in described:
            return method, path
        segments = path.split("/")
        fits = [key for key in described if key[0] == method and _fits(key[1].split("/"), segments)]
        if fits:
            return min(fits, key=lambda key: (key[1].count("{}"), key[1]))
    return None


def _fits(described: list[str], segments: list[str]) -> bool:
    """Whether a path of *segments* is one of those that *described* stands for."""
    return len(described) == len(segments) and all(
        d == s or "{}" in d for d, s in zip(described, segments, strict=True)
    )
