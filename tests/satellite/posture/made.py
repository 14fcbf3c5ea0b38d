"""Endpoints that are made up for one rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from levo.satellite.learn.access import CLASSES, Access
from levo.satellite.learn.signs import Sign
from levo.satellite.posture import Finding, Place, evaluate
from levo.satellite.posture.facts import Endpoint, SensitiveData, facts_of


def access(anonymous: Sequence[float] = (), credential: Sequence[float] = (), **times: int) -> Access:
    """Return counts by class, 2xx first; those that are left out are 0."""
    pad = [0.0] * len(CLASSES)
    return Access([*anonymous, *pad][: len(CLASSES)], [*credential, *pad][: len(CLASSES)], **times)


def endpoint(
    name: str, counts: Access, *signs: Sign, fields: Sequence[SensitiveData] = (), **more: Any
) -> Endpoint:
    """Return the endpoint ``METHOD /path``, of production unless *more* has another ``environment``."""
    method, _, path = name.partition(" ")
    host, environment = more.pop("host", "shop.example"), more.pop("environment", "production")
    place = Place("acme", environment, "shop", host, method, path, more.pop("id", 1))
    statuses = more.pop("statuses", {"200": counts.total})
    return Endpoint(
        place, counts.total, round(counts.total), 1, 10**18, statuses, access=counts, sensitive=tuple(fields),
        signs=tuple(signs), **more,
    )  # fmt: skip


def field(kind: str, category: str, location: str = "response-body:200:a", **more: Any) -> SensitiveData:
    """Return a field with sensitive data."""
    return SensitiveData(kind, category, location, 0.9, **{"contained": False, **more})


IBAN = field("iban", "financial")
EMAIL = field("email", "personal", "response-body:200:email")


def found(rule: str, *endpoints: Endpoint) -> list[Finding]:
    """Return what one rule finds."""
    return [each for each in evaluate(facts_of(endpoints)) if each.rule == rule]


def severities(rule: str, *endpoints: Endpoint) -> list[str]:
    """Return how severe is what one rule finds."""
    return [str(each.severity) for each in found(rule, *endpoints)]
