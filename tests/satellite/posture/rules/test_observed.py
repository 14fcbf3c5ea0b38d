from __future__ import annotations

import pytest

from levo.satellite.learn.signs import Sign
from levo.satellite.posture.rules.observed import by_host, count, exposed, is_for_machines, is_issuer, worst
from tests.satellite.posture.made import EMAIL, IBAN, access, endpoint, field

OPEN = access([5])
TOKEN = field("jwt", "credentials", "response-body:200:token")
PASSWORD = field("password", "credentials", "request-body:password")


@pytest.mark.parametrize(
    ("name", "issues"),
    [
        ("POST /v1/sessions", True),
        ("POST /login", True),
        ("POST /things", False),
        ("GET /v1/sessions", False),
        ("PUT /login", False),
        ("POST /blogin", False),
    ],
)
def test_words_of_a_path_make_an_issuer_of_a_post_only(name: str, issues: bool) -> None:
    assert is_issuer(endpoint(name, OPEN)) is issues


def test_an_issuer_takes_a_credential_and_gives_one() -> None:
    assert is_issuer(endpoint("PUT /things", OPEN, fields=[PASSWORD, TOKEN]))
    assert not is_issuer(endpoint("PUT /things", OPEN, fields=[TOKEN]))
    assert not is_issuer(endpoint("GET /things", OPEN, fields=[PASSWORD, TOKEN]))


def test_what_a_caller_learns_is_exposed() -> None:
    assert exposed(endpoint("GET /a", OPEN, fields=[IBAN])) == [IBAN]


@pytest.mark.parametrize(
    "of",
    [
        endpoint("GET /a", OPEN, fields=[field("iban", "financial", "response-body:404:a")]),
        endpoint("GET /a", OPEN, fields=[field("iban", "financial", "query:a")]),
        endpoint("GET /a", OPEN, fields=[field("iban", "financial", contained=True)]),
        endpoint("GET /a", OPEN, Sign("gives", "text/html", 5, 5), fields=[IBAN]),
        endpoint("GET /a", OPEN, Sign("description", "application/json", 5, 5), fields=[IBAN]),
        endpoint("POST /a", OPEN, fields=[EMAIL, field("email", "personal", "request-body:user/email")]),
        endpoint("POST /login", OPEN, fields=[TOKEN]),
        endpoint("GET /a", OPEN, Sign("mask", TOKEN.location, 5, 5), fields=[TOKEN]),
        endpoint("GET /a", OPEN, Sign("objects", EMAIL.location, 1, 5), fields=[EMAIL]),
    ],
)  # fmt: skip
def test_what_only_looks_like_it_is_not_exposed(of: object) -> None:
    assert exposed(of) == []  # type: ignore[arg-type]


def test_the_gravest_kinds_count_for_one_object() -> None:
    assert exposed(endpoint("GET /a", OPEN, Sign("objects", IBAN.location, 1, 5), fields=[IBAN])) == [IBAN]
    assert exposed(endpoint("GET /a", OPEN, Sign("objects", EMAIL.location, 3, 5), fields=[EMAIL])) == [EMAIL]


def test_programs_that_report_are_known_by_path_or_signature() -> None:
    assert is_for_machines(endpoint("POST /webhooks/pay", OPEN))
    assert is_for_machines(endpoint("POST /pay", OPEN, Sign("sent", "x-hub-signature-256", 5, 5)))
    assert not is_for_machines(endpoint("POST /pay", OPEN, Sign("sent", "x-tag", 5, 5)))


def test_the_worst_field_has_the_highest_grade() -> None:
    assert worst([EMAIL, IBAN]) == worst([IBAN, EMAIL]) == IBAN
    assert worst([]) is None


def test_hosts_are_those_of_one_environment() -> None:
    made = [
        endpoint("GET /a", OPEN),
        endpoint("GET /b", OPEN, environment="staging"),
        endpoint("GET /c", OPEN),
        endpoint("GET /d", OPEN, host="a.example"),
    ]

    assert [[each.place.path for each in group] for group in by_host(made)] == [["/d"], ["/a", "/c"], ["/b"]]


def test_numbers_are_shown_whole() -> None:
    assert (count(1234.5), count(3)) == ("1,234", "3")
