"""What is captured: the user's expression, the protocols the engine can read, and none of our own exports.

Programs are joined as instructions rather than as text. The ``vlan`` of pcap-filter(7) moves the offsets of
all that stands *behind* it in an expression, ``or`` and brackets notwithstanding, so a text such as
``(E) or (vlan and (E))`` lets tagged frames pass that ``E`` excludes (``not port 8081``). Three programs and
a choice between them are exact: untagged, one tag, two tags.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from levo.errors import ConfigError, Problem
from levo.sensor.capture.bpf import ExpressionError, compile_expression

Instruction = tuple[int, int, int, int]
"""(code, jump if true, jump if false, k) of the BPF machine."""

Compile = Callable[[str], Sequence[Instruction]]

_JUMP = 0x05
_RETURN = 0x06
_ANCILLARY = 0xFFFFF000
"""SKF_AD_OFF: loads from here on read what the kernel knows of a frame; a capture file does not hold it."""

_ROOM = 3072
"""Instructions, of the 4,096 that the kernel takes: the rest is for the user's expression."""

_MOVES_OFFSETS = re.compile(r"\b(?:vlan|mpls|pppoed|pppoes|geneve)\b")

READABLE = (
    "tcp"
    " or (ip[6:2] & 0x1fff != 0)"
    " or (ip6 and (ip6[6] = 0 or ip6[6] = 43 or ip6[6] = 44 or ip6[6] = 51 or ip6[6] = 60))"
    " or ip proto 4 or ip proto 41 or ip proto 47 or ip proto 51 or ip proto 97 or ip proto 137"
    " or ip6 proto 4 or ip6 proto 41 or ip6 proto 47 or ip6 proto 97 or ip6 proto 137"
    " or udp port 2152 or udp port 4754 or udp port 4789 or udp port 4790 or udp port 6081 or udp port 6635"
    " or udp port 8472 or udp port 37008"
)
"""TCP, whatever may hide it (fragments, IPv6 extension headers), and the tunnels it may come in: IP in IP,
GRE, EtherIP, MPLS, GTP-U, GRE in UDP, VXLAN, VXLAN-GPE, Geneve, MPLS in UDP, TZSP."""

LIKE_VXLAN = (
    "(udp[8:2] & 0x7bb7 = 0x0800 and udp[15] = 0"
    " and (udp[28:2] = 0x0800 or udp[28:2] = 0x86dd or udp[28:2] = 0x8100))"
    " or (ip6 proto 17 and ip6[48:2] & 0x7bb7 = 0x0800 and ip6[55] = 0"
    " and (ip6[68:2] = 0x0800 or ip6[68:2] = 0x86dd or ip6[68:2] = 0x8100))"
)
"""UDP on any port with the header of VXLAN and a frame with IP: it is counted, so that it can be named."""

ALL = "ip or ip6"
LABELED = "ether proto 0x8847 or ether proto 0x8848 or ether proto 0x8864"
"""MPLS and PPPoE sessions, where the link layer can carry them."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A TCP port of a host that the sensor itself talks to."""

    host: str
    """Name or address, without brackets."""
    port: int


@dataclass(frozen=True, slots=True)
class Resolution:
    """Addresses of endpoints at one time."""

    addresses: frozenset[tuple[str, int]]
    """(numeric address, port)."""
    unresolved: tuple[str, ...]
    """Hosts that have no address now, sorted."""


def resolve(endpoints: Iterable[Endpoint]) -> Resolution:
    """All addresses of *endpoints*. May block on DNS; a host without an address is reported, not raised."""
    addresses: set[tuple[str, int]] = set()
    unresolved: set[str] = set()
    for endpoint in endpoints:
        try:
            found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            unresolved.add(endpoint.host)
            continue
        addresses.update((str(each[4][0]).partition("%")[0], endpoint.port) for each in found)
    return Resolution(frozenset(addresses), tuple(sorted(unresolved)))


def without(addresses: Iterable[tuple[str, int]]) -> str:
    """Expression for everything but TCP to and from *addresses*; empty for none."""
    ports: dict[int, list[str]] = {}
    for address, port in sorted(addresses):
        family = "ip6" if ":" in address else "ip"
        ports.setdefault(port, []).append(f"{family} host {address}")
    terms = [f"not (tcp port {port} and ({' or '.join(hosts)}))" for port, hosts in ports.items()]
    return " and ".join(terms)


def both(first: Sequence[Instruction], second: Sequence[Instruction]) -> list[Instruction]:
    """A program that passes what *first* and *second* pass."""
    return [*_redirect(first, len(first), None), *second]


def choose(
    test: Sequence[Instruction], then: Sequence[Instruction], otherwise: Sequence[Instruction]
) -> list[Instruction]:
    """A program that decides like *then* where *test* passes and like *otherwise* where it does not."""
    return [*_redirect(test, len(test), len(test) + len(then)), *then, *otherwise]


def _redirect(program: Sequence[Instruction], passed: int, failed: int | None) -> list[Instruction]:
    """Turn returns into jumps to these indexes; ``None`` keeps the return."""
    moved = []
    for index, (code, jump_true, jump_false, value) in enumerate(program):
        target = None
        if code == _RETURN:
            target = passed if value else failed
        if target is None:
            moved.append((code, jump_true, jump_false, value))
        else:
            moved.append((_JUMP, 0, 0, target - index - 1))
    return moved


def through_tags(expression: str, compile: Compile) -> list[Instruction]:
    """*expression* for untagged frames and for those with one or two VLAN tags (IEEE 802.1Q, 802.1ad).

    An expression that names a tag or label itself is taken as it stands. Link layers without tags give the
    plain program. Raises ``ExpressionError``.
    """
    plain = list(compile(expression))
    if _MOVES_OFFSETS.search(expression):
        return plain
    try:
        tagged, tagged_twice = compile("vlan"), compile("vlan and vlan")
    except ExpressionError:
        return plain
    inside = f" and ({expression})" if expression.strip() else ""
    once, twice = _or_nothing(f"vlan{inside}", compile), _or_nothing(f"vlan and vlan{inside}", compile)
    return choose(tagged, choose(tagged_twice, twice, once), plain)


def _or_nothing(expression: str, compile: Compile) -> Sequence[Instruction]:
    """libpcap calls an expression wrong when it can see that nothing matches it; here that is an answer."""
    try:
        return compile(expression)
    except ExpressionError as error:
        if "rejects all packets" in str(error):
            return [(_RETURN, 0, 0, 0)]
        raise


def readable(vxlan_ports: Iterable[int]) -> str:
    """Expression for what the engine can read, or count where it is not told the port."""
    return f"{_opened(vxlan_ports)} or {LIKE_VXLAN}"


def _opened(vxlan_ports: Iterable[int]) -> str:
    return READABLE + "".join(f" or udp port {port}" for port in vxlan_ports)


def readable_program(
    addresses: Iterable[tuple[str, int]], compile: Compile, vxlan_ports: Iterable[int] = ()
) -> list[Instruction]:
    """What the engine can read, without TCP of *addresses*.

    Where that is more than fits, as on 802.11, whose headers vary in length, the kernel passes more than the
    engine reads: all IP, and at last our own exports, which the engine knows by their mark.
    """
    exclusion = without(addresses)
    ports = tuple(vxlan_ports)
    choices = [(expression, exclusion) for expression in (readable(ports), _opened(ports), ALL)]
    for expression, excluded in [*choices, (ALL, "")]:
        suffix = f" and {excluded}" if excluded else ""
        try:
            program = through_tags(f"({expression} or {LABELED}){suffix}", compile)
        except ExpressionError:  # a link layer without labels
            program = through_tags(f"({expression}){suffix}", compile)
        if len(program) <= _ROOM:
            break
    return program


def user_program(expression: str, compile: Compile, where: str = "--filter") -> list[Instruction]:
    """The user's *expression*. Raises ``ConfigError`` with its text and libpcap's message."""
    try:
        return through_tags(expression, compile)
    except ExpressionError as error:
        raise filter_error(expression, str(error), where) from None


def filter_error(expression: str, message: str, where: str = "--filter") -> ConfigError:
    """The one line about an expression that cannot be used."""
    return ConfigError(
        Problem(where, f"{expression!r} cannot be compiled: {' '.join(message.split())}; see man pcap-filter")
    )


def live_program(
    expression: str | None,
    addresses: Iterable[tuple[str, int]],
    compile: Compile,
    vxlan_ports: Iterable[int] = (),
) -> list[Instruction]:
    """The kernel's filter for one interface. Raises ``ConfigError``."""
    program = readable_program(addresses, compile, vxlan_ports)
    if not expression or not expression.strip():
        return program
    return both(user_program(expression, compile), program)


def describe(
    expression: str | None, addresses: Iterable[tuple[str, int]], vxlan_ports: Iterable[int] = ()
) -> str:
    """The kernel's filter as one expression to read (``--dry-run``); tags are looked through besides."""
    terms = [f"({readable(vxlan_ports)} or {LABELED})", without(addresses)]
    if expression and expression.strip():
        terms.insert(0, f"({expression.strip()})")
    return " and ".join(term for term in terms if term)


def file_program(expression: str, link_type: int) -> list[Instruction]:
    """*expression* for frames of *link_type* read from a file. Raises ``ConfigError``."""

    def compile(text: str) -> Sequence[Instruction]:
        return _or_nothing(text, lambda each: compile_expression(each, link_type))

    program = user_program(expression, compile)
    if any(code & 0x07 <= 1 and code & 0xE0 == 0x20 and value >= _ANCILLARY for code, _, _, value in program):
        message = "it asks for what only a live interface knows (inbound, outbound, ifindex)"
        raise filter_error(expression, message)
    return program


def check_expression(expression: str) -> None:
    """Raise ``ConfigError`` when *expression* is no filter for Ethernet, before anything is opened."""
    user_program(expression, compile_expression)
