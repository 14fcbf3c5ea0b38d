"""Rules on data: where it leaves, and what it is named by."""

from __future__ import annotations

from collections.abc import Iterator

from levo.satellite.learn.access import SUCCESS
from levo.satellite.posture.facts import Application
from levo.satellite.posture.grades import grade_of
from levo.satellite.posture.model import Authentication, Evidence, FindingClass, Proof, Rule, Severity
from levo.satellite.posture.rules.observed import count, exposed, kinds, worst
from levo.satellite.posture.seen import Seen
from levo.satellite.posture.settings import RuleSettings

_SIGNED = frozenset({"sig", "signature", "x-amz-signature", "se"})
_KEPT_SECRET = frozenset(
    [
        "password", "private-key", "aws-access-key", "github-token", "gitlab-token", "slack-token",
        "stripe-key",
        "openai-key", "sendgrid-key", "npm-token", "pypi-token", "azure-key", "url-password",
    ]
)  # fmt: skip
_GRAVE = 3
_PERSONAL = 2
_ENOUGH = 20
_MANY = 500
_FEW_SHARE = 3
_SEVERAL = 5
_STREAMS = frozenset({"application/x-ndjson", "text/csv", "application/jsonl", "application/json-seq"})


def _credential_in_url(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for endpoint in application.endpoints:
        found: dict[str, int] = {}
        for sign in endpoint.signs_called("scheme"):
            for part in sign.subject.split("+"):
                kind, _, name = part.partition(":")
                if kind == "query":
                    found[name] = found.get(name, 0) + sign.count
        for name, times in sorted(found.items()):
            if times < settings.least:
                continue
            signed = name.lower() in _SIGNED
            yield Seen(
                (endpoint,), Severity.INFO if signed else Severity.HIGH, Proof.PROVEN,
                f"{count(times)} successful requests that were looked into had the parameter {name} in the"
                " URL,"
                " which logs, histories and other sites get to see.",
                name, (Evidence("requests with the parameter", times),),
                ("A signature of one request that ends soon is meant to be there.",) if signed else (),
            )  # fmt: skip


def _data_in_url(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for endpoint in application.endpoints:
        for each in endpoint.sensitive:
            position, _, name = each.location.partition(":")
            if position not in ("query", "path") or each.contained or endpoint.successes < settings.least:
                continue
            if grade_of(each.kind, each.category) < _PERSONAL or each.category == "credentials":
                continue
            yield Seen(
                (endpoint,), Severity.MEDIUM, Proof.PROVEN,
                f"The {'parameter' if position == 'query' else 'path segment'} {name} of the URL holds"
                f" {each.kind};"
                " logs, histories and other sites get to see URLs.",
                name, (Evidence("successes", endpoint.successes),),
            )  # fmt: skip


def _secret_in_answer(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for endpoint in application.endpoints:
        fields = [each for each in exposed(endpoint) if each.kind in _KEPT_SECRET]
        field = worst(fields)
        if field is None or endpoint.successes < settings.least:
            continue
        anonymous = endpoint.authentication is Authentication.NONE_SEEN
        yield Seen(
            (endpoint,), Severity.CRITICAL if anonymous else Severity.HIGH, Proof.PROVEN,
            f"Successful answers hold {kinds(fields)}, which nobody but its owner should have.",
            field.location, (Evidence("successes", endpoint.successes),), everywhere=True,
        )  # fmt: skip


def _much_at_once(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for endpoint in application.endpoints:
        grave = [each for each in exposed(endpoint) if grade_of(each.kind, each.category) >= _GRAVE]
        for sign in endpoint.signs_called("array"):
            if grave and sign.count >= settings.least:
                credential = endpoint.access.credential[SUCCESS] > 0 and not endpoint.anonymous
                yield Seen(
                    (endpoint,), Severity.LOW if credential else Severity.MEDIUM, Proof.PROVEN,
                    f"One answer held {count(sign.count)} items with {kinds(grave)}.",
                    "", (Evidence("items in one answer", sign.count),),
                )  # fmt: skip


def _long_list(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for endpoint in application.endpoints:
        if _STREAMS.intersection(sign.subject for sign in endpoint.signs_called("gives")):
            continue
        grave = any(grade_of(each.kind, each.category) >= _GRAVE for each in exposed(endpoint))
        for sign in endpoint.signs_called("array"):
            if sign.count >= settings.least:
                yield Seen(
                    (endpoint,), Severity.MEDIUM if grave else Severity.LOW, Proof.PROVEN,
                    f"One answer held a list of {count(sign.count)} objects: nothing limits how many are"
                    " asked for,"
                    " or the limit is high.",
                    "", (Evidence("items in one answer", sign.count),),
                )  # fmt: skip


def _guessable(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for endpoint in application.endpoints:
        if endpoint.authentication is not Authentication.REQUIRED or not exposed(endpoint):
            continue
        for sign in endpoint.signs_called("number"):
            if sign.count >= settings.least:
                yield Seen(
                    (endpoint,), Severity.INFO, Proof.HINT,
                    "Objects with sensitive data are named by small whole numbers, so the next one can be"
                    " guessed.",
                    f"segment {int(sign.subject) + 1}", (Evidence("whole numbers", sign.count, sign.of),),
                )  # fmt: skip


def _privilege_sent(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for endpoint in application.endpoints:
        shown = {sign.subject: sign.count for sign in endpoint.signs_called("shown")}
        for sign in endpoint.signs_called("privilege"):
            if sign.of < settings.least or _FEW_SHARE * sign.count > sign.of:
                continue
            taken = shown.get(sign.subject, 0) > 1
            yield Seen(
                (endpoint,), Severity.MEDIUM if taken else Severity.INFO,
                Proof.LIKELY if taken else Proof.HINT,
                f"{count(sign.count)} of {count(sign.of)} accepted bodies had {sign.subject}, which gives"
                " rights"
                + (", and answers show more than one value of it." if taken else "."),
                sign.subject, (Evidence("bodies with it", sign.count, sign.of),),
                ("The server may ignore what is sent.",),
            )  # fmt: skip


def _takes_address(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for endpoint in application.endpoints:
        issues = any(
            "oauth" in part or "authorize" in part for part in endpoint.place.path.lower().split("/")
        )
        for sign in endpoint.signs_called("address"):
            if sign.count < settings.least or (issues and sign.subject.lower() == "redirect_uri"):
                continue
            yield Seen(
                (endpoint,), Severity.INFO, Proof.HINT,
                f"{count(sign.count)} accepted requests had a URL in {sign.subject}: if the server opens it,"
                " a"
                " caller chooses where it connects to.",
                sign.subject, (Evidence("requests with it", sign.count, sign.of),),
                ("It may only be stored or shown.",),
            )  # fmt: skip


RULES = (
    Rule(
        "CRED-01", "Credential in the URL", Severity.HIGH, FindingClass.SECURITY, ("API2",), (598,),
        "Successful requests had a parameter that is a key or token by its name in the query.",
        "Requests with the parameter, of those that were looked into; its name.",
        "Signatures of single requests (`sig`, `signature`) are info.",
        "Send credentials in `Authorization`; change those that were in URLs.",
        "Requests that succeed have no such parameter any more.",
        _credential_in_url, 1,
    ),
    Rule(
        "DATA-02", "Sensitive data in the URL", Severity.MEDIUM, FindingClass.SECURITY, ("API3",), (598,),
        "A parameter of the query or a segment of the path holds e-mail addresses, telephone numbers,"
        " identity"
        " numbers, or financial or health data.",
        "Successes; the name of the parameter.",
        "The field must be tagged (docs/learning.md); names and cities do not count.",
        "Send such data in the body, or name objects by identifiers that mean nothing.",
        "The field holds no such data any more.",
        _data_in_url, 3,
    ),
    Rule(
        "DATA-03", "Password, hash or key in an answer", Severity.CRITICAL, FindingClass.SECURITY, ("API3",),
        (200, 522),
        "Successful answers hold passwords, private keys or keys of cloud services: critical where every"
        " success was"
        " without a credential, else high.",
        "Successes; the kinds of data and the field.",
        "Left out: endpoints that issue credentials, descriptions of APIs, texts of the same few characters"
        " (placeholders), fields that a user rejected.",
        "Take the field out of the answer, and change what was in it.",
        "Answers no longer hold such a field.",
        _secret_in_answer, 1,
    ),
    Rule(
        "DATA-05", "Much sensitive data at once", Severity.MEDIUM, FindingClass.SECURITY, ("API3",), (213,),
        "One successful answer held at least 100 objects in a list, with identity numbers, credentials,"
        " financial or"
        " health data; low where a credential is asked for.",
        "Items in the longest list.",
        "Exports are meant to be long: then accept the finding.",
        "Give pages of few objects, and leave out what the caller does not need.",
        "It is about the longest list ever seen, so it stays until the endpoint is forgotten, or accepted.",
        _much_at_once, 100,
    ),
    Rule(
        "LIM-02", "Unbounded list", Severity.MEDIUM, FindingClass.SECURITY, ("API4",), (770,),
        "One successful answer held a list of at least 500 objects; medium with identity numbers,"
        " credentials,"
        " financial or health data, else low.",
        "Items in the longest list.",
        "CSV and line-wise JSON, which are exports, are left out.",
        "Set a greatest number of items, whatever the caller asks for.",
        "It is about the longest list ever seen, so it stays until the endpoint is forgotten, or accepted.",
        _long_list, _MANY,
    ),
    Rule(
        "BOLA-03", "Guessable object numbers", Severity.INFO, FindingClass.SECURITY, ("API1",), (340,),
        "At least 90 % of the values of a path segment are whole numbers below 2^40, at an endpoint that"
        " asks for a"
        " credential and answers with sensitive data.",
        "Whole numbers among the values.",
        "Numbers alone are not a weakness, so this is only a hint.",
        "Check for each object that the caller may see it; random identifiers make guessing harder.",
        "The values of the segment are no longer whole numbers.",
        _guessable, _ENOUGH,
    ),
    Rule(
        "MASS-01", "Rarely sent property that gives rights", Severity.MEDIUM, FindingClass.SECURITY,
        ("API3",),
        (915,),
        "A property such as role, is_admin, verified or balance stands in at most a third of at least five"
        " accepted"
        " bodies; medium where answers have the same property with more than one value, else a hint.",
        "Bodies with the property.",
        "A server that ignores it shows one value only.",
        "Take only the properties that a caller may set, by name.",
        "Bodies with the property are refused, or none comes any more.",
        _privilege_sent, _SEVERAL,
    ),
    Rule(
        "SSRF-01", "Takes a URL", Severity.INFO, FindingClass.SECURITY, ("API7",), (918,),
        "A parameter or property named url, uri, callback, webhook or the like holds URLs.",
        "Requests with it.",
        "`redirect_uri` of OAuth is left out. Whether the server opens the URL cannot be seen here, so it is"
        " a hint.",
        "Allow only known hosts, and none inside the own network.",
        "Requests with a URL there are refused, or none comes any more.",
        _takes_address, 1,
    ),
)  # fmt: skip
