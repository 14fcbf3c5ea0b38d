"""From evidence to causes, the most fundamental one first. Pure: no I/O, no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from levo.config import SensorConfig
from levo.ledger import EXCHANGES, numbers_of
from levo.sensor.doctor.local_hops import LocalHop
from levo.sensor.doctor.ports import named, unnamed_tunnel
from levo.sensor.doctor.reach import Reached
from levo.sensor.doctor.tls_programs import NOTHING_KNOWN, TlsSight
from levo.sensor.doctor.watch import Sight, Watched
from levo.sensor.encrypted import unread_words

if TYPE_CHECKING:
    from levo.model.statistics import UnnamedTunnel


SKEWED_S, DISBELIEVED_S = 5.0, 300.0
"""Differences of clocks from which on the Satellite shows them, and from which on it believes no time of ours
that lies ahead of its own (docs/satellite.md)."""


class Level(Enum):
    """How bad it is."""

    PROBLEM = "problem"
    """Nothing, or nothing useful, reaches the catalog because of it."""
    WARNING = "warning"
    """Part of the traffic is missing because of it."""
    NOTE = "note"
    """Worth knowing."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One cause, and what to do about it."""

    code: str
    """Stable; kebab case."""
    level: Level
    text: str
    fix: str


_RULES = ("host_not_allowed", "host_excluded", "path_not_allowed", "path_excluded", "url_filter", "ip_filter")
_SETTINGS = {
    "host_not_allowed": "--host-allow",
    "host_excluded": "--host-exclusions",
    "path_not_allowed": "--path-allow",
    "path_excluded": "--path-exclusions",
    "url_filter": "url-filter",
    "ip_filter": "ip-filter-list",
}


def diagnose(
    config: SensorConfig,
    watched: Watched | None,
    reached: Reached | None,
    hops: Sequence[LocalHop] = (),
    tls: TlsSight = NOTHING_KNOWN,
) -> list[Diagnosis]:
    """Every cause that the evidence shows, problems first, in the order of the data's way."""
    found = (
        []
        if watched is None
        else [*_arrival(config, watched), *_content(watched.kept, tls), *_rules(config, watched.kept)]
    )
    if watched is not None:
        found += _passed_on(config, watched.kept, hops)
        found += [_tunnel(each) for each in watched.everything.unnamed_tunnels]
    if watched is not None and (watched.kept.dropped or watched.everything.dropped):
        found.append(
            Diagnosis(
                "kernel-drops",
                Level.WARNING,
                f"the kernel dropped {watched.kept.dropped:,} packets: its ring was full",
                "narrow --filter, or give the sensor more CPU and --max-memory",
            )
        )
    if reached is not None:
        found += _satellite(reached)
    return sorted(found, key=lambda each: list(Level).index(each.level))


def _arrival(config: SensorConfig, watched: Watched) -> list[Diagnosis]:
    """Do packets come in at all?"""
    if watched.kept.packets:
        return []
    span = "the file" if config.read is not None else f"{round(watched.seconds, 1):g} s"
    if not watched.everything.packets:
        where = "in" if config.read is not None else "on any interface in"
        return [
            Diagnosis(
                "no-packets",
                Level.PROBLEM,
                f"no TCP packet {where} {span}",
                "send a request to the application now; in a container, the sensor must share the network "
                "namespace of the application (the same task or pod)",
            )
        ]
    busy = [(name, count) for name, count in watched.interfaces if count]
    here = sum(count for name, count in busy if name in config.interfaces)
    elsewhere = 20 * here < sum(count for _, count in busy) and all(name != "any" for name, _ in busy)
    if config.interfaces and (config.filter is None or elsewhere):
        busy = [(name, count) for name, count in busy if name not in config.interfaces]
        names = ", ".join(f"{name} ({count:,})" for name, count in busy)
        return [
            Diagnosis(
                "wrong-interface",
                Level.PROBLEM,
                f"no TCP packet on {', '.join(config.interfaces)}, but there are packets on {names}",
                f"write --interfaces {','.join(name for name, _ in busy)}, or leave it out to use all",
            )
        ]
    return [
        Diagnosis(
            "filter-matches-nothing",
            Level.PROBLEM,
            f"--filter {config.filter!r} matches none of {watched.everything.packets:,} packets",
            f"the traffic is on {_some_ports(watched.everything)}; change --filter or leave it out",
        )
    ]


def _passed_on(config: SensorConfig, kept: Sight, hops: Sequence[LocalHop]) -> list[Diagnosis]:
    """Requests that a process of this host passes on are captured twice: to it, and from it."""
    asked = {port["port"]: port["exchanges"] for port in kept.ports if port["exchanges"]}
    found = []
    for hop in hops:
        ports = [port for port in hop.ports if port in asked]
        if not ports or (config.merge_hops and not hop.copies):
            continue
        count = sum(asked[port] for port in ports)
        found.append(
            Diagnosis(
                "local-hop",
                Level.WARNING if hop.copies else Level.NOTE,
                f"{hop.name} (process {hop.pid}), {hop.what}, listens on {_listed(ports)}: {count:,} "
                f"exchanges came to it, and {'are' if hop.copies else 'may be'} captured again where it "
                "passes them on",
                _capture_one_side(ports, hop),
            )
        )
    return found


def _capture_one_side(ports: list[int], hop: LocalHop) -> str:
    expression = " and ".join(f"not port {port}" for port in ports)
    fix = f"capture one side of it: --filter '{expression}'"
    if hop.copies:
        return f"{fix}; --merge-hops does it where requests carry an x-request-id or a traceparent"
    return f"--merge-hops, where it passes x-request-id or traceparent on; or {fix}"


def _tunnel(tunnel: UnnamedTunnel) -> Diagnosis:
    """UDP that looks like VXLAN on a port that nobody named."""
    text, _, _ = unnamed_tunnel(tunnel).partition(": to read it")
    return Diagnosis(
        "vxlan-port", Level.WARNING, text, f"to read it, set --vxlan-port {tunnel['port'] or 'PORT'}"
    )


def _content(kept: Sight, sight: TlsSight) -> list[Diagnosis]:
    """Is there HTTP in what is kept?"""
    seen = kept.statistics
    tls = _ports_with(kept, "tls")
    if not kept.packets:
        return []
    if not seen["exchanges_begun"]:
        if not seen["payload_bytes_received"]:
            return [
                Diagnosis(
                    "no-data",
                    Level.PROBLEM,
                    "the packets carry no data: connections are opened, or kept alive, and nothing is sent",
                    "send a request to the application now",
                )
            ]
        if seen["connections_tls"] and not (seen["connections_http1"] or seen["connections_http2"]):
            return [
                Diagnosis(
                    "only-tls",
                    Level.PROBLEM,
                    f"all that could be HTTP is encrypted (TLS on {_listed(tls)}){_why_unread(kept, sight)}",
                    f"{_probe_them(tls, sight)}capture where the traffic is in clear: behind the load "
                    "balancer or the proxy that ends TLS, usually loopback or the application's own port",
                ),
                *_unread_programs(tls, sight),
            ]
        if not seen["connections_http2"]:
            names = _listed([port["port"] for port in kept.ports if port["port"] is not None])
            known = sorted({name for port in kept.ports for name in named(port)})
            what = " and ".join(known) if known else "another protocol, such as that of a database"
            return [
                Diagnosis(
                    "no-http",
                    Level.PROBLEM,
                    f"the traffic on {names} is not HTTP: {what}",
                    "widen --filter to the ports of the application",
                )
            ]
    found = []
    if seen["connections_http2"] and not seen["connections_http1"]:
        count = seen["exchanges_emitted"]
        late = seen["connections_mid_stream"] > 0
        found.append(
            Diagnosis(
                "only-http2",
                Level.NOTE if count else Level.PROBLEM,
                f"all HTTP here is HTTP/2, which includes gRPC (on {_listed(_ports_with(kept, 'http/2'))}); "
                f"{count:,} exchanges could be read",
                "it is read as it is; connections from before the sensor's start lack header fields until "
                "the client opens new ones"
                if late or count
                else "restart the client: the beginning of its connections, before the capture, is needed",
            )
        )
    if tls:
        found.append(
            Diagnosis(
                "some-tls",
                Level.NOTE,
                f"{_listed(tls)} carries TLS, which this look does not open{_why_unread(kept, sight)}",
                f"to see those APIs: {_probe_them(tls, sight)}capture behind the proxy that ends TLS",
            )
        )
        found += _unread_programs(tls, sight)
    if 10 * seen["heads_incomplete"] >= seen["exchanges_begun"] > 0:
        found.append(
            Diagnosis(
                "heads-cut",
                Level.WARNING,
                f"{seen['heads_incomplete']:,} message heads were not captured whole: packets are truncated, "
                "by a mirror's packet length or a snap length, or lost",
                "mirror whole packets; until then, requests have method and path, and the header fields "
                "that were captured (docs/truncated.md)",
            )
        )
    emitted = seen["exchanges_emitted"]
    if emitted and seen["exchanges_emitted_incomplete"] == emitted and not _only_ends(kept, emitted):
        found.append(
            Diagnosis(
                "all-incomplete",
                Level.WARNING,
                f"none of {emitted:,} exchanges is whole: one direction, or many packets, are missing",
                "let the filter match both directions (port, not src or dst port); mirror both directions",
            )
        )
    return found


def _why_unread(kept: Sight, sight: TlsSight) -> str:
    """What the running sensor says of the connections that it could not read; else what this look shows."""
    unread: Counter[str] = Counter()
    for endpoint in sight.endpoints:
        unread.update(endpoint["unread"])
    if sight.endpoints:
        read = sum(endpoint["decrypted_connections"] for endpoint in sight.endpoints)
        told = unread_words(unread)
        return f"; the running sensor has read {read:,} connections" + (f", not read {told}" if told else "")
    numbers = numbers_of(kept.statistics)
    told = unread_words({name: numbers[f"tls_{name}"] for name in ("joined_late", "suite")})
    return f"; among them connections {told}" if told else ""


def _probe_them(ports: Sequence[int], sight: TlsSight) -> str:
    """The first thing to try, with " or " behind it; empty where no probe helps."""
    if sight.probed:
        return "levo tls status says what is read of each process; or "
    readable = [each for each in sight.programs if not each.reason and set(each.ports) & set(ports)]
    if not readable:
        return ""
    names = ", ".join(f"{each.name} (process {each.pid})" for each in readable[:5])
    return f"start levo tls probe (systemctl enable --now levo-tls-probe), which reads {names}; or "


def _unread_programs(ports: Sequence[int], sight: TlsSight) -> list[Diagnosis]:
    """Programs behind those ports that no probe reads, with what to do for each."""
    found = []
    for each in sight.programs:
        mine = sorted(set(each.ports) & set(ports))
        if each.reason and mine:
            what, _, fix = each.reason.partition(": ")
            found.append(
                Diagnosis(
                    "tls-program",
                    Level.WARNING,
                    f"{each.name} (process {each.pid}) on {_listed(mine)} {what}: no probe reads it",
                    fix or "have it write a key log, and set --tls-keylog; or capture behind a proxy",
                )
            )
    return found


def _only_ends(kept: Sight, count: int) -> bool:
    """Are ``count`` exchanges few beside those that rules left out?

    An exchange that the beginning or the end of the look cut has no path that a rule could match; there is at
    most one of them for each connection and end.
    """
    return 10 * count <= _removed(kept)


def _removed(kept: Sight) -> int:
    dropped = numbers_of(kept.statistics["exchanges_dropped"])
    return sum(dropped[name] for name in _RULES)


def _rules(config: SensorConfig, kept: Sight) -> list[Diagnosis]:
    """What the user's own rules and limits take away."""
    seen = kept.statistics
    dropped = numbers_of(seen["exchanges_dropped"])
    removed = _removed(kept)
    found = []
    if removed:
        left = seen["exchanges_begun"] - seen["exchanges_open"] - removed
        all_of_it = left <= 0 or (left <= seen["exchanges_emitted_incomplete"] and _only_ends(kept, left))
        by = ", ".join(f"{_SETTINGS[name]} ({dropped[name]:,})" for name in _RULES if dropped[name])
        begun = seen["exchanges_begun"]
        found.append(
            Diagnosis(
                "all-excluded" if all_of_it else "some-excluded",
                Level.PROBLEM if all_of_it else Level.NOTE,
                f"{'every whole exchange' if all_of_it else f'{removed:,} of {begun:,} exchanges'} "
                f"is left out by your rules: {by}",
                "check those expressions: they are searched, not anchored; an exclusion beats an allowance",
            )
        )
    if dropped["rate_limited"]:
        begun = seen["exchanges_begun"]
        found.append(
            Diagnosis(
                "rate-limit",
                Level.WARNING,
                f"the rate limit is reached: {seen['exchanges_emitted']:,} of {begun:,} exchanges "
                f"become traces (--rate-limit {config.rate_limit:g} a minute)",
                "a fair sample with weights is sent; raise --rate-limit, or set it to 0, for all of them",
            )
        )
    return found


def _satellite(reached: Reached) -> list[Diagnosis]:
    if reached.error is None:
        return _clock(reached)
    if reached.rejects_organization:
        return [
            Diagnosis(
                "organization-rejected",
                Level.PROBLEM,
                f"the Satellite at {reached.address} rejects the organization or its token",
                "check --levoai-org-id and LEVO_SATELLITE_TOKEN against what the Satellite's owner gave you",
            )
        ]
    return [
        Diagnosis(
            "satellite-unreachable",
            Level.PROBLEM,
            f"the Satellite does not take traces: {reached.error}",
            "check --satellite-url, that the Satellite runs, and that firewalls and proxies let it through",
        )
    ]


def _clock(reached: Reached) -> list[Diagnosis]:
    apart_s = abs(reached.ahead_s or 0.0) - reached.within_s
    if reached.ahead_s is None or apart_s < SKEWED_S:
        return []
    far = apart_s >= DISBELIEVED_S
    if not far:
        effect = "exchanges are shown that much off"
    elif reached.ahead_s > 0:
        effect = "the Satellite takes the times of receipt instead of ours"
    else:
        effect = "traffic of now is shown that far in the past"
    return [
        Diagnosis(
            "clock-skew",
            Level.WARNING if far else Level.NOTE,
            f"this host's clock is {clock_difference(reached)} the Satellite's: {effect}",
            "let both hosts follow NTP (timedatectl status, chronyc tracking)",
        )
    ]


def clock_difference(reached: Reached) -> str:
    """Return "12 s ahead of", "3.0 h behind" or, where none can be seen, "the same as".

    Raises:
        ValueError: the Satellite did not say its time.
    """
    if reached.ahead_s is None:
        raise ValueError("no time was told")
    apart_s = abs(reached.ahead_s)
    if apart_s <= reached.within_s:
        return "the same as"
    for size_s, unit in ((86_400 * 365, "years"), (86_400, "days"), (3600, "h"), (60, "min")):
        if apart_s >= 2 * size_s:
            amount = f"{apart_s / size_s:.1f} {unit}"
            break
    else:
        amount = f"{apart_s:.0f} s"
    return f"{amount} {'ahead of' if reached.ahead_s > 0 else 'behind'}"


def removed_by_rules(kept: Sight) -> list[str]:
    """One line for each rule or limit that left exchanges out."""
    texts = {state.name: state.text for state in EXCHANGES.states}
    dropped = kept.statistics["exchanges_dropped"]
    return [f"{count:,} exchanges {texts.get(name, name)}" for name, count in dropped.items() if count]


def _ports_with(sight: Sight, protocol: str) -> list[int]:
    return [
        port["port"] for port in sight.ports if port["port"] is not None and protocol in port["protocols"]
    ]


def _some_ports(sight: Sight) -> str:
    return _listed([port["port"] for port in sight.ports if port["port"] is not None])


def _listed(ports: Sequence[int]) -> str:
    if not ports:
        return "no port"
    shown = ", ".join(map(str, ports[:5])) + (" ..." if len(ports) > 5 else "")
    return f"port{'s' if len(ports) > 1 else ''} {shown}"
