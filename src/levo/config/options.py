"""The table of options. Flags, variables, keys, ``levo config show``, the reference file and the reference
page are all made from it, so a setting exists in all of them or in none.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from levo.config import credentials, values
from levo.config.memory import default_budget
from levo.config.rules import IpFilter, Redaction, UrlFilter
from levo.config.values import BadValue, OutputSpec, SatelliteUrl


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


DEFAULT_PATH = "/etc/levo/sensor/config.yaml"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a default may depend on. A value, so that tests choose it."""

    terminal: bool = False
    """Standard error is a terminal."""
    memory_budget: int = 256 << 20
    memory_reason: str = "no memory limit found"

    @classmethod
    def here(cls) -> Surroundings:
        budget, reason = default_budget()
        return cls(os.isatty(2), budget, reason)


@dataclass(frozen=True, slots=True)
class Option:
    """One setting."""

    name: str
    """The flag without its dashes, and the key of the file."""
    section: str
    help: str
    parse: Callable[[str], Any]
    """Text to value; one item of it where *many*. For *structured* settings it is not used."""
    default: Any = None
    show: Callable[[Any], str] = str
    """Value to text that *parse* reads back; not for None."""
    metavar: str = "TEXT"
    many: bool = False
    """Repeatable; the value is a tuple. Items stand on lines of their own in a variable."""
    commas: bool = False
    """A *many* whose items may also be separated by commas."""
    switch: bool = False
    """A flag without a value."""
    structured: bool = False
    """A mapping: in the file, or as YAML in the variable; no flag."""
    on_command_line: bool = True
    in_file: bool = True
    key_alias: str | None = None
    """Another key of the same meaning."""
    variable_name: str | None = None
    default_text: str | None = None
    """How the default reads in documents, where the value alone would not say it."""
    live_default: Callable[[Surroundings], tuple[Any, str]] | None = None
    """Default and reason that depend on where the sensor runs; replaces *default*."""
    example: str | None = None
    """A value for the reference file where the default is nothing."""
    note: str = ""
    """More to know: only in the reference page."""
    reloadable: bool = False
    """SIGHUP applies a change without a restart."""
    secret: bool = False

    @property
    def field(self) -> str:
        return self.name.replace("-", "_")

    @property
    def flag(self) -> str:
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        return self.variable_name or "LEVO_" + self.name.removeprefix("levo-").upper().replace("-", "_")

    def describe_default(self) -> str:
        if self.default_text is not None:
            return self.default_text
        if self.default is None or self.default == ():
            return "none"
        if self.many:
            return ", ".join(self.show(item) for item in self.default)
        return self.show(self.default)


def _budget(around: Surroundings) -> tuple[int, str]:
    return around.memory_budget, around.memory_reason


def _log_format(around: Surroundings) -> tuple[str, str]:
    return ("text", "a terminal") if around.terminal else ("json", "not a terminal")


def _memory(value: str) -> int:
    return values.size_bytes(value, least=4 << 20)


def _message_length(value: str) -> int:
    return values.size_bytes(value, most=1 << 30)


def _spool_size(value: str) -> int:
    return values.size_bytes(value, least=1 << 20)


def _readable(value: str) -> str:
    written = values.text(value)
    if not os.path.isfile(written):
        raise BadValue(f"{values.shown(value)} is no file")
    if not os.access(written, os.R_OK):
        raise BadValue(f"{values.shown(value)} cannot be read; check its permissions")
    return written


def _key_log(value: str) -> str:
    written = values.text(value)
    if not os.path.exists(written):
        if os.path.isdir(os.path.dirname(written) or "."):
            return written
        raise BadValue(f"{values.shown(value)} is no file, and there is no such folder")
    return _readable(value)


def _source(value: str) -> str:
    if not value.strip():
        raise BadValue("is empty; name a capture file, or - for standard input")
    return value


def _collector(value: str) -> SatelliteUrl:
    return values.satellite_url(value)


def _show_collector(value: SatelliteUrl) -> str:
    return value.authority if value.transport == "grpc" and not value.tls else str(value)


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _structured(value: str) -> Any:
    raise AssertionError("structured settings are read by levo.config.document")


SECTIONS: dict[str, str] = {
    "Default Application Name": "How traces are named and grouped in the API catalog.",
    "Satellite Settings": "Where the sensor's API traces go.",
    "API Trace Export Rate Limiting": "How many API traces leave, shared fairly over endpoints.",
    "Capture Settings": "Which packets are looked at.",
    "Host and Path Filters": "Which requests are traced: when (no host-allow or one matches) "
    "and (no path-allow or one matches) and no exclusion matches.",
    "IP Filters": "IP/port/network address based filtering of API traffic.",
    "URL Filters": "Filtering of API traffic by method, request URI and host.",
    "Redaction Settings": "What is masked in the sensor.",
    "Output Settings": "Where traces are written besides, or instead of, the Satellite.",
    "Memory and Limits": "How much the sensor keeps.",
    "Self-description": "Logs and health.",
}

OPTIONS: tuple[Option, ...] = (
    Option(
        "levo-env", "Default Application Name",
        "Application environment (staging, production, ...).",
        values.header_text, "default",
    ),
    Option(
        "service-name", "Default Application Name",
        "Application name in the catalog. Without it: the ECS service or task family, else "
        "default-service-name.",
        values.text, example="orders",
    ),
    Option(
        "default-service-name", "Default Application Name",
        "Application name where nothing better is known.",
        values.text, "default", on_command_line=False,
    ),
    Option(
        "collector-endpoint", "Satellite Settings",
        "host:port for the collector service receiving the sensor's API traces.",
        _collector, SatelliteUrl("grpc", "localhost", 4317, tls=False), _show_collector,
        metavar="HOST:PORT", on_command_line=False,
        note="`https://host[:port]` means TLS. `satellite-url` overrides it.",
    ),
    Option(
        "collector-grpc-transport", "Satellite Settings",
        "OTLP/gRPC to collector-endpoint; false: OTLP/HTTP.",
        values.flag, True, _truth, metavar="BOOL", on_command_line=False,
    ),
    Option(
        "satellite-url", "Satellite Settings",
        "Address of the Satellite: http(s)://host[:port][/prefix] for OTLP/HTTP, host:port or "
        "grpc(s)://host:port for OTLP/gRPC.",
        values.satellite_url, metavar="URL", default_text="collector-endpoint", example="http://satellite:9999",
    ),
    Option(
        "satellite-token", "Satellite Settings",
        "Bearer token that the Satellite asks for.",
        values.header_text, show=lambda token: "***", on_command_line=False, secret=True,
        example="put-the-token-here", note="No flag: a command line is visible to every user of the host.",
    ),
    Option(
        "levoai-org-id", "Satellite Settings",
        "Organization id, sent as x-levo-organization-id too.",
        values.header_text, metavar="ID", key_alias="organization-id", variable_name="LEVO_ORG_ID",
        example="11111111-2222-3333-4444-555555555555",
    ),
    Option(
        "aws-region", "Satellite Settings",
        "AWS region the sensor runs in. Without it: from the task metadata.",
        values.text, metavar="REGION", on_command_line=False, example="us-west-2",
    ),
    Option(
        "ignore-ssl-verify", "Satellite Settings",
        "Do not verify the Satellite's TLS certificate.",
        values.flag, False, _truth, metavar="BOOL", on_command_line=False,
    ),
    Option(
        "tls-ca-cert-path", "Satellite Settings",
        "PEM file of the authorities that the Satellite's certificate is verified against.",
        _readable, metavar="FILE", default_text="the system's", on_command_line=False,
        example="/etc/levo/sensor/ca.pem",
    ),
    Option(
        "tls-client-cert-path", "Satellite Settings",
        "PEM file of the certificate that the sensor shows to the Satellite.",
        _readable, metavar="FILE", on_command_line=False, example="/etc/levo/sensor/client.pem",
    ),
    Option(
        "tls-client-key-path", "Satellite Settings",
        "PEM file of the key of tls-client-cert-path.",
        _readable, metavar="FILE", on_command_line=False, example="/etc/levo/sensor/client.key",
    ),
    Option(
        "http-proxy", "Satellite Settings",
        "Proxy for a Satellite at http://.",
        values.proxy_url, metavar="URL", on_command_line=False, secret=True,
        example="http://proxy:3128",
    ),
    Option(
        "https-proxy", "Satellite Settings",
        "Proxy for a Satellite at https://.",
        values.proxy_url, metavar="URL", on_command_line=False, secret=True,
        example="http://proxy:3128",
    ),
    Option(
        "rate-limit", "API Trace Export Rate Limiting",
        "Traces per minute, decimals allowed; 0 = no limit.",
        values.rate, 1000.0, values.show_rate, metavar="NUMBER", reloadable=True,
    ),
    Option(
        "max-per-endpoint-exported-requests-per-second", "API Trace Export Rate Limiting",
        "Traces per second of one endpoint, on top of rate-limit; 0 = no limit.",
        values.rate, 0.0, values.show_rate, metavar="NUMBER", on_command_line=False, reloadable=True,
    ),
    Option(
        "trace-export-interval", "API Trace Export Rate Limiting",
        "Longest time that a finished trace waits before it is sent: 10, 10s, 1.0, 500ms.",
        values.duration_ns, 10_000_000_000, values.show_duration, metavar="TIME",
    ),
    Option(
        "filter", "Capture Settings",
        "Packets to look at, a pcap-filter(7) expression, for example: port 8080 and (not port 8081)",
        values.text, metavar="EXPRESSION", example="port 8080 and (not port 8081)",
        note="Compiled before anything starts. Frames with VLAN tags match too.",
    ),
    Option(
        "interfaces", "Capture Settings",
        "Interfaces to capture on, separated by commas.",
        values.text, (), metavar="NAMES", many=True, commas=True, default_text="all that are up",
        example="eth0",
    ),
    Option(
        "read", "Capture Settings",
        "Read this pcap or pcapng file (gzip too; - is standard input) instead of capturing.",
        _source, metavar="FILE", example="/tmp/capture.pcap",
    ),
    Option(
        "stream-timeout-seconds", "Capture Settings",
        "How long a missing TCP segment is waited for.",
        values.duration_ns, 10_000_000_000, values.show_duration, metavar="TIME",
    ),
    Option(
        "tls-keylog", "Capture Settings",
        "TLS key log (the format of SSLKEYLOGFILE) to read TLS 1.2 and 1.3 with; may still grow.",
        _key_log, metavar="FILE", example="/run/app/tls-keys.log",
        note="AES-GCM and ChaCha20-Poly1305. Secrets inside a pcapng file are used without it.",
    ),
    Option(
        "host-allow", "Host and Path Filters",
        "Regex for allowed hosts (with the port where it is sent). Repeatable.",
        values.pattern, (), metavar="REGEX", many=True, reloadable=True, example="^api\\.example\\.com",
        note="Searched, not anchored; RE2 syntax, linear time; a comma is part of it.",
    ),
    Option(
        "host-exclusions", "Host and Path Filters",
        "Regex for excluded hosts. Repeatable.",
        values.pattern, (), metavar="REGEX", many=True, reloadable=True, example="^internal\\.",
    ),
    Option(
        "path-allow", "Host and Path Filters",
        "Regex for allowed paths (without the query). Repeatable.",
        values.pattern, (), metavar="REGEX", many=True, reloadable=True, example="^/api/",
    ),
    Option(
        "path-exclusions", "Host and Path Filters",
        "Regex for excluded paths. Repeatable.",
        values.pattern, (), metavar="REGEX", many=True, reloadable=True, example="^/health$",
    ),
    Option(
        "ip-filter-list", "IP Filters",
        "default-policy accept or drop; the first of entries that matches a connection decides.",
        _structured, IpFilter(), metavar="MAPPING", structured=True, on_command_line=False,
        default_text="accept everything", reloadable=True,
        example="""
default-policy: accept
entries:
  # host: the side that listens; peer: the side that connects
  - policy: drop
    host-ports: [53, 2379-2380]
  - policy: drop
    peer-network: 10.98.76.0/24""",
    ),
    Option(
        "url-filter", "URL Filters",
        "default-url-action trace or ignore; the first of rules that matches a request decides.",
        _structured, UrlFilter(), metavar="MAPPING", structured=True, on_command_line=False,
        default_text="trace everything", reloadable=True,
        example="""
default-url-action: trace
rules:
  - action: ignore
    methods: [GET, HEAD]
    request-uri: ^/static/
    host: www.example.com""",
        note="`request-uri` is a regex searched in the request target, query included; `host` is compared "
        "without its port unless the rule has one.",
    ),
    Option(
        "redact", "Redaction Settings",
        "More than the credentials below: headers (names), fields (JSON members at any depth, form fields, "
        "query parameters), patterns (regexes); keep: names from below that are not masked.",
        _structured, Redaction(), metavar="MAPPING", structured=True, on_command_line=False,
        default_text="the credentials below", reloadable=True,
        example="""
headers: [x-session]
fields: [ssn]
patterns: ['\\b\\d{3}-\\d{2}-\\d{4}\\b']
keep: [pin]""",
        note="Each hidden octet becomes `*`, so lengths stay. `authorization` and `proxy-authorization` "
        "keep their scheme, `cookie` and `set-cookie` their names and attributes, `sec-websocket- "
        "protocol` its subprotocols. In JSON, structure stays and digits of numbers become `1`. In "
        "members named below, names inside, `true`, `false` and `null` stay as well; in members that "
        "`fields` names, names inside are hidden, and `true` and `false` become `null`. Patterns are "
        "searched in bodies, header values and the request target, and with percent-encoding and JSON "
        "escapes undone. A body whose content coding cannot be undone is withheld when there are "
        "fields or patterns.\n\n"
        f"Masked header fields: {_listed(credentials.HEADERS)}.\n\n"
        f"Masked query parameters, form fields and JSON members: {_listed(credentials.FIELDS)}.\n\n"
        "Masked in URLs alone: `key`, and `code` in redirects (beside `state` or `grant_type`, or in "
        "one of the following). User information and parameters are masked in "
        f"{_listed(credentials.URL_HEADERS)}. XML elements and arguments inside a GraphQL document are not "
        "looked at.",
    ),
    Option(
        "no-redact", "Redaction Settings",
        "Mask nothing. Only with jsonl, har or null outputs.",
        values.flag, False, _truth, metavar="BOOL", switch=True,
    ),
    Option(
        "output", "Output Settings",
        "otlp, jsonl[:PATH], har[:PATH] or null. Repeatable.",
        values.output, (OutputSpec("otlp"),), metavar="OUTPUT", many=True,
    ),
    Option(
        "spool-dir", "Output Settings",
        "Folder that keeps traces while the Satellite is unreachable, across restarts.",
        values.text, metavar="FOLDER", default_text="off", example="/var/lib/levo-sensor/spool",
    ),
    Option(
        "spool-max-size", "Output Settings",
        "Most octets kept in spool-dir; the oldest go first.",
        _spool_size, 256 << 20, values.show_size, metavar="SIZE",
    ),
    Option(
        "max-http-length", "Memory and Limits",
        "Octets kept of one message; past it the body is cut and marked.",
        _message_length, 10_000_000, values.show_size, metavar="SIZE",
    ),
    Option(
        "max-memory", "Memory and Limits",
        "One budget over all buffers.",
        _memory, 256 << 20, values.show_size, metavar="SIZE", live_default=_budget, example="128MiB",
        default_text="half the memory limit of the cgroup, else 256MiB",
    ),
    Option(
        "listen", "Self-description",
        "host:port of /healthz, /readyz and /metrics.",
        values.host_port, metavar="HOST:PORT", default_text="off", example="127.0.0.1:9464",
    ),
    Option(
        "log-format", "Self-description",
        "text or json.",
        values.choice("text", "json"), "text", metavar="FORMAT", live_default=_log_format, example="text",
        default_text="text in a terminal, else json",
    ),
    Option(
        "log-level", "Self-description",
        "debug, info, warning or error.",
        values.choice("debug", "info", "warning", "error"), "info", metavar="LEVEL",
    ),
    Option(
        "dry-run", "Self-description",
        "Print the merged configuration, the interfaces and the compiled filter, then exit.",
        values.flag, False, _truth, metavar="BOOL", switch=True,
    ),
)  # fmt: skip

BY_NAME: dict[str, Option] = {option.name: option for option in OPTIONS}
BY_KEY: dict[str, Option] = {
    key: option for option in OPTIONS if option.in_file for key in (option.name, option.key_alias) if key
}
BY_VARIABLE: dict[str, Option] = {option.variable: option for option in OPTIONS}
