"""What rules observe in an endpoint: what it exposes, what it is for, who was let in."""

from __future__ import annotations

from collections.abc import Iterable

from levo.satellite.learn.access import BROKEN, DENIED, REDIRECT
from levo.satellite.learn.sensitive.kinds import Category
from levo.satellite.posture.facts import Endpoint, SensitiveData
from levo.satellite.posture.grades import grade_of
from levo.satellite.posture.model import Evidence

FEWEST = 3
"""Successes of an endpoint before anything is said about who may call it: one could be a test."""
NO_START = frozenset({"OPTIONS", "HEAD", "TRACE", "CONNECT"})
"""Methods about which no rule on access is asked."""
WRITES = frozenset({"PUT", "PATCH", "DELETE"})
_ISSUING = frozenset(
    [
        "login", "signin", "sign-in", "token", "tokens", "oauth", "oauth2", "session", "sessions", "register",
        "signup", "sign-up", "reset", "verify", "otp", "logout", "authenticate", "auth", "password",
    ]
)  # fmt: skip
_ISSUED = frozenset({"jwt", "secret", "one-time-code"})
_MACHINES = frozenset(
    {"webhook", "webhooks", "hook", "hooks", "callback", "callbacks", "telemetry", "collect", "beacon"}
)


def by_host(endpoints: Iterable[Endpoint]) -> list[tuple[Endpoint, ...]]:
    """Return *endpoints* by environment and host, in order."""
    groups: dict[tuple[str, str], list[Endpoint]] = {}
    for each in endpoints:
        groups.setdefault((each.place.environment, each.place.host), []).append(each)
    return [tuple(groups[name]) for name in sorted(groups)]


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


def segments(endpoint: Endpoint) -> list[str]:
    """Return the segments of the path in lower case, without the operation behind ``#``."""
    return [part for part in endpoint.place.path.partition("#")[0].lower().split("/") if part]


def is_issuer(endpoint: Endpoint) -> bool:
    """Whether an endpoint takes a proof of who somebody is and gives a credential for it.

    What it takes comes first; the words of its path only count for POST. A GET is never one.
    """
    if endpoint.place.method in ("GET", "HEAD"):
        return False
    if endpoint.place.method == "POST" and _ISSUING.intersection(segments(endpoint)):
        return True
    takes = any(
        each.category == Category.CREDENTIALS and each.location.startswith("request-body")
        for each in endpoint.sensitive
    )
    gives = any(each.in_success and each.kind in _ISSUED for each in endpoint.sensitive)
    return takes and gives


def is_for_machines(endpoint: Endpoint) -> bool:
    """Whether other programs report something here, which often sign what they send instead."""
    return bool(_MACHINES.intersection(segments(endpoint))) or any(
        "signature" in sign.subject.lower() for sign in endpoint.signs if sign.name == "sent"
    )


def gives_only(endpoint: Endpoint, *media: str) -> bool:
    """Whether all successful answers with a body are of these media types."""
    given = {sign.subject for sign in endpoint.signs_called("gives")}
    return bool(given) and given <= set(media)


def exposed(endpoint: Endpoint) -> list[SensitiveData]:
    """Return what a caller of an endpoint learns: the sensitive fields of its successful answers.

    Left out are finds inside longer texts, pages for people, descriptions of APIs, what the same request has
    sent (fields of the same name), credentials from where they are issued, constant masks, and, below the
    worst grade, what is the same in nearly all answers.
    """
    if endpoint.signs_called("description") or gives_only(endpoint, "text/html"):
        return []
    sent = set[str]()
    if endpoint.place.method not in ("GET", "HEAD"):
        sent = {
            each.location.rpartition("/")[2].rpartition(":")[2]
            for each in endpoint.sensitive
            if each.location.startswith("request-body")
        }
    objects = {sign.subject: sign.count for sign in endpoint.signs_called("objects")}
    masks = {sign.subject for sign in endpoint.signs_called("mask")}
    issuer = is_issuer(endpoint)
    found = []
    for each in endpoint.sensitive:
        if not each.in_success or each.contained:
            continue
        if each.location.rpartition("/")[2].rpartition(":")[2] in sent:
            continue
        if each.category == Category.CREDENTIALS and (issuer or each.location in masks):
            continue
        worst_grade = 4
        few = objects.get(each.location, FEWEST) < FEWEST
        if few and grade_of(each.kind, each.category) < worst_grade:
            continue
        found.append(each)
    return found


def kinds(fields: Iterable[SensitiveData]) -> str:
    """Return the kinds of *fields* as findings show them."""
    return ", ".join(sorted({each.kind for each in fields}))


def refused(endpoint: Endpoint) -> float:
    """Return how many requests without a credential were refused."""
    return endpoint.access.anonymous[DENIED]


def access_evidence(endpoint: Endpoint) -> tuple[Evidence, ...]:
    """Return who was let in, and who was not."""
    access = endpoint.access
    every = (
        Evidence("successes without a credential", endpoint.anonymous, endpoint.successes),
        Evidence("successes with a credential", endpoint.successes - endpoint.anonymous, endpoint.successes),
        Evidence("refusals without a credential", access.anonymous[DENIED]),
        Evidence("redirects without a credential", access.anonymous[REDIRECT]),
        Evidence("server errors", access.anonymous[BROKEN] + access.credential[BROKEN]),
    )
    return tuple(each for each in every if each.count)
