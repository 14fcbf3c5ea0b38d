"""Rules on who is let in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from levo.satellite.learn.access import SUCCESS
from levo.satellite.learn.sensitive.kinds import Category
from levo.satellite.posture.facts import Application, Endpoint
from levo.satellite.posture.grades import grade_of
from levo.satellite.posture.model import Authentication, Evidence, FindingClass, Proof, Rule, Severity
from levo.satellite.posture.rules.observed import (
    FEWEST,
    NO_START,
    WRITES,
    access_evidence,
    by_host,
    count,
    exposed,
    gives_only,
    is_for_machines,
    is_issuer,
    kinds,
    refused,
    segments,
    worst,
)
from levo.satellite.posture.seen import Seen
from levo.satellite.posture.settings import RuleSettings

_BY_GRADE = {4: Severity.CRITICAL, 3: Severity.HIGH, 2: Severity.HIGH, 1: Severity.INFO}
_NEARLY_ALL = 0.95
_ADMINISTRATION = frozenset(
    {"admin", "administrator", "administration", "internal", "management", "backoffice", "superuser"}
)
_CREATED = 0.5
_PUBLIC_BY_DESIGN = "It may be public by design: then accept the finding."
_VERSION = re.compile(r"v(\d{1,3})")
_ENOUGH = 20
_BUSY = 50
_SEVERAL = 5


def unknown_credential(endpoint: Endpoint) -> str:
    """Return the header or cookie that may be an endpoint's credential, empty if there is none.

    It stands in nearly all successful requests, no credential of a known form does, and some requests were
    refused.
    """
    if endpoint.authentication is not Authentication.NOT_RECOGNIZED:
        return ""
    sent = [sign for sign in endpoint.signs_called("sent") if sign.of and sign.count >= _NEARLY_ALL * sign.of]
    return max(sent, key=lambda sign: (sign.count, sign.subject)).subject if sent else ""


def _not_recognized(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for endpoint in application.endpoints:
        name = unknown_credential(endpoint)
        if not name or endpoint.anonymous < settings.least:
            continue
        yield Seen(
            (endpoint,), Severity.INFO, Proof.HINT,
            f"{count(refused(endpoint))} requests were refused, and nearly all of the"
            f" {count(endpoint.anonymous)}"
            f" that succeeded had {name}, which is no credential of a known form.",
            name, access_evidence(endpoint),
        )  # fmt: skip


def _sensitive_without(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for endpoint in application.endpoints:
        if endpoint.place.method in NO_START or endpoint.authentication is not Authentication.NONE_SEEN:
            continue
        fields = exposed(endpoint)
        field = worst(fields)
        if field is None:
            continue
        grade = grade_of(field.kind, field.category)
        least = 1 if field.category == Category.CREDENTIALS else settings.least
        # Three records in one answer prove as much as one in each of three.
        objects = [sign.count for sign in endpoint.signs_called("objects") if sign.subject == field.location]
        if not endpoint.anonymous or max([endpoint.anonymous, *objects]) < least:
            continue
        yield Seen(
            (endpoint,), _BY_GRADE[grade], Proof.PROVEN,
            f"All {count(endpoint.anonymous)} successful answers went to requests without a credential,"
            f" and they hold {kinds(fields)}.",
            "", access_evidence(endpoint), (_PUBLIC_BY_DESIGN,), endpoint.access.let_in_s,
            everywhere=field.category == Category.CREDENTIALS,
        )  # fmt: skip


def _write_without(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for host in by_host(application.endpoints):
        with_credentials = sum(1 for each in host if each.access.credential[SUCCESS])
        for endpoint in host:
            method = endpoint.place.method
            created = endpoint.statuses.get("201", 0.0)
            writes = method in WRITES or (method == "POST" and created >= _CREATED * endpoint.successes > 0)
            if not writes or not with_credentials or is_issuer(endpoint) or is_for_machines(endpoint):
                continue
            if endpoint.authentication is not Authentication.NONE_SEEN or endpoint.anonymous < settings.least:
                continue
            yield Seen(
                (endpoint,), Severity.MEDIUM, Proof.LIKELY,
                f"All {count(endpoint.anonymous)} successful {method} requests had no credential, while"
                f" {with_credentials} other endpoints of the host are called with one.",
                "", access_evidence(endpoint), (_PUBLIC_BY_DESIGN,), endpoint.access.let_in_s,
            )  # fmt: skip


def _administration(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for endpoint in application.endpoints:
        named = _ADMINISTRATION.intersection(segments(endpoint))
        if not named or endpoint.place.method in NO_START or is_issuer(endpoint):
            continue
        if endpoint.authentication is not Authentication.NONE_SEEN or endpoint.anonymous < settings.least:
            continue
        if gives_only(endpoint, *_STATIC):
            continue
        yield Seen(
            (endpoint,), Severity.HIGH, Proof.LIKELY,
            f"A path for {sorted(named)[0]} answered all {count(endpoint.anonymous)} requests without a"
            " credential"
            " with success.",
            "", access_evidence(endpoint),
            ("Only its name says that it is not for all.",), endpoint.access.let_in_s,
        )  # fmt: skip


_STATIC = (
    "text/css",
    "text/html",
    "text/javascript",
    "application/javascript",
    "font/woff2",
    "image/png",
    "image/svg+xml",
    "image/x-icon",
)


def _optional(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for endpoint in application.endpoints:
        anonymous, credential = endpoint.anonymous, endpoint.access.credential[SUCCESS]
        if endpoint.place.method in NO_START or is_issuer(endpoint) or refused(endpoint):
            continue
        if min(anonymous, credential) < settings.least:
            continue
        yield Seen(
            (endpoint,), Severity.INFO, Proof.HINT,
            f"{count(anonymous)} of {count(endpoint.successes)} successful requests had no credential, and"
            " none"
            " without one was refused.",
            "", access_evidence(endpoint), (_PUBLIC_BY_DESIGN,), endpoint.access.let_in_s,
        )  # fmt: skip


def _disappeared(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for endpoint in application.endpoints:
        access = endpoint.access
        if endpoint.place.method in NO_START or is_issuer(endpoint):
            continue
        if access.credential[SUCCESS] < _ENOUGH or refused(endpoint) < FEWEST:
            continue
        if endpoint.anonymous < settings.least or access.let_in_since_s <= access.refused_s:
            continue
        yield Seen(
            (endpoint,), Severity.HIGH, Proof.PROVEN,
            f"{count(refused(endpoint))} requests without a credential were refused until some time; since"
            " then all"
            f" {count(endpoint.anonymous)} of them were let in.",
            "", access_evidence(endpoint), (), access.let_in_s,
        )  # fmt: skip


def _basic(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for host in by_host(application.endpoints):
        found = tuple(
            each
            for each in host
            if sum(sign.count for sign in each.signs_called("scheme") if "basic" in sign.subject.split("+"))
            >= settings.least
        )
        if found:
            yield Seen(
                found, Severity.INFO, Proof.PROVEN,
                f"{len(found)} endpoints were called with HTTP Basic: the password itself goes with each"
                " request.",
                "basic", of_host=True,
            )  # fmt: skip


def _weaker_elsewhere(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    groups: dict[tuple[str, str], list[Endpoint]] = {}
    for each in application.endpoints:
        if each.place.method in NO_START or is_issuer(each) or each.successes < settings.least:
            continue
        path = re.sub(r"\{[^{}]*\}", "{}", each.place.path)
        groups.setdefault((each.place.method, re.sub(r"/v\d{1,3}(?=/|$)", "/v*", path, count=1)), []).append(
            each
        )
    for group in groups.values():
        required = [e for e in group if e.authentication is Authentication.REQUIRED and refused(e)]
        for weak in group:
            if weak.authentication not in (Authentication.NONE_SEEN, Authentication.OPTIONAL):
                continue
            strong = next((e for e in required if _differs_by_place(weak, e)), None)
            if strong is None or weak.anonymous < FEWEST:
                continue
            worse = weak.place.environment.lower().startswith("prod") or _version(weak) < _version(strong)
            other = strong.place
            yield Seen(
                (weak, strong), Severity.HIGH if worse else Severity.MEDIUM, Proof.LIKELY,
                f"{count(weak.anonymous)} requests without a credential succeeded here, while {other.method}"
                f" {other.path} in {other.environment} refused all {count(refused(strong))} of them.",
                "", access_evidence(weak),
                ("The two may answer different things under the same name.",), weak.access.let_in_s,
            )  # fmt: skip


def _differs_by_place(one: Endpoint, other: Endpoint) -> bool:
    return one.place.environment != other.place.environment or _version(one) != _version(other)


def _version(endpoint: Endpoint) -> int:
    found = next((_VERSION.fullmatch(part) for part in segments(endpoint) if _VERSION.fullmatch(part)), None)
    return int(found[1]) if found else 0


def _nobody(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for host in by_host(application.endpoints):
        succeeded = tuple(each for each in host if each.successes)
        exchanges = sum(each.access.total for each in host)
        if exchanges < settings.least or len(succeeded) < _SEVERAL:
            continue
        if any(each.successes > each.anonymous or refused(each) for each in host):
            continue
        writes = tuple(each for each in succeeded if each.place.method in WRITES)
        if writes:
            yield Seen(
                (*writes, *(each for each in succeeded if each not in writes)), Severity.LOW, Proof.LIKELY,
                f"None of {count(exchanges)} exchanges of {len(succeeded)} endpoints had a credential or was"
                " refused,"
                f" {len(writes)} of them write.",
                "", (Evidence("exchanges without a credential", exchanges, exchanges),),
                ("Callers may be told apart in another way, such as by their network.",), of_host=True,
            )  # fmt: skip


RULES = (
    Rule(
        "AUTH-00", "Credential not recognized", Severity.INFO, FindingClass.SECURITY, (), (),
        "Some requests were refused (401, 403), no request that succeeded had a credential of a known form,"
        " and one"
        " non-standard header or cookie was sent with at least 95 % of those that succeeded.",
        "Successes and refusals without a known credential; the name of the header or cookie.",
        "This rule is what keeps such an endpoint out of the other rules on access.",
        "If the header or cookie is a credential, say so, or have clients send it as `Authorization`.",
        "It goes when requests that succeed have a credential of a known form.",
        _not_recognized, FEWEST,
    ),
    Rule(
        "AUTH-01", "Sensitive data without authentication", Severity.CRITICAL, FindingClass.SECURITY,
        ("API2", "API3"), (306,),
        "Every successful answer went to a request without a credential, none without one was refused, and"
        " the"
        " answers hold sensitive data: critical for credentials, financial and health data, high for identity"
        " numbers, dates of birth, e-mail addresses and telephone numbers, info for names and cities. Three"
        " answers, or three objects in them, are needed, one for credentials.",
        "Successes and refusals with and without a credential; the kinds of data.",
        "Not looked at: redirects, OPTIONS and HEAD, web pages, descriptions of APIs, data inside longer"
        " texts, what"
        " the same request sent, tokens from where they are issued, placeholders of few characters, fields"
        " that a"
        " user rejected. Below the gravest kinds fewer than three different objects say nothing (a support"
        " address).",
        "Ask for a credential at this endpoint, or take the data out of its answer.",
        "Requests without a credential are refused (401), and none succeeds any more.",
        _sensitive_without, FEWEST,
    ),
    Rule(
        "AUTH-02", "Write without authentication", Severity.MEDIUM, FindingClass.SECURITY, ("API2", "API5"),
        (306,),
        "PUT, PATCH or DELETE, or a POST of which at least half answered 201, succeeded only without a"
        " credential,"
        " while another endpoint of the host is called with one.",
        "Successes and refusals with and without a credential.",
        "A POST that answers 200 may be a query, so it does not count. Left out: endpoints that issue"
        " credentials,"
        " and those for webhooks and telemetry, which are signed or public.",
        "Ask for a credential before anything is changed.",
        "Requests without a credential are refused (401), and none succeeds any more.",
        _write_without, FEWEST,
    ),
    Rule(
        "AUTH-03", "Administrative path without authentication", Severity.HIGH, FindingClass.SECURITY,
        ("API5",), (306,),
        "A segment of the path is admin, administrator, administration, internal, management, backoffice or"
        " superuser, and every success was without a credential.",
        "Successes and refusals with and without a credential.",
        "Redirects (to a log-in page) do not count as success; pages, scripts, styles and images are left"
        " out.",
        "Ask for a credential with the right for it, or make the path reachable from inside only.",
        "Requests without a credential are refused (401, 403), and none succeeds any more.",
        _administration, FEWEST,
    ),
    Rule(
        "AUTH-04", "Authentication is optional", Severity.INFO, FindingClass.SECURITY, ("API2",), (306,),
        "At least three requests succeeded with and three without a credential, and none without one was"
        " refused.",
        "Successes with and without a credential.",
        "Shops and search pages are like this by design, so it is a hint.",
        "If all callers should be known, refuse those that are not.",
        "Requests without a credential are refused.",
        _optional, FEWEST,
    ),
    Rule(
        "AUTH-05", "Authentication disappeared", Severity.HIGH, FindingClass.SECURITY, ("API2",), (306,),
        "At least 20 requests succeeded with a credential and three without one were refused, all of them"
        " before the"
        " first one without a credential that succeeded.",
        "Successes and refusals with and without a credential; when the last was refused and the first let"
        " in.",
        "One refusal after the first success silences it: then the endpoint decides request by request.",
        "Look at what was deployed when the first request without a credential succeeded.",
        "Requests without a credential are refused again.",
        _disappeared, FEWEST,
    ),
    Rule(
        "AUTH-07", "HTTP Basic authentication", Severity.INFO, FindingClass.SECURITY, ("API2",), (522,),
        "Successful requests had the scheme Basic (RFC 7617).",
        "The endpoints, once for a host.",
        "None: it is a fact. Over TLS and between machines it may be all that is needed.",
        "Issue tokens that end by themselves and can be taken back.",
        "No successful request has Basic any more.",
        _basic, 1,
    ),
    Rule(
        "AUTH-08", "Weaker authentication in another environment or version", Severity.HIGH,
        FindingClass.SECURITY,
        ("API9", "API2"), (306,),
        "The same method and path asks for a credential in one environment or version (`/v1`, `/v2`) and lets"
        " requests without one in at the other; high where the weaker one is production or the older"
        " version.",
        "Successes and refusals on the weaker side; the place of the stronger.",
        "Both sides need 20 successes, and the stronger one must have refused a request.",
        "Have all environments and versions ask alike, or take the weaker one out of service.",
        "Requests without a credential are refused on both sides.",
        _weaker_elsewhere, _ENOUGH,
    ),
    Rule(
        "AUTH-09", "Nobody ever authenticates here", Severity.LOW, FindingClass.SECURITY, ("API2",), (306,),
        "At least 50 exchanges of at least five endpoints of a host had no credential, none was refused, and"
        " a PUT,"
        " PATCH or DELETE succeeded.",
        "Exchanges without a credential, once for a host.",
        "Hosts that only read are silent.",
        "Ask for a credential where something is changed, or say who else may reach the host.",
        "Requests without a credential are refused.",
        _nobody, _BUSY,
    ),
)  # fmt: skip
