"""The user's filters as the one question the engine asks about a request: keep it, or drop it and why?

An exchange is kept when ip-filter-list accepts its connection, (no host-allow or one matches), (no path-allow
or one matches), no exclusion matches, and url-filter traces it. The first that says no is counted.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import lru_cache

from levo.config import IpFilter, IpRule, Pattern, SensorConfig, UrlFilter, UrlRule

KEEP = 0
HOST_NOT_ALLOWED = 1
HOST_EXCLUDED = 2
PATH_NOT_ALLOWED = 3
PATH_EXCLUDED = 4
URL_FILTER = 7
IP_FILTER = 8
"""Numbers of ``Drop`` in ``engine/core/types.pxd`` (``levo.engine.engine.DROP_NAMES``)."""

Rules = Callable[[bytes, bytes, bytes, bytes, str, int, str, int], int]
"""(method, host, path, target, client, client_port, server, server_port) to 0 or a reason."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def compile_rules(config: SensorConfig) -> Rules | None:
    """The filters of *config*; None when they keep everything, so that nothing needs to be asked."""
    host_allow, host_exclusions = config.host_allow, config.host_exclusions
    path_allow, path_exclusions = config.path_allow, config.path_exclusions
    ip_filter, url_filter = config.ip_filter_list, config.url_filter
    if not (host_allow or host_exclusions or path_allow or path_exclusions or ip_filter or url_filter):
        return None

    def ask(
        method: bytes,
        host: bytes,
        path: bytes,
        target: bytes,
        client: str,
        client_port: int,
        server: str,
        server_port: int,
    ) -> int:
        if ip_filter and not accepts(ip_filter, client, client_port, server, server_port):
            return IP_FILTER
        if host_allow and not _any(host_allow, host):
            return HOST_NOT_ALLOWED
        if host_exclusions and _any(host_exclusions, host):
            return HOST_EXCLUDED
        if path_allow and not _any(path_allow, path):
            return PATH_NOT_ALLOWED
        if path_exclusions and _any(path_exclusions, path):
            return PATH_EXCLUDED
        if url_filter and not traces(url_filter, method, host, target):
            return URL_FILTER
        return KEEP

    return ask


def accepts(rules: IpFilter, client: str, client_port: int, server: str, server_port: int) -> bool:
    """Whether *rules* accept the connection: by the first entry that matches, else the default policy."""
    for rule in rules.entries:
        if _matches_connection(rule, client, client_port, server, server_port):
            return rule.policy == "accept"
    return rules.default_policy == "accept"


def traces(rules: UrlFilter, method: bytes, host: bytes, target: bytes) -> bool:
    """Whether *rules* trace the request: the first rule that matches decides, else the default action."""
    for rule in rules.rules:
        if _matches_request(rule, method, host, target):
            return rule.action == "trace"
    return rules.default_action == "trace"


def _matches_connection(rule: IpRule, client: str, client_port: int, server: str, server_port: int) -> bool:
    if rule.host_ports and not any(ports.first <= server_port <= ports.last for ports in rule.host_ports):
        return False
    if rule.peer_ports and not any(ports.first <= client_port <= ports.last for ports in rule.peer_ports):
        return False
    if rule.host_networks:
        address = _address(server)
        if not any(address in network for network in rule.host_networks):
            return False
    if rule.peer_networks:
        address = _address(client)
        if not any(address in network for network in rule.peer_networks):
            return False
    return True


def _matches_request(rule: UrlRule, method: bytes, host: bytes, target: bytes) -> bool:
    if rule.methods and method.decode("latin-1").upper() not in rule.methods:
        return False
    if rule.host is not None and not _same_host(rule.host, host.decode("utf-8", "replace").lower()):
        return False
    return rule.request_uri is None or rule.request_uri.search(target)


def _same_host(wanted: str, host: str) -> bool:
    if host == wanted:
        return True
    name, colon, port = host.rpartition(":")
    # An IPv6 literal keeps its brackets in the Host field: what follows the last bracket is the port.
    return bool(colon) and port.isdigit() and name == wanted


def _any(patterns: tuple[Pattern, ...], octets: bytes) -> bool:
    return any(pattern.search(octets) for pattern in patterns)


@lru_cache(maxsize=4096)
def _address(text: str) -> Address:
    return ipaddress.ip_address(text)
