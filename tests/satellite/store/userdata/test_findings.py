"""Findings and decisions about them, in the users' data."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from levo.satellite.query import FINDINGS, parse
from levo.satellite.store.userdata import Findings, KeptFinding, NewDecision, UserData, finding_name
from levo.satellite.store.userdata.decisions import rename_hosts

DAY = 86_400 * 10**9


def kept(path: str = "/users", rule: str = "AUTH-01", **more: object) -> KeptFinding:
    now = time.time_ns()
    fields: dict[str, object] = {
        "id": finding_name((rule, "acme", "production", "shop", "h", "GET", path, "")),
        "organization": "acme", "environment": "production", "application": "shop", "host": "h",
        "method": "GET", "template": path, "path": path, "endpoint": 1, "rule": rule, "subject": "",
        "title": "Title", "rank": 3, "proof": 2, "kind": "security", "owasp": "API2,API3", "cwe": "CWE-306",
        "weight": 1.0, "state": "open", "since_ns": now, "first_ns": now - 10 * DAY, "last_ns": now,
        "count": 5.0, "exchanges": 9.0, "grown_ns": now, "grown_exchanges": 9.0, "traffic_ns": now,
        "written_ns": now, "document": "{}",
    }  # fmt: skip
    return KeptFinding(**{**fields, **more})  # type: ignore[arg-type]


@pytest.fixture
def findings(tmp_path: Path) -> Findings:
    return UserData(tmp_path / "userdata.sqlite3").findings


def found(findings: Findings, text: str, organization: str = "") -> list[str]:
    return [each.path for each in findings.page(parse(text, FINDINGS), organization)[1]]


def test_fields_are_columns_in_order(findings: Findings) -> None:
    one = kept()
    findings.put([one], 1)
    assert findings.get(one.id) == one
    assert findings.get(one.id, "other") is None


def test_filters_and_order(findings: Findings) -> None:
    a, b = (
        kept("/a", rank=4, owasp="API1"),
        kept("/b", "DATA-03", rank=1, state="fixed", proof=0, subject="iban"),
    )
    findings.put([kept("/c"), b, a], 1)

    assert found(findings, "") == ["/a", "/c", "/b"]
    for text, paths in {
        "severity>=high": ["/a", "/c"], "severity:critical": ["/a"], "state:open": ["/a", "/c"],
        "-state:open": ["/b"], "owasp:api2": ["/c", "/b"], "owasp:API": [], "proof:hint": ["/b"],
        "rule:auth-*": ["/a", "/c"], "iban": ["/b"], "cwe:CWE-306 path:/c": ["/c"],
        "class:security": ["/a", "/c", "/b"],
        "count>5": [], "first-seen>9d": ["/a", "/c", "/b"], "last-seen>9d": [],
    }.items():  # fmt: skip
        assert found(findings, text) == paths, text
        assert [each.path for each in findings.each(parse(text, FINDINGS))] == paths
    assert found(findings, "", "other") == []
    assert [row[0] for row in findings.by_rule()] == ["AUTH-01", "DATA-03"]


def test_what_is_accepted_comes_back_when_that_expires(findings: Findings) -> None:
    one, now = kept(), time.time_ns()
    findings.put([one], now)
    findings.decide(one, NewDecision("accepted", "finding", "by-design", expires_ns=now + DAY), "anna", now)
    (accepted,) = findings.everything().values()

    assert found(findings, "state:accepted") == ["/users"] and found(findings, "state:open") == []
    assert accepted.shown_state(now) == "accepted" and accepted.shown_state(now + DAY) == "open"
    findings.decide(one, NewDecision("accepted", "finding", "by-design", expires_ns=now - 1), "anna", now)
    assert found(findings, "state:open") == ["/users"]
    assert [each.actor for each in findings.history(one.id)] == ["anna", "anna", ""]
    assert [each.reason for each in findings.decisions(one)] == ["by-design"] * 2


@pytest.mark.parametrize(
    ("scope", "others"), [("finding", []), ("host", ["/b"]), ("environment", ["/b", "/other"])]
)
def test_scopes_reach_what_is_there_and_what_comes(findings: Findings, scope: str, others: list[str]) -> None:
    one, other = kept("/a"), kept("/other", host="h2", id="OTHER")
    findings.put([one, other], 1)
    findings.decide(one, NewDecision("false-positive", scope, "wrong"), "anna", 1)  # type: ignore[arg-type]
    findings.put([kept("/b"), kept("/c", "DATA-03")], 2)

    assert sorted(found(findings, "state:false-positive")) == sorted(["/a", *others])


def test_a_decision_is_taken_back_by_another(findings: Findings) -> None:
    one = kept()
    findings.put([one], 1)
    findings.decide(one, NewDecision("accepted", "finding", "by-design"), "anna", 1)
    findings.decide(one, NewDecision("open", "finding", "wrong"), "anna", 2)
    findings.drop([one.id])
    findings.put([one], 3)

    assert found(findings, "state:open") == ["/users"]


def test_it_follows_a_host_to_its_name_and_an_endpoint_into_another(
    tmp_path: Path, findings: Findings
) -> None:
    one = kept()
    findings.put([one], 1)
    findings.decide(one, NewDecision("accepted", "finding", "by-design"), "anna", 1)
    rename_hosts(tmp_path / "userdata.sqlite3", lambda host: (*host[:3], "named"))
    name = finding_name(("AUTH-01", "acme", "production", "shop", "named", "GET", "/users", ""))
    moved = findings.get(name)

    assert moved is not None and moved.host == "named" and len(findings.decisions(moved)) == 1
    target = kept("/all")
    findings.put([target], 2)
    findings.follow(name, target)
    assert [(each.path, each.decided) for each in findings.everything().values()] == [("/all", "accepted")]


def test_what_is_deleted_is_forgotten(findings: Findings) -> None:
    findings.put([kept("/a"), kept("/b")], 1)
    findings.forget(("acme", "production", "shop", "h"), "GET", "/a")
    assert found(findings, "") == ["/b"]
    findings.forget(("acme", "production", "shop", "h"), "", "")
    assert found(findings, "") == []


def test_the_history_is_bounded(findings: Findings) -> None:
    one = kept()
    for number in range(150):
        state = "open" if number % 2 else "unobserved"
        findings.put([msgspec.structs.replace(one, state=state)], number)

    assert len(findings.history(one.id)) == 100
