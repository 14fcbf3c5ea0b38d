"""Each cause from its evidence, and no cause where there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from levo.satellite.catalog.sensors import SKEWED_NS
from levo.satellite.learn.trace import CLOCK_TOLERANCE_NS
from levo.sensor.doctor.diagnosis import (
    DISBELIEVED_S,
    SKEWED_S,
    Diagnosis,
    Level,
    diagnose,
    removed_by_rules,
)
from levo.sensor.doctor.reach import Reached
from levo.sensor.doctor.tls_programs import TlsProgram, TlsSight
from levo.sensor.doctor.watch import Sight, Watched
from tests.helpers.conversation import Conversation
from tests.sensor.doctor.evidence import EMPTY, HTTP, ONE_SIDED, OTHER, TLS, config, sight, watched

NOTHING = sight()


def not_8081(*asked: Any) -> int:
    return 2 if asked[7] == 8081 else 0


def last_has_no_path(*asked: Any) -> int:
    return 0 if asked[7] == 8090 else 4


CASES: dict[str, tuple[dict[str, Any], Watched, list[str]]] = {
    "all well": ({}, watched(sight(HTTP)), []),
    "no packets": ({}, watched(NOTHING), ["no-packets"]),
    "another interface": (
        {"interfaces": ("eth1",)},
        watched(NOTHING, sight(HTTP), (("lo", 10), ("eth1", 0))),
        ["wrong-interface"],
    ),
    "stray frames on the named one": (
        {"interfaces": ("eth1",), "filter": "port 1"},
        watched(NOTHING, sight(HTTP), (("lo", 100), ("eth1", 2))),
        ["wrong-interface"],
    ),
    "filter": ({"filter": "port 1"}, watched(NOTHING, sight(HTTP)), ["filter-matches-nothing"]),
    "filter on the right interface": (
        {"interfaces": ("lo",), "filter": "port 1"},
        watched(NOTHING, sight(HTTP)),
        ["filter-matches-nothing"],
    ),
    "no data": ({}, watched(sight(EMPTY)), ["no-data"]),
    "TLS": ({}, watched(sight(TLS)), ["only-tls"]),
    "TLS and a database": ({}, watched(sight(TLS, OTHER)), ["only-tls"]),
    "database": ({}, watched(sight(OTHER)), ["no-http"]),
    "some TLS": ({}, watched(sight(HTTP, TLS)), ["some-tls"]),
    "one direction": ({}, watched(sight(ONE_SIDED)), ["all-incomplete"]),
    "rules": ({}, watched(sight(HTTP, rules=lambda *_: 4)), ["all-excluded"]),
    "rules, and an end of the look": (
        {},
        watched(sight(*[HTTP] * 10, ONE_SIDED[:-1], rules=last_has_no_path)),
        ["all-excluded"],
    ),
    "one direction, and few left out": (
        {},
        watched(sight(*[ONE_SIDED] * 2, rules=not_8081)),
        ["all-incomplete", "some-excluded"],
    ),
    "some rules": ({}, watched(sight(HTTP, HTTP, rules=not_8081)), ["some-excluded"]),
    "rate limit": ({"rate_limit": "1"}, watched(sight(HTTP, limit=1.0)), ["rate-limit"]),
    "truncated packets": ({}, watched(sight(HTTP, snap=72)), ["heads-cut", "all-incomplete"]),
    "VXLAN on a port of its own": (
        {},
        watched(sight(HTTP), replace(sight(HTTP), unnamed_tunnels=({"port": 6789, "frames": 3},))),
        ["vxlan-port"],
    ),
    "VXLAN on many ports": (
        {},
        watched(sight(HTTP), replace(sight(HTTP), unnamed_tunnels=({"port": None, "frames": 3},))),
        ["vxlan-port"],
    ),
    "kernel drops": ({}, watched(sight(HTTP, dropped=7)), ["kernel-drops"]),
}


@pytest.mark.parametrize(("flags", "seen", "codes"), CASES.values(), ids=CASES)
def test_causes(flags: dict[str, Any], seen: Watched, codes: list[str]) -> None:
    found = diagnose(config(**flags), seen, None)

    assert [finding.code for finding in found] == codes
    assert all(finding.text and finding.fix and "\n" not in finding.text + finding.fix for finding in found)


def unread(**counts: int) -> Any:
    return {"decrypted_connections": 5, "unread": counts}


@pytest.mark.parametrize("seen", [sight(TLS), sight(HTTP, TLS)], ids=["only-tls", "some-tls"])
def test_what_is_known_of_tls_on_this_host(seen: Sight) -> None:
    (port,) = (each["port"] for each in seen.ports if "tls" in each["protocols"])
    nginx = TlsProgram("nginx", 8, (80, port))
    java = TlsProgram("orders", 9, (port,), "is a Java machine, which logs no secrets: use Conscrypt")
    far = TlsProgram("far", 10, (port + 1,), "uses rustls: give it")

    def look(**known: Any) -> list[Diagnosis]:
        return diagnose(config(), watched(seen), None, (), TlsSight(**known))

    (first,) = (each for each in look(programs=(far, nginx)) if "tls" in each.code)
    assert "start levo tls probe" in first.fix and "reads nginx (process 8); or" in first.fix
    assert "nginx" not in look(programs=(nginx,), probed=True)[0].fix
    assert any("levo tls status" in each.fix for each in look(programs=(nginx,), probed=True))

    (told,) = (each for each in look(programs=(java, far)) if each.code == "tls-program")
    assert (
        told.text
        == f"orders (process 9) on port {port} is a Java machine, which logs no secrets: no probe reads it"
    )
    assert (told.level, told.fix) == (Level.WARNING, "use Conscrypt")

    endpoints = (unread(no_secrets=2, suite=1), unread(no_secrets=1))
    (why,) = (each for each in look(probed=True, endpoints=endpoints) if "tls" in each.code)
    assert why.text.endswith(
        "; the running sensor has read 10 connections, not read 3 without secrets, "
        "1 with a version or suite that is not read"
    )


def test_problems_come_before_warnings_and_notes() -> None:
    found = diagnose(config(), watched(sight(HTTP, TLS, dropped=1)), Reached("http://x", "refused"))

    assert [each.level for each in found] == [Level.PROBLEM, Level.WARNING, Level.NOTE]


def test_the_satellite() -> None:
    def codes(reached: Reached) -> list[str]:
        return [finding.code for finding in diagnose(config(), None, reached)]

    assert codes(Reached("http://x")) == []
    assert codes(Reached("http://x", "connection refused")) == ["satellite-unreachable"]
    assert codes(Reached("http://x", "HTTP 401", rejects_organization=True)) == ["organization-rejected"]


@pytest.mark.parametrize(
    ("ahead_s", "within_s", "level", "says"),
    [
        (0.3, 0.5, None, ""),
        (5.4, 0.5, None, ""),
        (60.0, 58.0, None, ""),
        (-30.0, 0.5, Level.NOTE, "is 30 s behind the Satellite's: exchanges are shown"),
        (250.0, 0.5, Level.NOTE, "is 4.2 min ahead of"),
        (400.0, 0.5, Level.WARNING, "ahead of the Satellite's: the Satellite takes the times of receipt"),
        (-36_000.0, 0.5, Level.WARNING, "is 10.0 h behind the Satellite's: traffic of now"),
        (3e8, 0.5, Level.WARNING, "is 9.5 years ahead of"),
    ],
)
def test_clocks_that_differ(ahead_s: float, within_s: float, level: Level | None, says: str) -> None:
    found = diagnose(config(), None, Reached("http://x", ahead_s=ahead_s, within_s=within_s))

    assert [each.level for each in found] == ([level] if level else [])
    assert not found or (found[0].code == "clock-skew" and says in found[0].text)


def test_the_limits_of_clocks_are_those_of_the_satellite() -> None:
    assert (SKEWED_S, DISBELIEVED_S) == (SKEWED_NS / 1e9, CLOCK_TOLERANCE_NS / 1e9)


def test_what_rules_removed_in_words() -> None:
    assert removed_by_rules(sight(HTTP, rules=lambda *_: 4)) == ["2 exchanges matched by --path-exclusions"]


def test_traffic_that_is_not_http_is_named_where_it_is_recognized() -> None:
    ssh = Conversation().handshake().server(b"SSH-2.0-x\r\n").segments
    texts = [diagnose(config(), watched(sight(seen)), None)[0].text for seen in (ssh, OTHER)]

    assert texts == [
        "the traffic on port 8080 is not HTTP: SSH",
        "the traffic on port 8080 is not HTTP: another protocol, such as that of a database",
    ]
