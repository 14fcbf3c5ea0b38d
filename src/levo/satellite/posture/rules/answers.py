"""Rules on what the headers and bodies of single answers show (``learn.marks``)."""

from __future__ import annotations

from collections.abc import Iterator

from levo.satellite.learn import marks
from levo.satellite.posture.facts import Application, Endpoint
from levo.satellite.posture.model import Evidence, FindingClass, Proof, Rule, Severity
from levo.satellite.posture.rules.observed import by_host, count
from levo.satellite.posture.seen import Seen
from levo.satellite.posture.settings import RuleSettings

_ATTRIBUTES = {
    marks.NO_HTTP_ONLY: "HttpOnly",
    marks.NO_SAME_SITE: "SameSite",
    marks.NO_SECURE: "Secure",
}


def _on_hosts(
    application: Application, mark: str, settings: RuleSettings
) -> Iterator[tuple[tuple[Endpoint, ...], float]]:
    """Yield the endpoints of each host with *mark*, and how many answers had it, where these are enough."""
    for host in by_host(application.endpoints):
        found = tuple(each for each in host if each.marked(mark))
        times = sum(each.marked(mark) for each in found)
        if found and times >= settings.least:
            yield found, times


def _at_endpoints(
    application: Application, mark: str, settings: RuleSettings, text: str, why_not: str
) -> Iterator[Seen]:
    """Yield one cause for each endpoint with *mark*: *text* says what so many answers did."""
    for endpoint in application.endpoints:
        times = endpoint.marked(mark)
        if times >= settings.least:
            yield Seen(
                (endpoint,), Severity.MEDIUM, Proof.PROVEN, f"{count(times)} {text}", "",
                (Evidence("answers with it", times, endpoint.exchanges),), (why_not,),
            )  # fmt: skip


def _cookies(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for mark, attribute in _ATTRIBUTES.items():
        for found, times in _on_hosts(application, mark, settings):
            yield Seen(
                found, Severity.LOW, Proof.PROVEN,
                f"{count(times)} answers set the cookie of a session without {attribute}.",
                attribute, (Evidence("answers that set it so", times),),
                ("It is taken for a session's by its name.",), of_host=True,
            )  # fmt: skip


def _origins(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for mark, origin in ((marks.ANY_ORIGIN, "*"), (marks.NULL_ORIGIN, "null")):
        ignored = origin == "*"
        for found, times in _on_hosts(application, mark, settings):
            yield Seen(
                found, Severity.LOW if ignored else Severity.MEDIUM, Proof.PROVEN,
                f"{count(times)} answers allowed the origin {origin} together with credentials.",
                origin, (Evidence("answers that allow it", times),),
                ("Browsers ignore * where credentials are allowed; it shows what was meant.",) if ignored
                else (), of_host=True,
            )  # fmt: skip


def _versions(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    for found, times in _on_hosts(application, marks.VERSION, settings):
        yield Seen(
            found, Severity.INFO, Proof.PROVEN,
            f"{count(times)} answers told the version of a program in a header.", "",
            (Evidence("answers that tell it", times),), of_host=True,
        )  # fmt: skip


def _database(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    return _at_endpoints(
        application, marks.DATABASE, settings,
        "answers to requests that failed held an error of a database.",
        "It does not say that input reaches the database unchecked.",
    )  # fmt: skip


def _listing(application: Application, settings: RuleSettings) -> Iterator[Seen]:
    return _at_endpoints(
        application, marks.LISTING, settings, "answers listed the files of a directory.",
        "A package index or a download area is meant to be one: then accept the finding.",
    )  # fmt: skip


RULES = (
    Rule(
        "COOK-01", "Session cookie without an attribute", Severity.LOW, FindingClass.SECURITY, ("API8",),
        (614, 1004, 1275),
        "Answers set a cookie that looks like a session's by its name, without HttpOnly or SameSite, or over"
        " https without Secure.",
        "How many answers set such a cookie; one finding for each host and attribute.",
        "Deletions (an empty value, Max-Age=0, a date that is past) do not count. Cookies against forged"
        " requests (csrf, xsrf) need no HttpOnly: the page reads them.",
        "Set the attribute.",
        "The count grows no more while the host goes on setting cookies.",
        _cookies,
    ),
    Rule(
        "CORS-01", "Any origin may read answers with credentials", Severity.MEDIUM, FindingClass.SECURITY,
        ("API8",), (942,),
        "Answers have Access-Control-Allow-Credentials: true together with the origin null (medium) or *"
        " (low).",
        "How many answers allow it; one finding for each host and origin.",
        "* without credentials is what public data needs. One origin that is repeated proves nothing and is"
        " not looked at.",
        "Name the origins that may read answers, and never null.",
        "The count grows no more while the host goes on answering.",
        _origins,
    ),
    Rule(
        "HDR-02", "Version of a program told", Severity.INFO, FindingClass.SECURITY, ("API8",), (200,),
        "Server, X-Powered-By or a like header of answers holds a version.",
        "Answers that tell it, once for a host. The version itself is not kept.",
        "None: it is a fact.",
        "Leave the version out of the header.",
        "The count grows no more while the host goes on answering.",
        _versions,
    ),
    Rule(
        "ERR-02", "Database error in an answer", Severity.MEDIUM, FindingClass.SECURITY, ("API8",), (209, 89),
        "An answer of status 400 and above holds words that only drivers of databases write (`SQLSTATE[…]`,"
        " `ORA-00933: …`).",
        "How many answers have it.",
        "Words that the same request sent do not count: the answer may only repeat them.",
        "Log the error, and give the caller a number to find it by. Look at how input gets into the"
        " statement.",
        "The count grows no more while requests go on failing.",
        _database,
    ),
    Rule(
        "EXP-03", "Directory listing", Severity.MEDIUM, FindingClass.SECURITY, ("API8",), (548,),
        "A page that succeeded begins as listings of web servers do (`Index of /…`).",
        "How many answers have it.",
        "What the same request sent does not count. Package indexes and download areas are meant to be"
        " listings.",
        "Switch listings off.",
        "The count grows no more while the path goes on being asked for.",
        _listing,
    ),
)  # fmt: skip
