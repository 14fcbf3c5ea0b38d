"""What the messages of an endpoint show besides sensitive data: names and counts that rules look at.

Worked out when an endpoint is looked at, and stored beside it, so that judging a whole catalog reads no
messages. A sign holds names that are proven (docs/learning.md) and public words, never a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

import msgspec

from levo.satellite.learn.schema import Knowledge, Node
from levo.satellite.learn.schema.messages import MATRIX, Body

MAX_SIGNS = 16
"""Of one name at one endpoint; those with most exchanges are kept."""
_PLAIN_HEADERS = re.compile(
    r"x-(?:request(?:ed-with|-id)|correlation-id|csrf.*|xsrf.*|forwarded.*|amz.*|datadog.*|b3.*|envoy.*|http-method.*)"
    r"|(?:request|trace|correlation|client|session)-?id|idempotency-key|prefer|api-version|x-api-version"
)
"""Fields that say nothing about who sends a request, or by a name that all know."""
_PRIVILEGES = re.compile(
    r"is_?(?:admin|staff|superuser|verified|owner)|admin|roles?|permissions?|privileges?|scopes?|verified"
    r"|(?:account_?)?balance|credits?|owner_?id|user_?type|account_?type|superuser|group_?ids?",
    re.IGNORECASE,
)
_IDENTITIES = re.compile(
    r"(?:x-)?(?:is-?admin|(?:user-?)?roles?|user-?id|tenant-?id|admin|impersonate(?:-user)?|account-?id|superuser)",
    re.IGNORECASE,
)
_ADDRESSES = re.compile(
    r"(?:.*[_-])?(?:ur[il]|callback(?:_?ur[il])?|webhook(?:_?ur[il])?|image_?url|avatar_?url|target_?url|fetch|endpoint)",
    re.IGNORECASE,
)
_TRACES = re.compile(
    r"(?:stack_?)?trace(?:back)?|stack|exception(?:_?trace)?|backtrace|debug_?info", re.IGNORECASE
)
_LONGEST_MASK = 16
"""Characters of a placeholder such as ``********``."""
_TRACE_CHARACTERS = 80
_LIST = 100
"""Items from which an array is worth a sign."""
_BITS = 40


class Sign(msgspec.Struct, frozen=True, array_like=True, order=True):
    """One thing that messages show: *count* of *of* that were looked into."""

    name: str
    """What it is; :func:`signs_of` says which there are."""
    subject: str
    """Which one: a name, never a value."""
    count: int
    of: int


class FoundField(NamedTuple):
    """A field in which sensitive data was found."""

    location: str
    """As the catalog names it."""
    position: str
    status: str
    pointer: str


def signs_of(known: Knowledge, fields: Iterable[FoundField] = ()) -> tuple[Sign, ...]:
    """Return the signs in *known*, whose sensitive fields are *fields*, in a fixed order.

    ``scheme``: an authentication (``auth.schemes``). ``sent``: a header or cookie that may be a credential.
    ``identity``: a header or cookie that says who the sender is. ``takes``, ``gives``: a media type of
    requests, of successful answers. ``answers``: a header of answers that rules look at. ``privilege``: a
    property of requests that gives rights; ``shown``: answers have it, too, with so many different words.
    ``address``: a parameter or property that takes a URL. ``trace``: a property of answers that holds a long
    stack trace. ``array``: the most items of an array in a successful answer. ``number``: a path segment of
    small whole numbers. ``description``: answers that describe an API. ``objects``: how many different
    objects hold a sensitive field. ``mask``: one that only ever held texts of the same few characters.
    """
    found: list[Sign] = []
    for _, group in groupby(sorted(_signs(known, fields)), key=lambda sign: sign.name):
        signs = list(group)
        if len(signs) > MAX_SIGNS:
            signs = sorted(sorted(signs, key=lambda sign: (-sign.count, sign))[:MAX_SIGNS])
        found.extend(signs)
    return tuple(found)


def _signs(known: Knowledge, fields: Iterable[FoundField]) -> Iterator[Sign]:
    for scheme, count in known.auth.items():
        yield Sign("scheme", scheme, count, known.heads)
    for prefix, root in (("", known.headers), ("cookie:", known.cookies)):
        for name, node in root.children.items():
            if _IDENTITIES.fullmatch(name):
                yield Sign("identity", prefix + name, node.total, known.heads)
            elif not _PLAIN_HEADERS.fullmatch(name):
                yield Sign("sent", prefix + name, node.total, known.heads)
    for name, node in known.query.children.items():
        if _takes_address(name, node):
            yield Sign("address", name, node.total, known.accepted)
    for position, node in known.segments.items():
        if position[:1] != MATRIX and 10 * node.integers >= 9 * node.total > 0 and node.bits <= _BITS:
            yield Sign("number", position, node.integers, node.total)
    yield from _of_requests(known)
    yield from _of_answers(known)
    for each in fields:
        yield from _of_field(known, each)


def _of_requests(known: Knowledge) -> Iterator[Sign]:
    for media, body in known.bodies.items():
        yield Sign("takes", media, body.seen, known.heads)
        for name, node in _properties(body.schema):
            if _takes_address(name, node):
                yield Sign("address", name, node.total, body.learned)
        for name, node in body.schema.children.items():
            if _PRIVILEGES.fullmatch(name):
                yield Sign("privilege", name, node.total, body.learned)
                shown = max((_kinds_of_values(each, name) for each in _successes(known)), default=0)
                if shown:
                    yield Sign("shown", name, shown, body.learned)


def _of_answers(known: Knowledge) -> Iterator[Sign]:
    given: dict[str, int] = {}
    seen = most = learned = 0
    for status, response in known.responses.items():
        for name in ("deprecation", "sunset"):
            node = response.headers.children.get(name)
            if node is not None:
                yield Sign("answers", name, node.total, response.seen)
        for media, body in response.bodies.items():
            if status[0] == "2":
                given[media] = given.get(media, 0) + body.seen
                seen += body.seen
                learned += body.learned
                most = max(
                    [most, *(node.most for node in body.schema.walk() if node.arrays and _of_objects(node))]
                )
                if _describes(body.schema):
                    yield Sign("description", media, body.learned, body.seen)
            for name, node in _properties(body.schema):
                if _TRACES.fullmatch(name) and node.longest >= _TRACE_CHARACTERS and status[0] in "45":
                    yield Sign("trace", name, node.total, body.learned)
    for media, count in given.items():
        yield Sign("gives", media, count, seen)
    if most >= _LIST:
        yield Sign("array", "", most, learned)


def _of_objects(node: Node) -> bool:
    return node.items is not None and bool(node.items.objects)


def _describes(node: Node) -> bool:
    """Whether an answer describes an API: OpenAPI, Swagger, or the introspection of GraphQL."""
    names = node.children
    data = names.get("data")
    return ("paths" in names and ("openapi" in names or "swagger" in names)) or (
        data is not None and "__schema" in data.children
    )


def _of_field(known: Knowledge, found: FoundField) -> Iterator[Sign]:
    if found.position != "response-body":
        return
    response = known.responses.get(found.status)
    for body in () if response is None else response.bodies.values():
        place = _at(body, found.pointer)
        if place is None:
            continue
        node, holder = place
        yield Sign("objects", found.location, round(holder.evidence), holder.objects)
        if node.strings and 0 < node.shortest == node.longest <= _LONGEST_MASK and node.strings > 1:
            yield Sign("mask", found.location, node.strings, node.total)


def _at(body: Body, pointer: str) -> tuple[Node, Node] | None:
    """Return the node at *pointer*, and the object that holds it."""
    node = holder = body.schema
    for part in pointer.split("/") if pointer else ():
        if node.objects:
            holder = node
        below = node.children.get(part)
        if below is None and part == "*":
            below = node.items or node.other
        if below is None:
            return None
        node = below
    return node, holder


def _properties(node: Node) -> Iterator[tuple[str, Node]]:
    """Yield all properties inside *node* by name."""
    for each in node.walk():
        yield from each.children.items()


def _successes(known: Knowledge) -> Iterator[Node]:
    for status, response in known.responses.items():
        if status[0] == "2":
            yield from (body.schema for body in response.bodies.values())


def _kinds_of_values(schema: Node, name: str) -> int:
    """Return how many different public words a property of answers had; a boolean counts as two."""
    return max(
        (2 if node.booleans else len(node.labels) for each, node in _properties(schema) if each == name),
        default=0,
    )


def _takes_address(name: str, node: Node) -> bool:
    return node.format == "uri" and _ADDRESSES.fullmatch(name) is not None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Sign, ...]).decode


def pack_signs(signs: tuple[Sign, ...]) -> bytes:
    """Return the stored form."""
    return _encode(signs) if signs else b""


def unpack_signs(octets: bytes) -> tuple[Sign, ...]:
    """Return what was stored.

    Raises:
        ValueError: it is something else.
    """
    return _decode(octets) if octets else ()
