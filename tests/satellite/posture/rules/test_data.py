from __future__ import annotations

import pytest

from levo.satellite.learn.signs import Sign
from tests.satellite.posture.made import EMAIL, IBAN, access, endpoint, field, found, severities

PASSWORD = field("password", "credentials", "response-body:200:password")
KNOWN = access([], [30])


def test_a_key_in_the_url_is_one_finding_for_each_parameter() -> None:
    one = endpoint(
        "GET /a", KNOWN, Sign("scheme", "bearer+query:token", 3, 9), Sign("scheme", "query:token", 4, 9),
        Sign("scheme", "query:sig", 2, 9),
    )  # fmt: skip

    assert [(str(each.severity), each.subject, each.evidence[0].count) for each in found("CRED-01", one)] == [
        ("high", "token", 7),
        ("info", "sig", 2),
    ]


@pytest.mark.parametrize(
    ("of", "severity"),
    [
        (field("email", "personal", "query:who"), ["medium"]),
        (field("iban", "financial", "path:iban"), ["medium"]),
        (field("city", "personal", "query:city"), []),
        (field("secret", "credentials", "query:key"), []),
        (field("email", "personal", "query:q", contained=True), []),
        (field("email", "personal", "request-body:who"), []),
    ],
)
def test_sensitive_data_in_the_url(of: object, severity: list[str]) -> None:
    assert severities("DATA-02", endpoint("GET /a", KNOWN, fields=[of])) == severity  # type: ignore[list-item]


def test_a_password_in_an_answer_is_worse_where_nobody_is_asked() -> None:
    assert severities("DATA-03", endpoint("GET /a", access([3]), fields=[PASSWORD])) == ["critical"]
    assert severities("DATA-03", endpoint("GET /a", KNOWN, fields=[PASSWORD])) == ["high"]
    assert found("DATA-03", endpoint("POST /login", access([3]), fields=[PASSWORD])) == []
    assert found("DATA-03", endpoint("GET /a", KNOWN, fields=[IBAN])) == []


def test_long_lists_are_worse_with_grave_data() -> None:
    long = Sign("array", "", 500, 9)

    assert severities("LIM-02", endpoint("GET /a", KNOWN, long)) == ["low"]
    assert severities("LIM-02", endpoint("GET /a", KNOWN, long, fields=[IBAN])) == ["medium"]
    assert found("LIM-02", endpoint("GET /a", KNOWN, long, Sign("gives", "text/csv", 9, 9))) == []
    assert severities("DATA-05", endpoint("GET /a", access([3]), long, fields=[IBAN])) == ["medium"]
    assert severities("DATA-05", endpoint("GET /a", KNOWN, long, fields=[IBAN])) == ["low"]
    assert found("DATA-05", endpoint("GET /a", KNOWN, long, fields=[EMAIL])) == []


def test_numbers_are_guessable_where_they_name_sensitive_objects_behind_a_credential() -> None:
    numbers = Sign("number", "1", 20, 20)

    assert found("BOLA-03", endpoint("GET /a/{id}", KNOWN, numbers, fields=[EMAIL]))[0].subject == "segment 2"
    assert found("BOLA-03", endpoint("GET /a/{id}", access([30]), numbers, fields=[EMAIL])) == []
    assert found("BOLA-03", endpoint("GET /a/{id}", KNOWN, numbers)) == []


@pytest.mark.parametrize(
    ("signs", "severity"),
    [
        ((Sign("privilege", "role", 2, 6), Sign("shown", "role", 2, 6)), ["medium"]),
        ((Sign("privilege", "role", 2, 6), Sign("shown", "role", 1, 6)), ["info"]),
        ((Sign("privilege", "role", 2, 6),), ["info"]),
        ((Sign("privilege", "role", 3, 6),), []),
        ((Sign("privilege", "role", 1, 4),), []),
    ],
)
def test_a_property_that_gives_rights_is_rare(signs: tuple[Sign, ...], severity: list[str]) -> None:
    assert severities("MASS-01", endpoint("POST /a", KNOWN, *signs)) == severity


def test_a_redirect_uri_belongs_to_oauth() -> None:
    assert severities("SSRF-01", endpoint("POST /a", KNOWN, Sign("address", "url", 3, 3))) == ["info"]
    redirect = Sign("address", "redirect_uri", 3, 3)
    assert found("SSRF-01", endpoint("GET /oauth/authorize", KNOWN, redirect)) == []
