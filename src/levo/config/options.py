"""The sensor's table of options."""

from __future__ import annotations

import os
from typing import Any

from levo.config import credentials, values
from levo.config.rules import IpFilter, Redaction, UrlFilter
from levo.config.sensor_config import SensorConfig, contradictions, without_effect
from levo.config.table import Option, Surroundings, Table
from levo.config.values import BadValue, OutputSpec, SatelliteUrl


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


DEFAULT_PATH = "/etc/levo/sensor/config.yaml"


def _budget(around: Surroundings) -> tuple[int, str]:
    return around.memory_budget_bytes, around.memory_reason


def _log_format(around: Surroundings) -> tuple[str, str]:
    return ("text", "a terminal") if around.terminal else ("json", "not a terminal")


def _memory(value: str) -> int:
    return values.size_bytes(value, least=4 << 20)


def _message_length(value: str) -> int:
    return values.size_bytes(value, most=1 << 30)


def _spool_size(value: str) -> int:
    return values.size_bytes(value, least=1 << 20)


def _key_log(value: str) -> str:
    written = values.path(value)
    if not os.path.exists(written):
        if os.path.isdir(os.path.dirname(written) or "."):
            return written
        raise BadValue(f"{values.shown(value)} is not a file, and there is no such folder")
    return values.readable_file(value)


def _probe(value: str) -> str:
    if not value.strip():
        raise BadValue("is empty; name a socket, or off")
    return value if value == "off" else values.path(value)


def _source(value: str) -> str:
    if not value.strip():
        raise BadValue("is empty; name a capture file, or - for standard input")
    return value


def _collector(value: str) -> SatelliteUrl:
    return values.satellite_url(value)


def _show_collector(value: SatelliteUrl) -> str:
    return value.authority if value.transport == "grpc" and not value.tls else str(value)


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
        values.flag, True, values.show_flag, metavar="BOOL", on_command_line=False,
    ),
    Option(
        "satellite-url", "Satellite Settings",
        "Address of the Satellite: http(s)://host[:port][/prefix] for OTLP/HTTP, host:port or "
        "grpc(s)://host:port for OTLP/gRPC.",
        values.satellite_url, metavar="URL", default_text="collector-endpoint", example="http://satellite:9999",
    ),
    Option(
        "satellite-token", "Satellite Settings",
        "Bearer token that the Satellite asks for. A command line is visible to every user of the host: "
        "better in LEVO_SATELLITE_TOKEN or the file.",
        values.token, show=lambda token: "***", metavar="TOKEN", secret=True, example="put-the-token-here",
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
        values.flag, False, values.show_flag, metavar="BOOL", on_command_line=False,
    ),
    Option(
        "tls-ca-cert-path", "Satellite Settings",
        "PEM file of the authorities that the Satellite's certificate is verified against. "
        "It is read again when it changes, as are both of the next.",
        values.readable_file, metavar="FILE", default_text="the system's",
        example="/etc/levo/sensor/ca.pem",
    ),
    Option(
        "tls-client-cert-path", "Satellite Settings",
        "PEM file of the certificate that the sensor shows to the Satellite.",
        values.readable_file, metavar="FILE", on_command_line=False, example="/etc/levo/sensor/client.pem",
    ),
    Option(
        "tls-client-key-path", "Satellite Settings",
        "PEM file of the key of tls-client-cert-path.",
        values.readable_file, metavar="FILE", on_command_line=False, example="/etc/levo/sensor/client.key",
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
        field_name="trace_export_interval_ns",
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
        note="`any` captures all interfaces together, also those that come up later, with one ring and one "
        "descriptor. Without a name, each interface that is up is captured on its own; with more than 16 of "
        "them, `any` is used. Packets that are seen on several interfaces are read once either way.",
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
        field_name="stream_timeout_ns", note="A number without a unit is seconds.",
    ),
    Option(
        "connection-idle-timeout", "Capture Settings",
        "How long a connection without packets is remembered.",
        values.duration_ns, 86_400_000_000_000, values.show_duration, metavar="TIME",
        field_name="connection_idle_timeout_ns",
        note="A request that is still waiting for its response is reported when this time is "
        "over. Where memory runs short, connections that have been quiet for minutes go earlier, and are "
        "counted.",
    ),
    Option(
        "ignore-network-tags", "Capture Settings",
        "Take packets with different VLAN tags, VNIs, GRE keys or MPLS labels for one network.",
        values.flag, False, values.show_flag, metavar="BOOL", switch=True,
        note="Without it, two networks may use the same addresses. A connection whose two directions are in "
        "different networks, or that is seen in several, is recognized either way; set this where single "
        "packets of a connection change their network, as over several VLANs in turn.",
    ),
    Option(
        "merge-hops", "Capture Settings",
        "Report a request that went through a proxy on this host once, rather than once for each connection.",
        values.flag, False, values.show_flag, metavar="BOOL", switch=True,
        note="The exchanges before and after the proxy must carry the same `x-request-id` or `traceparent`, "
        "method, target and status, and the inner one must lie within the outer one. Without it they are "
        "linked. See docs/hops.md.",
    ),
    Option(
        "vxlan-port", "Capture Settings",
        "UDP port of VXLAN besides 4789, 4790 and 8472. Repeatable.",
        values.port, (), metavar="PORT", many=True, commas=True, default_text="none", example="6789",
        field_name="vxlan_ports",
        note="At most 16. A port that looks like VXLAN and is not named is reported, also by `levo doctor`.",
    ),
    Option(
        "tls-keylog", "Capture Settings",
        "TLS key log (the format of SSLKEYLOGFILE) to read TLS 1.2 and 1.3 with; may still grow.",
        _key_log, metavar="FILE", example="/run/app/tls-keys.log",
        note="AES-GCM and ChaCha20-Poly1305. Secrets inside a pcapng file are used without it.",
    ),
    Option(
        "tls-probe", "Capture Settings",
        "Where `levo tls probe` listens, whose secrets TLS is read with while it runs; `off` looks for none.",
        _probe, "/run/levo-tls-probe/probe.sock", metavar="PATH",
        note="Live capture only. See docs/tls-probe.md.",
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
        "escapes undone. What a broken content coding still gives is masked like any body. A body whose "
        "content coding cannot be undone at all is withheld when there are fields or patterns; otherwise it "
        "leaves as the compressed octets that it is, in which names cannot be found.\n\n"
        "Each name is masked in every convention: `access_token`, `access-token`, `accessToken`.\n\n"
        f"Masked header fields: {_listed(credentials.HEADERS)}.\n\n"
        f"Masked query parameters, form fields and JSON members: {_listed(credentials.FIELDS)}.\n\n"
        "Masked in URLs alone: `key`, and `code` in redirects (beside `state` or `grant_type`, or in "
        "one of the following). User information and parameters are masked in "
        f"{_listed(credentials.URL_HEADERS)}. Values of parameters and form fields that hold JSON, a URL or "
        "a GraphQL document, percent-encoded up to three times, are looked into, as are arguments of a "
        "GraphQL document in the content.",
    ),
    Option(
        "no-redact", "Redaction Settings",
        "Mask nothing. Only with jsonl, har or null outputs.",
        values.flag, False, values.show_flag, metavar="BOOL", switch=True,
    ),
    Option(
        "output", "Output Settings",
        "otlp, jsonl[:PATH], har[:PATH] or null. Repeatable.",
        values.output, (OutputSpec("otlp"),), metavar="OUTPUT", many=True,
    ),
    Option(
        "spool-dir", "Output Settings",
        "Folder that keeps traces while the Satellite is unreachable, across restarts.",
        values.path, metavar="FOLDER", default_text="off", example="/var/lib/levo-sensor/spool",
    ),
    Option(
        "spool-max-size", "Output Settings",
        "Most octets kept in spool-dir; the oldest go first.",
        _spool_size, 256 << 20, values.show_size, metavar="SIZE", field_name="spool_max_bytes",
    ),
    Option(
        "max-http-length", "Memory and Limits",
        "Octets kept of one message; past it the body is cut and marked.",
        _message_length, 10_000_000, values.show_size, metavar="SIZE", field_name="max_http_length_bytes",
    ),
    Option(
        "max-memory", "Memory and Limits",
        "One budget over all buffers.",
        _memory, 256 << 20, values.show_size, metavar="SIZE", live_default=_budget, example="128MiB",
        default_text="half the memory limit of the cgroup, else 256MiB", field_name="max_memory_bytes",
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
        values.flag, False, values.show_flag, metavar="BOOL", switch=True,
    ),
)  # fmt: skip

SENSOR = Table(
    "Sensor",
    SensorConfig,
    OPTIONS,
    SECTIONS,
    "levo config reference",
    DEFAULT_PATH,
    "LEVO_CONFIG",
    contradictions,
    without_effect,
)
BY_NAME = SENSOR.by_name
BY_KEY = SENSOR.by_key
BY_VARIABLE = SENSOR.by_variable
