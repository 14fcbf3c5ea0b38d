"""What a rule saw, and the finding that is made of it."""

from __future__ import annotations

from dataclasses import dataclass

from levo.satellite.posture.facts import Endpoint
from levo.satellite.posture.model import MAX_ALSO_AT, Evidence, Finding, Place, Proof, Rule, Severity

_SECOND_NS = 10**9


@dataclass(frozen=True, slots=True)
class Seen:
    """What a rule saw at *endpoints*, which are not empty."""

    endpoints: tuple[Endpoint, ...]
    severity: Severity
    proof: Proof
    text: str
    subject: str = ""
    evidence: tuple[Evidence, ...] = ()
    why_not: tuple[str, ...] = ()
    last_s: int = 0
    """The latest exchange that showed it; 0: any of the endpoints."""
    everywhere: bool = False
    """It matters as much where only private networks reach it: a credential in an answer."""
    of_host: bool = False
    """One cause for the whole host rather than one at each endpoint."""


def finding_of(rule: Rule, seen: Seen) -> Finding:
    """Return what *rule* says of what it saw."""
    first = seen.endpoints[0]
    place = first.place
    if seen.of_host:
        place = Place(place.organization, place.environment, place.application, place.host)
    last_ns = max(each.last_seen_ns for each in seen.endpoints)
    if seen.last_s:
        last_ns = min(last_ns, (seen.last_s + 1) * _SECOND_NS - 1)
    severity = seen.severity
    if not seen.everywhere and all(each.is_private for each in seen.endpoints):
        severity = severity.step(-1)
    others = seen.endpoints if seen.of_host else seen.endpoints[1:]
    return Finding(
        rule.id,
        rule.title,
        rule.kind,
        severity,
        seen.proof,
        rule.owasp,
        rule.cwe,
        place,
        seen.text,
        seen.subject,
        tuple(each.place for each in others[:MAX_ALSO_AT]),
        seen.evidence,
        min(each.first_seen_ns for each in seen.endpoints),
        last_ns,
        sum(each.exchanges for each in seen.endpoints),
        any(each.exchanges > each.traces for each in seen.endpoints),
        seen.why_not,
        rule.remediation,
        rule.verify,
    )
