from __future__ import annotations

import pytest

from levo.satellite.learn.signs import Sign
from tests.satellite.posture.made import EMAIL, IBAN, access, endpoint, field, found, severities

CITY = field("city", "personal", "response-body:200:city")
KEY = field("aws-access-key", "credentials")


@pytest.mark.parametrize(("of", "severity"), [(IBAN, "critical"), (EMAIL, "high"), (CITY, "info")])
def test_severity_follows_the_data(of: object, severity: str) -> None:
    assert severities("AUTH-01", endpoint("GET /a", access([3]), fields=[of])) == [severity]  # type: ignore[list-item]


def test_one_answer_with_a_credential_is_enough_and_other_data_needs_three() -> None:
    assert severities("AUTH-01", endpoint("GET /a", access([1]), fields=[KEY])) == ["critical"]
    assert severities("AUTH-01", endpoint("GET /a", access([2]), fields=[IBAN])) == []
    objects = Sign("objects", IBAN.location, 3, 3)
    assert severities("AUTH-01", endpoint("GET /a", access([1]), objects, fields=[IBAN])) == ["critical"]
    assert severities("AUTH-01", endpoint("GET /a", access([0, 9]), objects, fields=[IBAN])) == []


@pytest.mark.parametrize(
    "counts", [access([0, 20]), access([5], [5]), access([5, 0, 1]), access([0, 0, 5], [5]),
    access([0, 0, 0, 9, 9])]
)  # fmt: skip
def test_who_was_refused_redirected_or_known_is_not_let_in_without(counts: object) -> None:
    one = endpoint("GET /admin/a", counts, fields=[IBAN])  # type: ignore[arg-type]

    assert found("AUTH-01", one) == found("AUTH-03", one) == []


@pytest.mark.parametrize("method", ["OPTIONS", "HEAD", "TRACE"])
def test_some_methods_start_no_finding_on_access(method: str) -> None:
    one = endpoint(f"{method} /admin/a", access([9]), fields=[IBAN])

    assert found("AUTH-01", one) == found("AUTH-03", one) == []


def test_the_counts_are_the_evidence() -> None:
    (finding,) = found("AUTH-01", endpoint("GET /a", access([7, 2], let_in_s=40), fields=[IBAN, EMAIL]))

    assert finding.text == (
        "All 7 successful answers went to requests without a credential, and they hold email, iban."
    )
    assert [(each.name, each.count, each.of) for each in finding.evidence] == [
        ("successes without a credential", 7, 7),
        ("redirects without a credential", 2, 0),
    ]
    assert finding.last_seen_ns == 41 * 10**9 - 1


KNOWN = endpoint("GET /known", access([], [9]))


@pytest.mark.parametrize(
    ("name", "statuses", "findings"),
    [
        ("PUT /a", {"200": 5}, 1),
        ("POST /a", {"201": 5}, 1),
        ("POST /a", {"200": 3, "201": 2}, 0),
        ("GET /a", {"200": 5}, 0),
        ("POST /login", {"201": 5}, 0),
        ("PUT /hooks/a", {"200": 5}, 0),
    ],
)
def test_writes_without_a_credential(name: str, statuses: dict[str, float], findings: int) -> None:
    one = endpoint(name, access([5]), statuses=statuses)

    assert len(found("AUTH-02", one, KNOWN)) == findings
    assert found("AUTH-02", one) == []  # nobody has a credential there


def test_scripts_and_pages_below_an_administrative_path_are_for_all() -> None:
    assert severities("AUTH-03", endpoint("GET /admin/a", access([3]))) == ["high"]
    assert (
        found("AUTH-03", endpoint("GET /admin/a.js", access([3]), Sign("gives", "text/javascript", 3, 3)))
        == []
    )
    assert found("AUTH-03", endpoint("GET /administrators-guide", access([3]))) == []
    assert found("AUTH-03", endpoint("POST /admin/login", access([3]))) == []


def test_authentication_disappeared_when_all_refusals_are_before_all_successes() -> None:
    def severity(**times: int) -> list[str]:
        return severities("AUTH-05", endpoint("GET /a", access([3, 0, 3], [20], **times)))

    assert severity(refused_s=5, let_in_since_s=6, let_in_s=9) == ["high"]
    assert severity(refused_s=7, let_in_since_s=6, let_in_s=9) == []
    assert severity(refused_s=10, let_in_since_s=6, let_in_s=9) == []


def test_a_credential_of_an_unknown_form_stands_in_nearly_all_successes() -> None:
    counts = access([20, 0, 5])

    assert (
        found("AUTH-00", endpoint("GET /a", counts, Sign("sent", "x-ticket", 19, 20)))[0].subject
        == "x-ticket"
    )
    assert found("AUTH-00", endpoint("GET /a", counts, Sign("sent", "x-ticket", 18, 20))) == []
    assert found("AUTH-00", endpoint("GET /a", access([20]), Sign("sent", "x-ticket", 20, 20))) == []
    assert (
        found("AUTH-00", endpoint("GET /a", access([20, 0, 5], [1]), Sign("sent", "x-ticket", 20, 20))) == []
    )


def test_weaker_in_an_older_version_or_in_production_is_worse() -> None:
    strong = access([0, 0, 3], [20])

    def severity(weak: str, other: str, **where: str) -> list[str]:
        one = endpoint(weak, access([20]), environment=where.get("here", "production"))
        return severities(
            "AUTH-08", one, endpoint(other, strong, environment=where.get("there", "production"))
        )

    assert severity("GET /v1/a/{id}", "GET /v2/a/{aId}") == ["high"]
    assert severity("GET /a", "GET /a", there="staging") == ["high"]
    assert severity("GET /a", "GET /a", here="staging") == ["medium"]
    assert severity("GET /v2/a", "GET /v1/a", here="staging", there="staging") == ["medium"]
    assert severity("GET /v1/a", "GET /v2/b") == []
    assert severity("GET /v1/a", "POST /v2/a") == []
    assert severity("GET /a", "GET /a", here="staging", there="staging") == []


def test_basic_is_one_finding_for_a_host() -> None:
    made = [endpoint(f"GET /a{n}", access([], [5]), Sign("scheme", "basic", 5, 5)) for n in range(9)]

    assert [(each.place.path, len(each.also_at)) for each in found("AUTH-07", *made)] == [("", 9)]


def test_a_host_where_nobody_authenticates_and_all_may_write() -> None:
    reads = [endpoint(f"GET /a{n}", access([12])) for n in range(4)]
    write = endpoint("PUT /b", access([12]))

    assert severities("AUTH-09", *reads, write) == ["low"]
    assert found("AUTH-09", *reads, endpoint("GET /b", access([12]))) == []
    assert found("AUTH-09", *reads, write, endpoint("GET /c", access([1], [1]))) == []
    assert found("AUTH-09", *reads, write, endpoint("GET /c", access([0, 0, 1]))) == []
    assert found("AUTH-09", *reads[:3], write) == []
