"""What may differ between the two commits, and why. Everything else is a difference."""

from __future__ import annotations

import re
from dataclasses import dataclass

PARTS = ("jsonl", "otlp", "ledger", "openapi", "endpoints", "rest")


@dataclass(frozen=True, slots=True)
class Exempt:
    """Differences that are meant."""

    part: str
    pattern: str
    """A regex, searched in the text of a difference: ``FILE at PLACE: OLD -> NEW``."""
    reason: str

    def covers(self, part: str, text: str) -> bool:
        """Whether this difference is meant."""
        return part == self.part and re.search(self.pattern, text) is not None


@dataclass(frozen=True, slots=True)
class Renamed:
    """A word that became another one: in the old answers, members and texts called *old* are read as *new*.

    A word with a ``/`` is the path of a REST route.
    """

    part: str
    old: str
    new: str
    reason: str


_MASKED = "a credential by the longer table of names, for whose sake more is read as a form or as JSON"
EXEMPT: tuple[Exempt, ...] = (
    Exempt("jsonl", r"/(body|target|query): .* -> .*\*", _MASKED),
    Exempt("otlp", r"/(levo\.http\.\w+\.body|url\.query): .* -> .*\*", _MASKED),
    Exempt("ledger", r"fields_masked", _MASKED),
    Exempt("ledger", r"jupyter-websocket/.*/report/\d+/value: 2 -> 6", _MASKED),
    Exempt("rest", r"^api at /1/paths/~1api~1sensitive/", "one table of sensitive data instead of two"),
    Exempt(
        "rest", r"/sensitive/\d+/contained: absent -> false", "one table of sensitive data instead of two"
    ),
    Exempt("rest", r"kind of a finding", "finding is kept for security posture"),
    Exempt("rest", r"a recogni[sz]ed type", "American spelling"),
    Exempt(
        "rest", r"/alerts/\d+/(subject|text|page): ", "alerts of one time: the same ones in another order"
    ),
)
_FREED = "finding is kept for security posture"
RENAMED: tuple[Renamed, ...] = (
    Renamed("rest", "/api/findings", "/api/sensitive", _FREED),
    Renamed("rest", "findings", "sensitive", _FREED),
    Renamed("rest", "finding", "category", _FREED),
    Renamed("rest", "over", "ended", "a word of the field"),
    Renamed("jsonl", "findings", "anomalies", _FREED),
    Renamed("otlp", "levo.findings", "levo.anomalies", _FREED),
)
"""Filled by the changes that make them necessary."""

# Not compared at all: chosen anew for each run, or figures of the process.
IGNORED_ATTRIBUTES = frozenset({"levo.sensor.id", "service.instance.id", "process.creation.time"})
IGNORED_LOG_FIELDS = frozenset({"time", "level", "message"})
