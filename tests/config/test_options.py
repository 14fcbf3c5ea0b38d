"""Every setting by the same table: default, a value from each place, precedence, a bad value."""

from __future__ import annotations

import dataclasses
import ipaddress
from pathlib import Path
from typing import Any

import pytest

from levo.config import (
    BY_NAME,
    OPTIONS,
    HostPort,
    IpFilter,
    IpRule,
    Option,
    OutputSpec,
    PortRange,
    ProxyUrl,
    Redaction,
    SatelliteUrl,
    SensorConfig,
    Surroundings,
    UrlFilter,
    UrlRule,
    load,
)
from levo.config.merge import Merged
from levo.errors import ConfigError

AROUND = Surroundings(terminal=True, memory_budget_bytes=100 << 20, memory_reason="half of the memory limit")
HERE = str(Path(__file__))
NET = ipaddress.ip_network("10.0.0.0/8")

# name: (default, [(text, value), three of them, all different], [(bad text, what the line must say)])
CASES: dict[str, tuple[Any, list[tuple[str, Any]], list[tuple[str, str]]]] = {
    "levo-env": (
        "default",
        [("staging", "staging"), ("production", "production"), ("a b", "a b")],
        [("<INSERT APPLICATION ENVIRONMENT (staging, production etc.)>", "placeholder"), ("ü", "ASCII")],
    ),
    "service-name": (None, [("a", "a"), ("b", "b"), ("ö,c", "ö,c")], [("a\nb", "control character")]),
    "default-service-name": (
        "default",
        [("a", "a"), ("b", "b"), ("c", "c")],
        [("< INSERT >", "placeholder")],
    ),
    "collector-endpoint": (
        SatelliteUrl("grpc", "localhost", 4317, False),
        [
            ("collector:4317", SatelliteUrl("grpc", "collector", 4317, False)),
            ("192.0.2.1:1", SatelliteUrl("grpc", "192.0.2.1", 1, False)),
            ("https://collector.example", SatelliteUrl("http", "collector.example", 443, True)),
        ],
        [
            ("collector", "host:port"),
            ("collector:99999", "1 to 65535"),
            ("<set to desired host:port value>", "place"),
        ],
    ),
    "collector-grpc-transport": (
        True,
        [("false", False), ("yes", True), ("0", False)],
        [("maybe", "neither true nor false")],
    ),
    "satellite-url": (
        None,
        [
            ("http://satellite:9999", SatelliteUrl("http", "satellite", 9999, False)),
            ("https://host/a/b/", SatelliteUrl("http", "host", 443, True, "/a/b")),
            ("grpcs://[::1]:4317", SatelliteUrl("grpc", "::1", 4317, True)),
        ],
        [
            ("< INSERT SATELLITE URL (http(s)://hostname|IP:port) >", "placeholder"),
            ("ftp://x:1", "http://, https://, grpc://"),
            ("satellite", "http(s)://host[:port] or host:port"),
            ("http://", "no host"),
            ("http://a b/", "not a host name"),
            ("http://h:x/", "ports go from 1 to 65535"),
            ("http://user:hunter2@host", "user name or a password"),
            ("http://host/?q", "query"),
            ("grpc://host", "grpc://host:4317"),
            ("grpc://host:1/p", "path"),
            ("::1:4317", "[::1]:4317"),
        ],
    ),
    "satellite-token": (None, [("a", "a"), ("b", "b"), ("c", "c")], [("a\x01", "is not a token")]),
    "levoai-org-id": (
        None,
        [("one", "one"), ("two", "two"), ("three", "three")],
        [("< INSERT LEVO ORG ID >", "placeholder")],
    ),
    "aws-region": (
        None,
        [("us-west-2", "us-west-2"), ("eu-central-1", "eu-central-1"), ("x", "x")],
        [("< INSERT AWS REGION (us-west-2) >", "placeholder")],
    ),
    "ignore-ssl-verify": (False, [("true", True), ("off", False), ("on", True)], [("2", "neither")]),
    "tls-ca-cert-path": (None, [(HERE, HERE)], [("/nonexistent/ca.pem", "is not a file")]),
    "tls-client-cert-path": (None, [(HERE, HERE)], [("/", "is not a file")]),
    "tls-client-key-path": (None, [(HERE, HERE)], [("/nonexistent/key", "is not a file")]),
    "http-proxy": (
        None,
        [
            ("http://p:1", ProxyUrl("http", "p", 1)),
            ("http://u:pw@p:2", ProxyUrl("http", "p", 2, "u:pw")),
            ("https://p:3", ProxyUrl("https", "p", 3)),
        ],
        [("p:3128", "write http://host:port"), ("http://p", "write http://host:port")],
    ),
    "https-proxy": (
        None,
        [("http://p:1", ProxyUrl("http", "p", 1))],
        [("socks5://p:1", "write http://host:port")],
    ),
    "rate-limit": (
        1000.0,
        [("0", 0.0), ("0.5", 0.5), ("12000", 12000.0)],
        [
            ("fast", "'fast' is not a number"),
            ("-1", "0 or above"),
            ("nan", "0 or above"),
            ("inf", "0 or above"),
            ("<INSERT NUMBER OF TRACES PER MINUTE>", "not a number"),
        ],
    ),
    "max-per-endpoint-exported-requests-per-second": (
        0.0,
        [("20", 20.0), ("0.1", 0.1), ("3", 3.0)],
        [("x", "number")],
    ),
    "trace-export-interval": (
        10_000_000_000,
        [("500ms", 500_000_000), ("1.0", 1_000_000_000), ("1m30s", 90_000_000_000)],
        [
            ("soon", "10, 10s or 500ms"),
            ("0", "above zero"),
            ("-5s", "not a time"),
            ("10 years", "not a time"),
        ],
    ),
    "filter": (
        None,
        [("port 8080 and (not port 8081)", "port 8080 and (not port 8081)"), ("tcp", "tcp"), ("ip", "ip")],
        [("<filter>", "placeholder")],
    ),
    "interfaces": (
        (),
        [("eth0", ("eth0",)), ("eth0,lo", ("eth0", "lo")), ("a, b", ("a", "b"))],
        [(",", "is empty")],
    ),
    "read": (None, [("a.pcap", "a.pcap"), ("-", "-"), ("b c.pcap", "b c.pcap")], []),
    "stream-timeout-seconds": (
        10_000_000_000,
        [("2", 2_000_000_000), ("1.5", 1_500_000_000), ("250ms", 250_000_000)],
        [("1 s x", "not a time")],
    ),
    "connection-idle-timeout": (
        86_400_000_000_000,
        [("300", 300_000_000_000), ("90m", 5_400_000_000_000), ("30d", 2_592_000_000_000_000)],
        [("1 week", "not a time"), ("32d", "at most 31d"), ("0", "above zero")],
    ),
    "ignore-network-tags": (False, [("true", True)], [("x", "neither true nor false")]),
    "merge-hops": (False, [("true", True)], [("x", "neither true nor false")]),
    "vxlan-port": (
        (),
        [("6789", (6789,)), ("1, 65535", (1, 65535))],
        [("0", "not a port"), ("x", "not a port")],
    ),
    "tls-keylog": (
        None,
        [("k.log", "k.log"), ("/tmp/k", "/tmp/k"), ("a b", "a b")],
        [("/no/such/k", "folder")],
    ),
    "tls-probe": (
        "/run/levo-tls-probe/probe.sock",
        [("off", "off"), ("/run/p.sock", "/run/p.sock")],
        [("< INSERT >", "placeholder")],
    ),
    "host-allow": (
        (),
        [("a,b", "a,b"), ("^x$", "^x$"), ("(a+)+$", "(a+)+$")],
        [("(a", "'(a' is not a regex")],
    ),
    "host-exclusions": ((), [("a", "a"), ("b", "b"), ("c", "c")], [("*", "is not a regex")]),
    "path-allow": ((), [("/a{1,3}", "/a{1,3}"), ("b", "b"), ("c", "c")], [(r"(?=a)", "look-around")]),
    "path-exclusions": ((), [("a", "a"), ("b", "b"), ("c", "c")], [(r"(a)\1", "back-references")]),
    "ip-filter-list": (
        IpFilter(),
        [
            ("{default-policy: drop}", IpFilter("drop")),
            (
                "{entries: [{policy: drop, host-ports: [53, 2379-2380], peer-network: 10.1.2.3/255.0.0.0}]}",
                IpFilter(
                    "accept",
                    (
                        IpRule(
                            "drop",
                            (PortRange(53, 53), PortRange(2379, 2380)),
                            peer_networks=(ipaddress.ip_network("10.0.0.0/8"),),
                        ),
                    ),
                ),
            ),
            ("{default-policy: accept}", IpFilter()),
        ],
        [
            ("{default-policy: deny}", "accept or drop"),
            ("{entries: [{host-ports: 1}]}", "has no policy"),
            ("{entries: [{policy: drop}]}", "matches nothing in particular"),
            ("{entries: [{policy: drop, host-ports: 70000}]}", "53 or 2379-2380"),
            ("{entries: [{policy: drop, host-ports: 9-3}]}", "53 or 2379-2380"),
            ("{entries: [{policy: drop, peer-network: somewhere}]}", "10.0.0.0/8"),
            ("{entrys: []}", "did you mean entries?"),
            ("[1]", "must be a mapping"),
            ("{entries: 3}", "must be a list"),
        ],
    ),
    "url-filter": (
        UrlFilter(),
        [
            ("{default-url-action: ignore}", UrlFilter("ignore")),
            (
                "{rules: [{action: ignore, methods: [get, POST], host: 'API.example:8888'}]}",
                UrlFilter("trace", (UrlRule("ignore", ("GET", "POST"), None, "api.example:8888"),)),
            ),
            ("{default-url-action: trace}", UrlFilter()),
        ],
        [
            ("{default-url-action: drop}", "trace or ignore"),
            ("{rules: [{methods: [GET]}]}", "has no action"),
            ("{rules: [{action: trace}]}", "matches nothing in particular"),
            ("{rules: [{action: trace, request-uri: '('}]}", "not a regex"),
            ("{rules: [{action: trace, methods: ['G T']}]}", "not an HTTP method"),
            ("{rules: [3]}", "must be a mapping"),
        ],
    ),
    "redact": (
        Redaction(),
        [
            ("{headers: [X-One]}", Redaction(headers=("x-one",))),
            ("{fields: password}", Redaction(fields=("password",))),
            ("{headers: [a, b], fields: [C]}", Redaction(("a", "b"), ("c",))),
        ],
        [
            ("{headers: ['a b']}", "not a header name"),
            ("{patterns: ['(']}", "not a regex"),
            ("{body: x}", "unknown key"),
        ],
    ),
    "no-redact": (False, [("true", True)], [("x", "neither true nor false")]),
    "output": (
        (OutputSpec("otlp"),),
        [
            ("null", (OutputSpec("null"),)),
            ("jsonl:a,b:c", (OutputSpec("jsonl", "a,b:c"),)),
            ("har", (OutputSpec("har"),)),
        ],
        [
            ("csv", "otlp, jsonl[:PATH], har[:PATH] or null"),
            ("null:x", "takes no path"),
            ("jsonl:", "jsonl:PATH"),
        ],
    ),
    "spool-dir": (None, [("/a", "/a"), ("/b", "/b"), ("/c", "/c")], []),
    "spool-max-size": (
        256 << 20,
        [("10MB", 10**7), ("2GiB", 2 << 30), ("1MiB", 1 << 20)],
        [("1k", "1KiB or 1KB")],
    ),
    "max-http-length": (
        10_000_000,
        [("0", 0), ("1.5MiB", 3 << 19), ("2000000", 2_000_000)],
        [("2GiB", "at most 1GiB"), ("big", "octets or a unit"), ("-1", "not a size")],
    ),
    "max-memory": (
        100 << 20,
        [("64MiB", 64 << 20), ("512 MiB", 512 << 20), ("100Mi", 100 << 20)],
        [("1MiB", "at least 4MiB"), ("64M", "64MiB or 64MB")],
    ),
    "listen": (
        None,
        [
            ("127.0.0.1:9464", HostPort("127.0.0.1", 9464)),
            (":80", HostPort("0.0.0.0", 80)),
            ("[::]:1", HostPort("::", 1)),
        ],
        [("9464", "no port"), ("[x]:1", "[2001:db8::1]:4317"), ("a:0", "1 to 65535")],
    ),
    "log-format": ("text", [("json", "json"), ("TEXT", "text")], [("xml", "text or json")]),
    "log-level": (
        "info",
        [("debug", "debug"), ("error", "error"), ("warning", "warning")],
        [("loud", "warning or error")],
    ),
    "dry-run": (False, [("true", True)], [("x", "neither true nor false")]),
}

REGEXES = {"host-allow", "host-exclusions", "path-allow", "path-exclusions"}
COMPANIONS = {
    "no-redact": {"output": ("null",)},
    "tls-client-key-path": {},
}


def flags(option: Option, text: str) -> dict[str, Any]:
    if option.switch:
        return {option.name: text == "true"}
    return {option.name: (text,) if option.many else text}


def value(merged: Merged, name: str) -> Any:
    found = getattr(merged.config, BY_NAME[name].field)
    return found[0].text if name in REGEXES and len(found) == 1 else found


def yaml_of(option: Option, text: str) -> str:
    written = text if option.structured else "'" + text.replace("'", "''") + "'"
    return f"{option.name}: {written}\n"


def merge(tmp_path: Path, flag: Any = None, env: Any = None, file: str | None = None) -> Merged:
    path = None
    if file is not None:
        path = str(tmp_path / "config.yaml")
        Path(path).write_text(file)
    return load(flag or {}, env or {}, path=path, default_path="/nonexistent", surroundings=AROUND)


def beside(name: str) -> dict[str, Any]:
    """What else must be set for a value of *name* to make sense."""
    if name == "tls-client-key-path":
        return {"LEVO_TLS_CLIENT_CERT_PATH": HERE}
    return {"LEVO_OUTPUT": "null"} if name == "no-redact" else {}


def test_the_table_has_every_option_and_every_field() -> None:
    assert list(CASES) == [option.name for option in OPTIONS]
    assert {option.field for option in OPTIONS} == {field.name for field in dataclasses.fields(SensorConfig)}
    assert len({option.variable for option in OPTIONS}) == len(OPTIONS)


@pytest.mark.parametrize("name", CASES)
def test_default(name: str, tmp_path: Path) -> None:
    merged = merge(tmp_path)

    assert value(merged, name) == CASES[name][0]
    assert merged.origins[name].kind == "default"


GOOD = [(name, text, wanted) for name, case in CASES.items() for text, wanted in case[1]]


@pytest.mark.parametrize(("name", "text", "wanted"), GOOD)
def test_a_value_from_each_place(name: str, text: str, wanted: Any, tmp_path: Path) -> None:
    option = BY_NAME[name]

    from_file = merge(tmp_path, env=beside(name), file=yaml_of(option, text))
    assert value(from_file, name) == wanted
    assert str(from_file.origins[name]) == f"{tmp_path / 'config.yaml'}:1"

    from_variable = merge(tmp_path, env={option.variable: text, **beside(name)})
    assert value(from_variable, name) == wanted
    assert str(from_variable.origins[name]) == option.variable

    if option.on_command_line and not (option.switch and text != "true"):
        from_flag = merge(tmp_path, flag=flags(option, text), env=beside(name))
        assert value(from_flag, name) == wanted
        assert str(from_flag.origins[name]) == f"--{name}"


THREE = [name for name, case in CASES.items() if len(case[1]) >= 3]


@pytest.mark.parametrize("name", THREE)
def test_a_flag_beats_a_variable_beats_the_file(name: str, tmp_path: Path) -> None:
    option = BY_NAME[name]
    (low, _), (middle, wanted_middle), (high, wanted_high) = CASES[name][1][:3]
    file, env = yaml_of(option, low), {option.variable: middle}

    assert value(merge(tmp_path, env=env, file=file), name) == wanted_middle
    if option.on_command_line and not option.switch:
        assert value(merge(tmp_path, flags(option, high), env, file), name) == wanted_high


BAD = [(name, text, says) for name, case in CASES.items() for text, says in case[2]]


@pytest.mark.parametrize(("name", "text", "says"), BAD)
def test_a_bad_value_is_named_with_its_place_and_the_fix(
    name: str, text: str, says: str, tmp_path: Path
) -> None:
    option = BY_NAME[name]
    tries = [(option.variable, {"env": {option.variable: text}})]
    if "\n" not in text and "\x01" not in text:
        tries.append((f"{tmp_path / 'config.yaml'}:1:", {"file": yaml_of(option, text)}))
    if option.on_command_line and not option.switch:
        tries.append((f"--{name}: ", {"flag": flags(option, text)}))
    for place, given in tries:
        with pytest.raises(ConfigError) as caught:
            merge(tmp_path, **given)
        line = str(caught.value)
        assert line.startswith(place)
        assert says in line
        assert "\n" not in line
        assert "hunter2" not in line
        assert caught.value.exit_status == 2


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_what_is_shown_reads_back(option: Option, tmp_path: Path) -> None:
    """The text of a default, and of every good value, is itself a good value of the same meaning."""
    if option.structured or option.secret:
        return
    default, good, _ = CASES[option.name]
    for wanted in [default, *(wanted for _, wanted in good)]:
        if wanted is None or wanted == () or option.name in REGEXES:
            continue
        items = wanted if option.many else (wanted,)
        read = tuple(option.parse(option.show(item)) for item in items)
        assert read == items


def test_many_variables_hold_one_item_a_line(tmp_path: Path) -> None:
    merged = merge(tmp_path, env={"LEVO_PATH_ALLOW": "a,b\n\nc\n"})

    assert [str(item) for item in merged.config.path_allow] == ["a,b", "c"]


def test_documented_variable_names() -> None:
    names = {"levo-env": "LEVO_ENV", "levoai-org-id": "LEVO_ORG_ID", "aws-region": "LEVO_AWS_REGION"}

    assert {name: BY_NAME[name].variable for name in names} == names
    assert BY_NAME["rate-limit"].variable == "LEVO_RATE_LIMIT"
