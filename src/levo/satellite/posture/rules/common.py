"""What many rules need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from levo.satellite.learn.access import DENIED
from levo.satellite.posture.facts import Endpoint, SensitiveData
from levo.satellite.posture.grades import grade_of
from levo.satellite.posture.model import MAX_ALSO_AT, Evidence, Finding, Place, Proof, Rule, Severity

FEWEST = 3
"""Successes of an endpoint before anything is said about who may call it (one could be a test)."""
NO_START = frozenset({"OPTIONS", "HEAD", "TRACE", "CONNECT"})
"""Methods about which no rule on access is asked."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a rule saw, to be made a finding of."""

    severity: Severity
    proof: Proof
    text: str
    subject: str = ""
    evidence: tuple[Evidence, ...] = ()
    why_not: tuple[str, ...] = ()
    last_s: int = 0
    """The latest exchange that showed it; 0: any of the endpoint."""


def finding_at(rule: Rule, endpoint: Endpoint, seen: Seen) -> Finding:
    """Return what *rule* says of one endpoint."""
    return Finding(
        rule.id,
        rule.title,
        rule.kind,
        seen.severity,
        seen.proof,
        rule.owasp,
        rule.cwe,
        endpoint.place,
        seen.text,
        seen.subject,
        (),
        seen.evidence,
        endpoint.first_seen_ns,
        min(endpoint.last_seen_ns, seen.last_s * 10**9 + 999_999_999)
        if seen.last_s
        else endpoint.last_seen_ns,
        endpoint.exchanges,
        endpoint.exchanges > endpoint.traces,
        seen.why_not,
        rule.remediation,
        rule.verify,
    )


def finding_of_host(rule: Rule, endpoints: Sequence[Endpoint], seen: Seen) -> Finding:
    """Return what *rule* says of a host, which *endpoints* show: not empty, the first in order first."""
    first = finding_at(rule, endpoints[0], seen)
    place = endpoints[0].place
    return replace(
        first,
        place=Place(place.organization, place.environment, place.application, place.host),
        also_at=tuple(each.place for each in endpoints[:MAX_ALSO_AT]),
        first_seen_ns=min(each.first_seen_ns for each in endpoints),
        last_seen_ns=max(each.last_seen_ns for each in endpoints),
        exchanges=sum(each.exchanges for each in endpoints),
        sampled=any(each.exchanges > each.traces for each in endpoints),
    )


def by_host(endpoints: Iterable[Endpoint]) -> list[list[Endpoint]]:
    """Return *endpoints* by environment and host, in order."""
    groups: dict[tuple[str, str], list[Endpoint]] = {}
    for each in endpoints:
        groups.setdefault((each.place.environment, each.place.host), []).append(each)
    return [groups[name] for name in sorted(groups)]


def count(number: float) -> str:
    """Return *number* as findings show it."""
    return f"{number:,.0f}"


def worst(fields: Iterable[SensitiveData]) -> SensitiveData | None:
    """Return the field of the highest grade, the surest of them; None if there is none."""
    return max(
        fields,
        key=lambda each: (grade_of(each.kind, each.category), each.confidence, each.kind, each.location),
        default=None,
    )


def segments(path: str) -> list[str]:
    """Return the segments of *path* in lower case, without the operation behind ``#``."""
    return [part for part in path.partition("#")[0].lower().split("/") if part]


def refused(endpoint: Endpoint) -> float:
    """Return how many requests without a credential were refused."""
    return endpoint.access.anonymous[DENIED]
