"""Who was let in: answers by their class, with and without a credential. Of every exchange, not of a sample.

What is looked into (``state.BodyBudget``) is a part of what comes; one anonymous success among thousands is
what matters here, so this is counted for all.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from operator import add
from typing import NamedTuple
from urllib.parse import unquote_plus

import msgspec

from levo.satellite.learn.auth import is_credential_cookie, is_credential_header, is_key_parameter
from levo.satellite.learn.trace import Fields, Trace

SUCCESS, REDIRECT, DENIED, FAILED, BROKEN = range(5)
"""Classes of answers: 2xx, 3xx, 401 and 403, other 4xx, 5xx. The others are in no class."""
CLASSES = ("2xx", "3xx", "denied", "4xx", "5xx")
WIDTH = len(CLASSES)
SECOND_NS = 10**9


Count = int | float
"""Exchanges: whole as long as all that was added is, so that equal counts have equal octets."""


class Access(msgspec.Struct, array_like=True):
    """Counts of one place. Numbers add; times are in seconds since the Unix epoch, 0 is never."""

    anonymous: list[Count] = msgspec.field(default_factory=lambda: [0] * WIDTH)
    """Exchanges without a credential, by class."""
    credential: list[Count] = msgspec.field(default_factory=lambda: [0] * WIDTH)
    """Exchanges with one. Whether it was valid only the answer tells."""
    let_in_since_s: int = 0
    """The first success without a credential."""
    let_in_s: int = 0
    """The latest one."""
    refused_s: int = 0
    """The latest 401 or 403 without one."""
    public: Count = 0
    """Exchanges whose client has an address of the Internet, itself or as a proxy says …"""
    private: Count = 0
    """… and those whose client has another one. Of the others the address is not known."""

    marks: dict[str, Count] = msgspec.field(default_factory=dict)
    """Exchanges by what their answers showed (``learn.marks``), those that did."""

    def count(self, kind: int, *, has_credential: bool, weight: Count, end_ns: int) -> None:
        """Count an answer of the class *kind* for *weight* exchanges."""
        if has_credential:
            self.credential[kind] += weight
            return
        self.anonymous[kind] += weight
        if kind == SUCCESS:
            end_s = end_ns // SECOND_NS
            self.let_in_s = max(self.let_in_s, end_s)
            self.let_in_since_s = min(self.let_in_since_s or end_s, end_s)
        elif kind == DENIED:
            self.refused_s = max(self.refused_s, end_ns // SECOND_NS)

    def count_client(self, address: str, hop: str, weight: Count) -> None:
        """Count whether a client with this *address* is on the Internet.

        Behind a proxy the first address that it names counts, which *hop* is (:func:`sender_of`). A client
        may invent one; that only makes it one of the Internet, which is assumed where nothing is known.
        """
        is_public = _is_public(address)
        if is_public is None:
            return
        if is_public or (hop and _is_public(hop)):
            self.public += weight
        else:
            self.private += weight

    def absorb(self, other: Access) -> None:
        """Add *other*, which is not changed."""
        self.anonymous = list(map(add, self.anonymous, other.anonymous))
        self.credential = list(map(add, self.credential, other.credential))
        if other.let_in_since_s:
            self.let_in_since_s = min(self.let_in_since_s or other.let_in_since_s, other.let_in_since_s)
        self.let_in_s = max(self.let_in_s, other.let_in_s)
        self.refused_s = max(self.refused_s, other.refused_s)
        for name, exchanges in other.marks.items():
            self.marks[name] = self.marks.get(name, 0) + exchanges
        self.public += other.public
        self.private += other.private

    @property
    def total(self) -> Count:
        """Exchanges in any class."""
        return sum(self.anonymous) + sum(self.credential)


_KINDS = {304: -1, 401: DENIED, 403: DENIED}
"""304 confirms what another exchange answered (RFC 9110 section 15.4.5): it says nothing by itself."""
_OF_HUNDRED = (-1, -1, SUCCESS, REDIRECT, FAILED, BROKEN)
_GRPC = {7: DENIED, 16: DENIED, 13: BROKEN, 14: BROKEN, 15: BROKEN}
"""PERMISSION_DENIED, UNAUTHENTICATED; INTERNAL, UNAVAILABLE, DATA_LOSS."""


_ERROR = re.compile(rb'[{,]\s*"errors?"\s*:\s*[\[{]')
_RESULT = re.compile(rb'[{,]\s*"(?:data|result)"\s*:(?!\s*null)')
"""Members of a JSON object: in a text the quotation mark would have a backslash before it."""


def answer_kind(trace: Trace, *, is_operation: bool = False) -> int:
    """Return the class of the answer to *trace*, -1 if it is in none.

    HTTP answers 200 to calls of gRPC, GraphQL and JSON-RPC that failed: these are no success. Of an operation
    (``learn.operations``) the body is looked at.
    """
    status = trace.status
    kind = _KINDS.get(status)
    if kind is not None:
        return kind
    if not 200 <= status <= 599:
        return -1
    kind = _OF_HUNDRED[status // 100]
    if kind == SUCCESS:
        if trace.grpc_status > 0:
            return _GRPC.get(trace.grpc_status, FAILED)
        body = trace.response_body
        if is_operation and not trace.grpc and _ERROR.search(body) and not _RESULT.search(body):
            return FAILED
    return kind


_LONGEST_ADDRESS = 64


def _is_public(address: str) -> bool | None:
    """Whether an IP address is one of the Internet; None if it is none."""
    return _parsed(address) if 0 < len(address) <= _LONGEST_ADDRESS else None  # longer: not to be remembered


@lru_cache(maxsize=1 << 13)
def _parsed(address: str) -> bool | None:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_global
    except ValueError:
        return None


def _first_hop(name: str, value: str) -> str:
    """Return the first address that ``X-Forwarded-For`` or ``Forwarded`` (RFC 7239) names."""
    first = value.partition(",")[0].strip()
    if name == "forwarded":
        first = next((part for part in first.split(";") if part.strip().lower().startswith("for=")), "")
        first = first.partition("=")[2].strip().strip('"')
    if first.startswith("["):
        return first[1:].partition("]")[0]
    return first.partition(":")[0] if first.count(":") == 1 else first


class Sender(NamedTuple):
    """What the fields of a request say about who sent it."""

    has_credential: bool
    """It carries a credential of a form that is known, valid or not: as ``auth.schemes`` would find one."""
    hop: str
    """The first address that a proxy names; empty if none does."""


_CREDENTIAL, _COOKIE, _HOP = 1, 2, 3


class _Fields(dict[str, int]):
    """What header fields are by their name, remembered: quicker than any other way to ask."""

    def __missing__(self, name: str) -> int:
        kind = {"cookie": _COOKIE, "x-forwarded-for": _HOP, "forwarded": _HOP}.get(name, 0)
        if is_credential_header(name):
            kind = _CREDENTIAL
        if len(self) >= 1 << 12:
            self.clear()
        self[name] = kind
        return kind


_FIELDS = _Fields()
_UNKNOWN = Sender(False, "")
_KNOWN = Sender(True, "")


def sender_of(headers: Fields, query: str) -> Sender:
    """Return who sent a request: *headers* are (lower-case name, value), *query* is as sent."""
    has, hop = False, ""
    for name, value in headers:
        kind = _FIELDS[name]
        if not kind:  # as most are
            continue
        if kind == _CREDENTIAL:
            has = True
        elif kind == _COOKIE:
            has = has or _has_session(value)
        elif not hop:
            hop = _first_hop(name, value)
    if not has and "=" in query:
        has = _has_key(query)
    if hop:
        return Sender(has, hop)
    return _KNOWN if has else _UNKNOWN


def _has_key(query: str) -> bool:
    for pair in query.split("&"):
        name, is_pair, _ = pair.partition("=")
        if is_pair and is_key_parameter(unquote_plus(name)):
            return True
    return False


def _has_session(cookies: str) -> bool:
    for pair in cookies.split(";"):
        name, is_pair, _ = pair.partition("=")
        if is_pair and is_credential_cookie(name.strip()):
            return True
    return False


_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_decode = msgspec.msgpack.Decoder(Access).decode


def pack_access(access: Access) -> bytes:
    """Return the stored form: MessagePack. Empty where nothing was counted."""
    return b"" if access == _NOTHING else _encode(access)


_NOTHING = Access()


def unpack_access(octets: bytes) -> Access:
    """Return what was stored.

    Raises:
        ValueError: it is something else.
    """
    if not octets:
        return Access()
    found = _decode(octets)
    if len(found.anonymous) != WIDTH or len(found.credential) != WIDTH:
        raise ValueError("not ten counts")
    return found


def added_access(stored: bytes, more: Access) -> bytes:
    """Return the stored form of both together; *more* is not changed."""
    if not stored:
        return pack_access(more)
    both = unpack_access(stored)
    both.absorb(more)
    return pack_access(both)


def joined_access(stored: bytes, more: bytes) -> bytes:
    """Return both together, as SQL adds them."""
    return added_access(stored, unpack_access(more)) if stored and more else stored or more
