"""What a rule and a finding are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from levo.satellite.posture.facts import Application
    from levo.satellite.posture.seen import Seen
    from levo.satellite.posture.settings import RuleSettings


class Severity(StrEnum):
    """How much a finding matters, least first."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 to 4, so that severities can be compared."""
        return _SEVERITIES.index(self)

    def step(self, by: int) -> Severity:
        """Return the severity *by* steps above, below if negative; the ends stay."""
        return _SEVERITIES[min(len(_SEVERITIES) - 1, max(0, self.rank + by))]


_SEVERITIES = tuple(Severity)


class Proof(StrEnum):
    """How sure it is that what was seen is a weakness."""

    PROVEN = "proven"
    """The answers show it."""
    LIKELY = "likely"
    """Another explanation exists, and the finding names it."""
    HINT = "hint"
    """A reason to look. Never above info."""


class FindingClass(StrEnum):
    """What a finding is about."""

    SECURITY = "security"
    OPERATIONS = "operations"
    ACTIVITY = "activity"


class Authentication(StrEnum):
    """What traffic says about who may call an endpoint."""

    REQUIRED = "required"
    """With a credential it was answered with success, without one it was refused or never let in."""
    OPTIONAL = "optional"
    """It was answered with success with and without a credential."""
    NONE_SEEN = "none seen"
    """Every success was without a credential, and nothing was refused."""
    NOT_RECOGNIZED = "not recognized"
    """Nobody sent a credential of a known form, yet some requests were refused: it may have its own form."""
    UNKNOWN = "unknown"
    """It was never answered with success, or not counted yet."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a finding is. Without a method it is about the whole host."""

    organization: str
    environment: str
    application: str
    host: str
    method: str = ""
    path: str = ""
    """The template as shown."""
    endpoint: int = 0
    """The number of the endpoint; 0 for a whole host. Not part of what a finding is."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One count that speaks for a finding: *count* of *of*, or of an unknown number where that is 0."""

    name: str
    count: float
    of: float = 0.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause, as far as traffic shows it. Holds names and counts, never a value."""

    rule: str
    """The id of the rule."""
    title: str
    kind: FindingClass
    severity: Severity
    proof: Proof
    owasp: tuple[str, ...]
    """Of the OWASP API Security Top 10 of 2023: ``API2``."""
    cwe: tuple[int, ...]
    place: Place
    text: str
    """What was seen, in one or two sentences with its counts."""
    subject: str = ""
    """The name of the field, header, cookie or parameter that it is about; empty if there is none."""
    also_at: tuple[Place, ...] = ()
    """Endpoints that show the same cause, at most :data:`MAX_ALSO_AT`."""
    evidence: tuple[Evidence, ...] = ()
    first_seen_ns: int = 0
    last_seen_ns: int = 0
    """The latest exchange that showed it, as closely as that is counted; 0 if that is not known."""
    exchanges: float = 0.0
    """All exchanges of the endpoints that it is about: grows with traffic that could show it again."""
    sampled: bool = False
    """Counts are estimates: some traces stand for several exchanges."""
    why_not: tuple[str, ...] = ()
    """Other explanations that were not ruled out."""
    remediation: str = ""
    verify: str = ""
    """How traffic will show that it is repaired."""


MAX_ALSO_AT = 50
Check = Callable[["Application", "RuleSettings"], Iterable["Seen"]]
"""A pure function: what a rule sees in the endpoints of one application."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One condition that is looked for. Its texts make its page of the documentation."""

    id: str
    """``AUTH-01``."""
    title: str
    severity: Severity
    """The greatest that it gives."""
    kind: FindingClass
    owasp: tuple[str, ...]
    cwe: tuple[int, ...]
    condition: str
    evidence: str
    false_alarms: str
    """What looks like it and is none, and how that is kept apart."""
    remediation: str
    verify: str
    check: Check
    least: int = 1
    """Exchanges that must have shown it, before the settings say otherwise."""
