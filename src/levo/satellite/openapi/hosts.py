"""Which hosts of an application serve one API, which serve another, and which are somebody else's."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping

from levo.satellite.learn.schema import Knowledge, Node
from levo.satellite.openapi.operation import Operation, anonymous

Calls = dict[tuple[str, str], Operation]
"""By method and path without names of parameters."""
_LOCAL = ("localhost", "local", "internal", "lan", "home")
_LONGEST_SUFFIX = 3
"""Letters of a label such as the *co* of *co.uk*, below which names are registered."""


def host_groups(operations: Iterable[Operation]) -> list[list[Operation]]:
    """Return *operations* by the API that they are of: that with the most operations, or else calls, first.

    Two hosts serve one API where at least half of the operations of one are among those of the other, and
    none of these answers with something else.
    """
    by_host: dict[str, Calls] = {}
    for operation in operations:
        key = (operation.method, anonymous(operation.path))
        by_host.setdefault(operation.host, {}).setdefault(key, operation)
    groups: list[tuple[Calls, list[str]]] = []
    for host in sorted(by_host, key=lambda name: (-len(by_host[name]), name)):
        for calls, hosts in groups:
            if _are_one(calls, by_host[host]):
                hosts.append(host)
                for key, operation in by_host[host].items():
                    calls.setdefault(key, operation)
                break
        else:
            groups.append((dict(by_host[host]), [host]))
    groups.sort(key=lambda group: (-len(group[0]), -sum(o.exchanges for o in group[0].values()), group[1]))
    place = {host: number for number, (_, hosts) in enumerate(groups) for host in hosts}
    found: list[list[Operation]] = [[] for _ in groups]
    for operation in operations:
        found[place[operation.host]].append(operation)
    return found


def _are_one(calls: Calls, others: Calls) -> bool:
    shared = calls.keys() & others.keys()
    if 2 * len(shared) < min(len(calls), len(others)) or not shared:
        return False
    return all(_are_alike(calls[key].knowledge, others[key].knowledge) for key in shared)


def _are_alike(one: Knowledge, other: Knowledge) -> bool:
    """Whether successful responses have properties in common, as far as they have any."""
    for status, response in one.responses.items():
        again = other.responses.get(status)
        if not status.startswith("2") or again is None:
            continue
        for media, body in response.bodies.items():
            names, known = _names(body.schema), set()
            if media in again.bodies:
                known = _names(again.bodies[media].schema)
            if names and known and 2 * len(names & known) < len(names | known):
                return False
    return True


def _names(node: Node) -> set[str]:
    if node.items is not None and not node.children:
        node = node.items
    return set(node.children)


def third_parties(requests: Mapping[str, int], documents: Mapping[str, int]) -> set[str]:
    """Return the hosts that are somebody else's, as analytics in the recording of a browser.

    *requests* and *documents* are the requests and the JSON responses by host. The host with the most
    documents is the API's; with it are those below the same registered name, and local ones.
    """
    named = [host for host in requests if not _is_local(host)]
    if not named:
        return set()
    main = max(named, key=lambda host: (documents.get(host, 0), requests[host], host))
    return {host for host in named if _registered(host) != _registered(main)}


def _is_local(host: str) -> bool:
    name = _name(host)
    if "." not in name or name.rpartition(".")[2] in _LOCAL:
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_private or address.is_loopback


def _registered(host: str) -> str:
    """Return the registered name that *host* is below, by the shape of its last labels."""
    labels = _name(host).split(".")
    if len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= _LONGEST_SUFFIX:
        return ".".join(labels[-3:])
    return ".".join(labels[-2:])


def _name(host: str) -> str:
    """Return *host* without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if host.count(":") == 1 else host.lower()
