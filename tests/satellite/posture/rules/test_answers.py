from __future__ import annotations

import msgspec
import pytest

from levo.satellite.learn import marks
from levo.satellite.posture.facts import Endpoint
from tests.satellite.posture.made import access, endpoint, found, severities


def marked(name: str, mark: str, times: float = 3) -> Endpoint:
    return endpoint(name, msgspec.structs.replace(access([9]), marks={mark: times}))


@pytest.mark.parametrize(
    ("rule", "mark", "severity", "subject"),
    [
        ("COOK-01", marks.NO_HTTP_ONLY, "low", "HttpOnly"),
        ("COOK-01", marks.NO_SAME_SITE, "low", "SameSite"),
        ("COOK-01", marks.NO_SECURE, "low", "Secure"),
        ("CORS-01", marks.ANY_ORIGIN, "low", "*"),
        ("CORS-01", marks.NULL_ORIGIN, "medium", "null"),
        ("HDR-02", marks.VERSION, "info", ""),
    ],
)
def test_one_finding_for_a_host(rule: str, mark: str, severity: str, subject: str) -> None:
    (finding,) = found(rule, marked("GET /a", mark), marked("GET /b", mark), endpoint("GET /c", access([9])))

    assert (str(finding.severity), finding.subject, finding.place.path) == (severity, subject, "")
    assert [place.path for place in finding.also_at] == ["/a", "/b"]
    assert [each.count for each in finding.evidence] == [6]


@pytest.mark.parametrize(
    ("rule", "mark"), [("ERR-01", marks.STACK), ("ERR-02", marks.DATABASE), ("EXP-03", marks.LISTING)]
)
def test_one_finding_for_an_endpoint(rule: str, mark: str) -> None:
    assert severities(rule, marked("GET /a", mark), marked("GET /b", mark)) == ["medium", "medium"]
    assert severities(rule, endpoint("GET /a", access([9]))) == []
