from __future__ import annotations

import pytest

from levo.satellite.learn.signs import Sign
from tests.satellite.posture.made import access, endpoint, found, severities

OPEN, KNOWN = access([5]), access([], [5])
PAGE = Sign("gives", "text/html", 5, 5)


@pytest.mark.parametrize(
    ("name", "severity"),
    [
        ("GET /actuator/env", "high"),
        ("GET /.env", "high"),
        ("GET /.git/config", "high"),
        ("GET /dump/all.sql", "high"),
        ("GET /debug/pprof/heap", "high"),
        ("GET /metrics", ""),
        ("GET /health", ""),
        ("GET /actuator/health", ""),
        ("GET /environment", ""),
        ("GET /consoles", ""),
        ("DELETE /.env", ""),
    ],
)
def test_paths_for_developers(name: str, severity: str) -> None:
    assert severities("EXP-01", endpoint(name, OPEN)) == [severity] * bool(severity)


def test_a_start_page_for_every_path_is_no_file() -> None:
    assert found("EXP-01", endpoint("GET /.env", OPEN, PAGE)) == []
    assert found("EXP-01", endpoint("GET /.env", access([0, 9, 9, 9]))) == []
    assert severities("EXP-01", endpoint("GET /.env", KNOWN)) == ["medium"]


def test_a_description_is_known_by_its_path_or_its_contents() -> None:
    assert severities("EXP-02", endpoint("GET /v3/api-docs", OPEN)) == ["info"]
    assert severities("EXP-02", endpoint("GET /a", OPEN, Sign("description", "application/json", 5, 5))) == [
        "info"
    ]
    assert found("EXP-02", endpoint("GET /v3/api-docs", KNOWN)) == []


def test_a_method_that_should_be_off_is_one_finding_for_a_host() -> None:
    made = [endpoint(f"TRACE /a{n}", OPEN) for n in range(3)]

    assert [len(each.also_at) for each in found("EXP-04", *made)] == [3]
    assert found("EXP-04", endpoint("TRACE /a", access([0, 0, 0, 9]))) == []


def test_reflection_is_told_by_the_name_of_its_service() -> None:
    path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"

    assert severities("GRPC-01", endpoint(f"POST {path}", OPEN)) == ["low"]
    assert found("GRPC-01", endpoint("POST /shop.Reflection/Get", OPEN)) == []


def test_an_older_version_beside_a_newer_one_is_a_hint() -> None:
    old, new = endpoint("GET /api/v1/a", OPEN), endpoint("GET /api/v2/a", KNOWN)

    assert [(str(each.severity), each.subject) for each in found("INV-02", old, new)] == [("info", "v1")]
    assert found("INV-02", old) == []
    assert found("INV-02", old, endpoint("GET /other/v2/a", KNOWN)) == []
    assert found("INV-02", old, endpoint("GET /api/v2/a", access([], [500]))) == []
    assert severities("INV-02", endpoint("GET /a", OPEN, Sign("answers", "sunset", 1, 5))) == ["low"]


def test_a_file_upload_is_graver_where_nobody_is_asked() -> None:
    parts = Sign("takes", "multipart/form-data", 2, 5)

    assert severities("UPL-01", endpoint("POST /a", OPEN, parts)) == ["low"]
    assert severities("UPL-01", endpoint("POST /a", KNOWN, parts)) == ["info"]


def test_two_media_types_for_one_endpoint() -> None:
    json, form = (
        Sign("takes", "application/json", 3, 5),
        Sign("takes", "application/x-www-form-urlencoded", 2, 5),
    )

    assert [each.subject for each in found("CT-01", endpoint("POST /a", OPEN, json, form))] == [form.subject]
    assert (
        found("CT-01", endpoint("POST /a", OPEN, json))
        == found("CT-01", endpoint("POST /a", OPEN, form))
        == []
    )


@pytest.mark.parametrize(("broken", "severity"), [(5, ["medium"]), (4, []), (2, [])])
def test_server_errors_are_many_and_a_large_part(broken: float, severity: list[str]) -> None:
    assert severities("OPS-01", endpoint("GET /a", access([10, 0, 0, 0, broken]))) == severity
    assert severities("OPS-01", endpoint("GET /a", access([100, 0, 0, 0, broken]))) == []
