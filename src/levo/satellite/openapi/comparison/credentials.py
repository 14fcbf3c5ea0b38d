"""Whether requests that succeeded proved who they came from as the description asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from levo.satellite.learn.auth import carries_key
from levo.satellite.learn.schema import Knowledge
from levo.satellite.openapi.comparison.description import Described, Description

_ANY_HEADER = "header:authorization"
"""An Authorization header of a scheme that is not known."""


def unauthorized(described: Described, description: Description, known: Knowledge) -> list[str]:
    """Return the kinds of credentials with which requests succeeded though no requirement allows them."""
    wrong = {}
    for combination, count in known.auth.items():
        seen = set() if combination == "none" else set(combination.split("+"))
        if not any(
            all(_is_satisfied(description.scheme(name), seen, known) for name in requirement)
            for requirement in described.security
        ):
            wrong[combination] = count
    # A redirect to where one signs in is no success.
    redirected = sum(each.seen for status, each in known.responses.items() if status.startswith("3"))
    if sum(wrong.values()) <= redirected:
        return []
    return sorted("anonymous requests" if each == "none" else each for each in wrong)


def _is_satisfied(scheme: Mapping[str, Any], seen: set[str], known: Knowledge) -> bool:
    kind, name = str(scheme.get("type", "")), str(scheme.get("name", ""))
    if kind == "apiKey":
        return _has_key(str(scheme.get("in", "")), name, seen, known)
    if kind in ("oauth2", "openIdConnect"):
        return _has_authorization("bearer", seen)
    if kind == "http":
        return _has_authorization(str(scheme.get("scheme", "")).lower(), seen)
    return True  # a certificate, or a scheme that is not described: traffic cannot tell


def _has_authorization(scheme: str, seen: set[str]) -> bool:
    return any(each == scheme or each.startswith(f"{scheme}:") for each in seen) or _ANY_HEADER in seen


def _has_key(place: str, name: str, seen: set[str], known: Knowledge) -> bool:
    if place == "header":
        name = name.lower()
        if name == "authorization":
            return any(":" not in each or each.startswith(("bearer:", _ANY_HEADER)) for each in seen)
        if carries_key(name):
            return f"header:{name}" in seen
        child = known.headers.children.get(name)
        return child is not None and child.total >= known.heads
    if f"{place}:{name}" in seen:
        return True
    node = known.query if place == "query" else known.cookies
    child = node.children.get(name)
    return node.folded or node.other is not None or (child is not None and child.total >= known.heads)
