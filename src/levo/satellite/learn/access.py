"""Who was let in: answers by their class, with and without a credential. Of every exchange, not of a sample.

What is looked into (``state.BodyBudget``) is a part of what comes; one anonymous success among thousands is
what matters here, so this is counted for all.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote_plus

import msgspec

from levo.satellite.learn.auth import is_credential_cookie, is_credential_header, is_key_parameter
from levo.satellite.learn.trace import Trace

SUCCESS, REDIRECT, DENIED, FAILED, BROKEN = range(5)
"""Classes of answers: 2xx, 3xx, 401 and 403, other 4xx, 5xx. The others are in no class."""
CLASSES = ("2xx", "3xx", "denied", "4xx", "5xx")
WIDTH = len(CLASSES)
SECOND_NS = 10**9


class Access(msgspec.Struct, array_like=True):
    """Counts of one place. Numbers add; times are in seconds since the Unix epoch, 0 is never."""

    anonymous: list[float] = msgspec.field(default_factory=lambda: [0.0] * WIDTH)
    """Exchanges without a credential, by class."""
    credential: list[float] = msgspec.field(default_factory=lambda: [0.0] * WIDTH)
    """Exchanges with one. Whether it was valid only the answer tells."""
    let_in_since_s: int = 0
    """The first success without a credential."""
    let_in_s: int = 0
    """The latest one."""
    refused_s: int = 0
    """The latest 401 or 403 without one."""

    def count(self, kind: int, *, has_credential: bool, weight: float, end_ns: int) -> None:
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

    def absorb(self, other: Access) -> None:
        """Add *other*, which is not changed."""
        for kind in range(WIDTH):
            self.anonymous[kind] += other.anonymous[kind]
            self.credential[kind] += other.credential[kind]
        if other.let_in_since_s:
            self.let_in_since_s = min(self.let_in_since_s or other.let_in_since_s, other.let_in_since_s)
        self.let_in_s = max(self.let_in_s, other.let_in_s)
        self.refused_s = max(self.refused_s, other.refused_s)

    @property
    def total(self) -> float:
        """Exchanges in any class."""
        return sum(self.anonymous) + sum(self.credential)


_KINDS = {304: -1, 401: DENIED, 403: DENIED}
"""304 confirms what another exchange answered (RFC 9110 section 15.4.5): it says nothing by itself."""
_OF_HUNDRED = (-1, -1, SUCCESS, REDIRECT, FAILED, BROKEN)
_GRPC = {7: DENIED, 16: DENIED, 13: BROKEN, 14: BROKEN, 15: BROKEN}
"""PERMISSION_DENIED, UNAUTHENTICATED; INTERNAL, UNAVAILABLE, DATA_LOSS."""


_ERROR = re.compile(rb'[{,]\s*"errors?"\s*:\s*[\[{]')
_RESULT = re.compile(rb'[{,]\s*"(?:data|result)"\s*:\s*(?!null)')
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


def has_credential(headers: tuple[tuple[str, str], ...], query: str) -> bool:
    """Whether a request carries a credential of a form that is known, valid or not.

    As ``auth.schemes`` would find one, without saying which. *headers* are (lower-case name, value), *query*
    is as sent.
    """
    for name, value in headers:
        if _is_field(name):
            return True
        if name == "cookie" and _has_session(value):
            return True
    return "=" in query and any(_is_key(pair.partition("=")[0]) for pair in query.split("&"))


@lru_cache(maxsize=1 << 12)
def _is_field(name: str) -> bool:
    return is_credential_header(name)


@lru_cache(maxsize=1 << 12)
def _is_key(name: str) -> bool:
    return is_key_parameter(unquote_plus(name))


def _has_session(cookies: str) -> bool:
    for pair in cookies.split(";"):
        name, is_pair, _ = pair.partition("=")
        if is_pair and _is_session(name.strip()):
            return True
    return False


@lru_cache(maxsize=1 << 12)
def _is_session(name: str) -> bool:
    return is_credential_cookie(name)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Access).decode


def pack_access(access: Access) -> bytes:
    """Return the stored form: MessagePack, whole numbers as such. Empty where nothing was counted."""
    if not access.total:
        return b""
    return _encode(
        (
            [_short(count) for count in access.anonymous],
            [_short(count) for count in access.credential],
            access.let_in_since_s,
            access.let_in_s,
            access.refused_s,
        )
    )


def _short(count: float) -> float:
    return int(count) if count == int(count) else count


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


def joined_access(stored: bytes, more: bytes) -> bytes:
    """Return both together, as SQL adds them."""
    if not stored or not more:
        return stored or more
    both = unpack_access(stored)
    both.absorb(unpack_access(more))
    return pack_access(both)
