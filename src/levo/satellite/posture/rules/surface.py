"""Rules on what can be reached: debugging, descriptions, old versions, errors."""

from __future__ import annotations

import re
from collections.abc import Iterator

from levo.satellite.learn.access import BROKEN
from levo.satellite.learn.marks import STACK
from levo.satellite.posture.facts import Application, Endpoint
from levo.satellite.posture.model import Authentication, Evidence, FindingClass, Proof, Rule, Severity
from levo.satellite.posture.rules.observed import access_evidence, by_host, count, gives_only, segments
from levo.satellite.posture.seen import Seen
from levo.satellite.posture.settings import RuleSettings

_DEBUGGING = re.compile(
    r"/actuator/(?:env|heapdump|threaddump|configprops|mappings|beans|loggers|trace|httptrace|dump)|/heapdump"
    r"|/phpinfo(?:\.php)?|/server-status|/\.env(?:\.\w+)?|/\.git/.*|/debug/(?:pprof|vars)(?:/.*)?|/console"
    r"|/.*\.(?:bak|sql|sqlite3?|pem|key|old|swp)|/wp-config\.php.*|/trace\.axd|/elmah\.axd",
    re.IGNORECASE,
)
_DESCRIPTION = re.compile(
    r"(?:/.*)?/(?:openapi|swagger)(?:\.(?:json|ya?ml))?|(?:/.*)?/(?:v\d/)?api-docs(?:/.*)?|(?:/.*)?/swagger-ui(?:/.*)?"
    r"|(?:/.*)?/(?:graphiql|redoc|playground|altair)(?:/.*)?|(?:/.*)?/swagger\.json",
    re.IGNORECASE,
)
_VERSION = re.compile(r"v(\d{1,3})")
_SHARE = 0.01
_BROKEN_SHARE = 0.2
_FAILURES = 5
_REFLECTION = re.compile(r"/grpc\.reflection\.v1(?:alpha)?\.ServerReflection(?:/.*)?")
_FORMS = frozenset({"application/x-www-form-urlencoded", "application/xml", "text/xml"})


def _debugging(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for endpoint in application.endpoints:
        path = endpoint.place.path
        if endpoint.place.method not in ("GET", "POST") or not _DEBUGGING.fullmatch(path):
            continue
        if endpoint.successes < settings.least or (gives_only(endpoint, "text/html") and "." in path):
            continue  # a single page for every path answers with HTML
        anonymous = endpoint.authentication is Authentication.NONE_SEEN
        yield Seen(
            (endpoint,), Severity.HIGH if anonymous else Severity.MEDIUM, Proof.LIKELY,
            f"{count(endpoint.successes)} requests for what is meant for developers were answered with"
            " success,"
            f" {count(endpoint.anonymous)} of them without a credential.",
            "", access_evidence(endpoint), ("Only its name says what it is.",),
        )  # fmt: skip


def _description(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for endpoint in application.endpoints:
        told = endpoint.signs_called("description") or _DESCRIPTION.fullmatch(endpoint.place.path)
        if endpoint.place.method != "GET" or not told or endpoint.anonymous < settings.least:
            continue
        yield Seen(
            (endpoint,), Severity.INFO, Proof.PROVEN,
            f"A description or console of the API was given to {count(endpoint.anonymous)} requests without a"
            " credential.",
            "", access_evidence(endpoint), ("Public APIs publish theirs.",), endpoint.access.let_in_s,
        )  # fmt: skip


def _trace_method(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for host in by_host(application.endpoints):
        found = tuple(
            each
            for each in host
            if each.place.method in ("TRACE", "CONNECT") and each.successes >= settings.least
        )
        if found:
            times = sum(each.successes for each in found)
            yield Seen(
                found, Severity.MEDIUM, Proof.PROVEN,
                f"{count(times)} requests with the method {found[0].place.method} were answered with"
                " success.",
                found[0].place.method, (Evidence("successes", times),), of_host=True,
            )  # fmt: skip


def _reflection(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for host in by_host(application.endpoints):
        found = tuple(
            each
            for each in host
            if _REFLECTION.fullmatch(each.place.path) and each.successes >= settings.least
        )
        if found:
            yield Seen(
                found, Severity.LOW, Proof.PROVEN,
                "The server tells callers all its gRPC services and messages.", "",
                (Evidence("successes", sum(each.successes for each in found)),), of_host=True,
            )  # fmt: skip


def _old_version(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for endpoint in application.endpoints:
        for sign in endpoint.signs_called("answers"):
            if sign.count >= settings.least:
                yield Seen(
                    (endpoint,), Severity.LOW, Proof.PROVEN,
                    f"{count(sign.count)} answers that were looked into said with {sign.subject} that the"
                    " endpoint"
                    " goes away, and it is still called.",
                    sign.subject, (Evidence("answers with the header", sign.count, sign.of),),
                )  # fmt: skip
    for host in by_host(application.endpoints):
        versions: dict[tuple[str, int], list[Endpoint]] = {}
        for endpoint in host:
            where = _version_of(endpoint)
            if where is not None and endpoint.successes:
                versions.setdefault(where, []).append(endpoint)
        for (before, version), old in sorted(versions.items()):
            newer = versions.get((before, version + 1), [])
            used, other = (sum(each.successes for each in group) for group in (old, newer))
            if newer and used >= settings.least and used > _SHARE * (used + other):
                yield Seen(
                    tuple(old), Severity.INFO, Proof.HINT,
                    f"{count(used)} of {count(used + other)} successful requests still went to"
                    f" {before}/v{version},"
                    f" beside {before}/v{version + 1}.",
                    f"v{version}", (Evidence("successes of the older version", used, used + other),),
                    ("Both versions may be meant to live.",), of_host=True,
                )  # fmt: skip


def _version_of(endpoint: Endpoint) -> tuple[str, int] | None:
    parts = segments(endpoint)
    for at, part in enumerate(parts):
        found = _VERSION.fullmatch(part)
        if found:
            return "".join(f"/{each}" for each in parts[:at]), int(found[1])
    return None


def _stack_trace(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for endpoint in application.endpoints:
        marked = endpoint.marked(STACK)
        if marked >= settings.least:
            yield Seen(
                (endpoint,), Severity.MEDIUM, Proof.PROVEN,
                f"{count(marked)} answers to requests that failed held a stack trace, which tells how the"
                " server"
                " is built.",
                "", (Evidence("answers with it", marked, endpoint.exchanges),),
            )  # fmt: skip
            continue
        for sign in endpoint.signs_called("trace"):
            if sign.count >= settings.least:
                yield Seen(
                    (endpoint,), Severity.MEDIUM, Proof.PROVEN,
                    f"{count(sign.count)} answers to requests that failed had a long text in {sign.subject},"
                    " which"
                    " tells how the server is built.",
                    sign.subject, (Evidence("answers with it", sign.count, sign.of),),
                )  # fmt: skip


def _upload(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for endpoint in application.endpoints:
        times = sum(s.count for s in endpoint.signs_called("takes") if s.subject == "multipart/form-data")
        if times >= settings.least:
            anonymous = endpoint.authentication is Authentication.NONE_SEEN
            yield Seen(
                (endpoint,), Severity.LOW if anonymous else Severity.INFO, Proof.PROVEN,
                f"{count(times)} accepted requests that were looked into had parts as forms for files have.",
                "", (Evidence("requests", times),), ("The parts may hold no file.",),
            )  # fmt: skip


def _media_types(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for endpoint in application.endpoints:
        taken = {s.subject: s.count for s in endpoint.signs_called("takes") if s.count >= settings.least}
        others = sorted(_FORMS & taken.keys())
        if "application/json" in taken and others:
            yield Seen(
                (endpoint,), Severity.INFO, Proof.HINT,
                f"The endpoint accepts JSON and {', '.join(others)}: what is checked in one form may not be"
                " in the"
                " other, and other sites can send forms.",
                others[0], (Evidence("requests in the other form", taken[others[0]]),),
            )  # fmt: skip


def _server_errors(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for endpoint in application.endpoints:
        access = endpoint.access
        broken = access.anonymous[BROKEN] + access.credential[BROKEN]
        if broken >= settings.least and broken > _BROKEN_SHARE * access.total:
            yield Seen(
                (endpoint,), Severity.MEDIUM, Proof.PROVEN,
                f"{count(broken)} of {count(access.total)} exchanges ended in a server error.",
                "", (Evidence("server errors", broken, access.total),),
            )  # fmt: skip


RULES = (
    Rule(
        "EXP-01", "Debugging or management endpoint", Severity.HIGH, FindingClass.SECURITY, ("API8", "API9"),
        (489, 538),
        "A path that is known for debugging, management, backups or keys (`/actuator/env`, `/.env`,"
        " `/.git/…`,"
        " `/debug/pprof`, `*.sql`) answered with success; high where every success was without a credential.",
        "Successes and refusals with and without a credential.",
        "`/metrics` and health checks are not among them. A page of HTML for the name of a file is the start"
        " page of"
        " an application that answers every path.",
        "Take it off, or make it reachable from inside only.",
        "Requests for it are refused or find nothing.",
        _debugging, 1,
    ),
    Rule(
        "EXP-02", "API description or console reachable", Severity.INFO, FindingClass.SECURITY, ("API9",),
        (200,),
        "An OpenAPI description, its pages or a GraphQL console was given to requests without a credential.",
        "Successes without a credential.",
        "Public APIs publish theirs.",
        "If the API is not for all, ask for a credential here, too.",
        "Requests without a credential are refused.",
        _description, 1,
    ),
    Rule(
        "EXP-04", "Method that should be off", Severity.MEDIUM, FindingClass.SECURITY, ("API8",), (650,),
        "TRACE or CONNECT was answered with success.",
        "Successes, once for a host.",
        "A proxy is asked with CONNECT by design: then accept the finding.",
        "Switch the method off.",
        "Requests with it are refused (405).",
        _trace_method, 1,
    ),
    Rule(
        "GRPC-01", "gRPC reflection", Severity.LOW, FindingClass.SECURITY, ("API9",), (200,),
        "The service grpc.reflection answered.",
        "Successes, once for a host.",
        "None: it is a fact.",
        "Switch reflection off in production.",
        "Calls of it fail (UNIMPLEMENTED).",
        _reflection, 1,
    ),
    Rule(
        "INV-02", "Deprecated or old version in use", Severity.LOW, FindingClass.SECURITY, ("API9",), (477,),
        "Answers have the header Deprecation (RFC 9745) or Sunset (RFC 8594); or, as a hint, more than 1 %"
        " of the"
        " requests to two versions of the same paths go to the older one.",
        "Answers with the header; requests to the older version.",
        "Two versions may be meant to live.",
        "Move the callers to the newer version, and take the old one off.",
        "No requests succeed there any more.",
        _old_version, 1,
    ),
    Rule(
        "ERR-01", "Stack trace in an answer", Severity.MEDIUM, FindingClass.SECURITY, ("API8",), (209,),
        "An answer of status 400 and above holds a stack trace of a known language, or a property of JSON"
        " called"
        " trace, stack, exception or the like with a text of at least 80 characters.",
        "How many answers have it, and the name of the property.",
        "Successful answers and pages of HTML never count: documentation shows stack traces.",
        "Log the details, and give the caller a number to find them by.",
        "The count grows no more while requests go on failing.",
        _stack_trace, 1,
    ),
    Rule(
        "UPL-01", "File upload", Severity.LOW, FindingClass.SECURITY, ("API4", "API8"), (434,),
        "Accepted requests had a body of type multipart/form-data; low where no credential is asked for,"
        " else info.",
        "Requests with such a body.",
        "The parts may hold no file.",
        "Limit size and type of files, and keep them where nothing is executed.",
        "Such requests are refused, or none comes any more.",
        _upload, 1,
    ),
    Rule(
        "CT-01", "Several media types for one endpoint", Severity.INFO, FindingClass.SECURITY, ("API8",),
        (436,),
        "An endpoint accepts JSON and XML or a form.",
        "Requests in the other form.",
        "Some frameworks take both by design, so it is a hint.",
        "Accept one media type (415 for others).",
        "Requests in the other form are refused.",
        _media_types, 1,
    ),
    Rule(
        "OPS-01", "Server errors", Severity.MEDIUM, FindingClass.OPERATIONS, (), (755,),
        "At least five exchanges and more than a fifth of all ended with a status of 500 or above.",
        "Server errors of all exchanges.",
        "Not counted among weaknesses.",
        "Look at the endpoint's latest errors.",
        "The share of errors falls below a fifth.",
        _server_errors, _FAILURES,
    ),
)  # fmt: skip
