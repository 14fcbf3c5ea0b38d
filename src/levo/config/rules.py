"""The structured settings: IP filter, URL filter, redaction. Frozen values, applied elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from levo.config.values import Network, Pattern, PortRange


@dataclass(frozen=True, slots=True)
class IpRule:
    """Matches a connection when every part that is given matches; the first rule that matches decides."""

    policy: Literal["accept", "drop"]
    host_ports: tuple[PortRange, ...] = ()
    """Ports of the listening side; empty matches any."""
    peer_ports: tuple[PortRange, ...] = ()
    """Ports of the connecting side."""
    host_networks: tuple[Network, ...] = ()
    peer_networks: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class IpFilter:
    default_policy: Literal["accept", "drop"] = "accept"
    entries: tuple[IpRule, ...] = ()

    def __bool__(self) -> bool:
        return self.default_policy == "drop" or any(rule.policy == "drop" for rule in self.entries)


@dataclass(frozen=True, slots=True)
class UrlRule:
    """Matches a request when every part that is given matches; the first rule that matches decides."""

    action: Literal["trace", "ignore"]
    methods: tuple[str, ...] = ()
    """Upper case; empty matches any."""
    request_uri: Pattern | None = None
    """Searched in the request target, query included."""
    host: str | None = None
    """Lower case, exact; with a port only when the rule has one."""


@dataclass(frozen=True, slots=True)
class UrlFilter:
    default_action: Literal["trace", "ignore"] = "trace"
    rules: tuple[UrlRule, ...] = ()

    def __bool__(self) -> bool:
        return self.default_action == "ignore" or any(rule.action == "ignore" for rule in self.rules)


@dataclass(frozen=True, slots=True)
class Redaction:
    """What is masked: the credentials of ``levo.config.credentials`` without *keep*, and more."""

    headers: tuple[str, ...] = ()
    """Field names, lower case."""
    fields: tuple[str, ...] = ()
    """Names of JSON members at any depth, form fields and query parameters, lower case."""
    patterns: tuple[Pattern, ...] = ()
    """Every match in a body, a query or a field value is masked."""
    keep: tuple[str, ...] = ()
    """Names of ``levo.config.credentials`` that are not masked, lower case."""
