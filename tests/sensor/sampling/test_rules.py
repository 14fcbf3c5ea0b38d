"""The user's filters: each rule, their order, and the same names as the engine's."""

from __future__ import annotations

from pathlib import Path

import pytest

from levo.config import SensorConfig, Surroundings, load
from levo.engine.engine import DROP_NAMES
from levo.sensor.sampling import rules
from levo.sensor.sampling.rules import compile_rules


def config(tmp_path: Path, text: str) -> SensorConfig:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return load({}, {}, path=str(path), surroundings=Surroundings()).config


def ask(  # noqa: PLR0913 (each is a column of the table of cases)
    tmp_path: Path,
    text: str,
    *,
    method: bytes = b"GET",
    host: bytes = b"api.example:8080",
    target: bytes = b"/users/7?full=1",
    client: str = "192.0.2.9",
    client_port: int = 40000,
    server: str = "10.1.2.3",
    server_port: int = 8080,
) -> str | None:
    decide = compile_rules(config(tmp_path, text))
    assert decide is not None
    path = target.partition(b"?")[0]
    reason = decide(method, host, path, target, client, client_port, server, server_port)
    return DROP_NAMES.get(reason)


def test_without_filters_nothing_is_asked(tmp_path: Path) -> None:
    assert (
        compile_rules(config(tmp_path, "url-filter: {default-url-action: trace}\nip-filter-list:\n")) is None
    )


def test_the_reasons_are_the_engines() -> None:
    names = {
        name.lower(): number for name, number in vars(rules).items() if name.isupper() and name != "KEEP"
    }

    assert {number: name for name, number in names.items()}.items() <= DROP_NAMES.items()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("host-allow: ^api\\.", None),
        ("host-allow: ':8080$'", None),
        ("host-allow: [q, y]", "host_not_allowed"),
        ("host-allow: [x, api]", None),
        ("host-exclusions: example", "host_excluded"),
        ("path-allow: ^/users/", None),
        ("path-allow: full", "path_not_allowed"),
        ("path-exclusions: '/\\d+$'", "path_excluded"),
        ("path-exclusions: full", None),
        ("{host-allow: api, host-exclusions: api}", "host_excluded"),
        ("{path-allow: nothing, host-allow: nothing}", "host_not_allowed"),
        ("url-filter: {default-url-action: ignore}", "url_filter"),
        ("url-filter: {default-url-action: ignore, rules: [{action: trace, methods: [get]}]}", None),
        ("url-filter: {rules: [{action: ignore, request-uri: 'full=1'}]}", "url_filter"),
        ("url-filter: {rules: [{action: ignore, host: api.example}]}", "url_filter"),
        ("url-filter: {rules: [{action: ignore, host: API.example:8080}]}", "url_filter"),
        ("url-filter: {rules: [{action: ignore, host: api.example:8081}]}", None),
        ("url-filter: {rules: [{action: ignore, host: other, methods: [GET]}]}", None),
        (
            "url-filter: {rules: [{action: trace, request-uri: users}, {action: ignore, methods: [GET]}]}",
            None,
        ),
        ("ip-filter-list: {default-policy: drop}", "ip_filter"),
        ("ip-filter-list: {entries: [{policy: drop, host-ports: 8000-8080}]}", "ip_filter"),
        ("ip-filter-list: {entries: [{policy: drop, host-ports: 40000}]}", None),
        ("ip-filter-list: {entries: [{policy: drop, peer-ports: 40000}]}", "ip_filter"),
        ("ip-filter-list: {entries: [{policy: drop, host-network: 10.0.0.0/8}]}", "ip_filter"),
        ("ip-filter-list: {entries: [{policy: drop, peer-network: 10.0.0.0/8}]}", None),
        (
            "ip-filter-list: {entries: [{policy: drop, peer-network: [2001:db8::/32, 192.0.2.0/24]}]}",
            "ip_filter",
        ),
        ("ip-filter-list: {entries: [{policy: drop, host-network: 10.0.0.0/8, host-ports: 9}]}", None),
        (
            "ip-filter-list: {default-policy: drop, entries: [{policy: accept, host-ports: 8080}]}",
            None,
        ),
        (
            "ip-filter-list: {entries: [{policy: accept, host-ports: 8080},"
            " {policy: drop, peer-ports: 40000}]}",
            None,
        ),
    ],
)
def test_each_rule(tmp_path: Path, text: str, reason: str | None) -> None:
    assert ask(tmp_path, text) == reason


def test_ipv6_and_hosts_in_brackets(tmp_path: Path) -> None:
    drop = "ip-filter-list: {entries: [{policy: drop, host-network: '2001:db8::/32'}]}"
    named = "url-filter: {rules: [{action: ignore, host: '[2001:db8::1]'}]}"

    assert ask(tmp_path, drop, server="2001:db8::1", client="2001:db8::2") == "ip_filter"
    assert ask(tmp_path, drop, server="10.0.0.1") is None
    assert ask(tmp_path, named, host=b"[2001:db8::1]:80") == "url_filter"


def test_octets_that_are_no_text_are_decided_too(tmp_path: Path) -> None:
    assert ask(tmp_path, "path-exclusions: a", target=b"/\xff\x00a") == "path_excluded"
    assert (
        ask(tmp_path, "url-filter: {rules: [{action: ignore, host: a}]}", host=b"\xff", method=b"\xff")
        is None
    )


@pytest.mark.parametrize("option", ["host-allow", "path-exclusions"])
def test_hostile_texts_cost_linear_time(tmp_path: Path, option: str) -> None:
    """``(a+)+$`` takes a backtracking engine 2^n steps; here 200,000 octets are no trouble."""
    decide = compile_rules(config(tmp_path, f"{option}: ['(a+)+$', '(a|aa){{1,50}},b$']\n"))
    assert decide is not None
    hostile = b"a" * 200_000 + b"!"

    def asked(text: bytes) -> int:
        return decide(b"GET", text, text, text, "192.0.2.9", 1, "10.1.2.3", 80)

    reason = {"host-allow": rules.HOST_NOT_ALLOWED, "path-exclusions": rules.PATH_EXCLUDED}[option]
    matches, others = (rules.KEEP, reason) if option == "host-allow" else (reason, rules.KEEP)
    assert asked(hostile) == others
    assert asked(b"!aaa,b") == asked(b"!aaa") == matches
