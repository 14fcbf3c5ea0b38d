"""Traffic against a description that is known beforehand: each request goes straight to its operation.

A catalog has to find out which paths belong together, and cannot tell all of them apart on a host with many
thousands. Here the description says it, so that nothing is decided and nothing is folded. What no path
describes is learned as in a catalog.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote

from levo.satellite.learn import DEFAULT_SETTINGS, LearnSettings, State, Trace, learn
from levo.satellite.learn.knowledge import learn_messages
from levo.satellite.learn.paths.trie import path_keys
from levo.satellite.learn.schema.hyperloglog import hash_key
from levo.satellite.learn.state import counted_weight
from levo.satellite.openapi.catalog import operations_of
from levo.satellite.openapi.comparison.description import Description, Document
from levo.satellite.openapi.comparison.matching import LONGEST_PREFIX
from levo.satellite.openapi.comparison.traffic import Coverage, compare
from levo.satellite.openapi.operation import VARIABLE, Operation, anonymous


@dataclass(slots=True)
class _Step:
    """A segment of described paths, and what may follow it."""

    literals: dict[str, _Step] = field(default_factory=dict)
    mixed: dict[str, tuple[re.Pattern[str], _Step]] = field(default_factory=dict)
    """Segments with fixed text around a parameter, as ``{name}.json``, by how they are written."""
    parameter: _Step | None = None
    paths: dict[str, str] = field(default_factory=dict)
    """What ends here: paths as written, by method."""


class Routes:
    """Finds the described path of a request; where several fit, the one with a literal first."""

    def __init__(self, description: Description) -> None:
        self._top = _Step()
        bases: set[str] = set()
        self._is_cut = not any(";" in each.called for each in description.operations.values())
        """Parameters that segments carry are not told apart, as nobody wrote any into a path."""
        for described in description.operations.values():
            bases.update(described.servers)
            step = self._top
            for segment in filter(None, described.called.split("/")):
                step = _next(step, segment)
            step.paths.setdefault(described.method, described.called)
        self._bases = [
            (base, [part for part in base.split("/") if part])
            for base in sorted({*bases, ""}, key=len, reverse=True)
        ]

    def find(self, method: str, path: str) -> str | None:
        """Return the described path of a request, after what stands before it; None if none fits.

        *path* as sent, without query. Below another path than that of a server only a described path that
        begins with a literal is found.
        """
        told = path.split("/")
        if ";" in path and self._is_cut:
            told = [part.partition(";")[0] for part in told]
        parts = [unquote(part) if "%" in part else part for part in told if part]
        for base, segments in self._bases:
            if parts[: len(segments)] == segments:
                found = _find(self._top, method, parts, len(segments))
                if found is not None:
                    return base + found
        for at in range(1, min(LONGEST_PREFIX, len(parts) - 1) + 1):
            if parts[at] in self._top.literals:
                prefix = "/" + "/".join(parts[:at])
                found = _find(self._top, method, parts, at)
                if found is not None and not any("{" in key for key in path_keys(prefix)):
                    return prefix + found
        return None


def _next(step: _Step, segment: str) -> _Step:
    names = VARIABLE.findall(segment)
    if not names:
        return step.literals.setdefault(unquote(segment), _Step())
    if VARIABLE.fullmatch(segment):
        if step.parameter is None:
            step.parameter = _Step()
        return step.parameter
    written = anonymous(segment)
    if written not in step.mixed:
        fixed = ".+?".join(re.escape(part) for part in written.split("{}"))
        step.mixed[written] = (re.compile(fixed, re.DOTALL), _Step())
    return step.mixed[written][1]


def _find(step: _Step, method: str, parts: list[str], at: int) -> str | None:
    if at == len(parts):
        return step.paths.get(method)
    literal = step.literals.get(parts[at])
    found = None if literal is None else _find(literal, method, parts, at + 1)
    for pattern, mixed in step.mixed.values() if found is None else ():
        if found is None and pattern.fullmatch(parts[at]):
            found = _find(mixed, method, parts, at + 1)
    if found is None and step.parameter is not None:
        found = _find(step.parameter, method, parts, at + 1)
    return found


def check(
    document: Document, traces: Iterable[Trace], settings: LearnSettings = DEFAULT_SETTINGS
) -> Coverage:
    """Compare *document*, an OpenAPI description, with *traces*."""
    routes = Routes(Description(document))
    key = hash_key(settings.caller_key)
    operations: dict[tuple[str, str, str], Operation] = {}
    others = State()
    for trace in traces:
        path = routes.find(trace.method, trace.path)
        if path is None:
            learn(others, trace, settings)
            continue
        operation = operations.setdefault(
            (trace.host, trace.method, path), Operation(trace.method, path, trace.host)
        )
        operation.exchanges += counted_weight(trace.weight)
        learn_messages(operation.knowledge, trace, path, settings.detectors, key)
    return compare(document, [*operations.values(), *operations_of(others)])
