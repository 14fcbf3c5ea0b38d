"""Learns from the messages of an exchange what is accepted and answered: parameters, bodies, credentials.

Requests that failed (4xx, 5xx, or no response seen) say nothing about what the endpoint accepts: they teach
their response only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import unquote

from levo.satellite.learn.auth import carries_key, schemes
from levo.satellite.learn.paths.segments import split_path
from levo.satellite.learn.paths.statement import Document, read_document
from levo.satellite.learn.schema.body import media_kind, media_type, observe_body, read_pairs, sniffed
from levo.satellite.learn.schema.messages import (
    MATRIX,
    MAX_AUTH_SETS,
    MAX_MEDIA_TYPES,
    Body,
    Knowledge,
    Response,
    join_rare_bodies,
    keep_auth_sets,
)
from levo.satellite.learn.schema.names import Message, Names
from levo.satellite.learn.schema.node import Node
from levo.satellite.learn.schema.observe import Observer
from levo.satellite.learn.schema.standard import STANDARD_NAMES
from levo.satellite.learn.schema.text import Text
from levo.satellite.learn.sensitive.detectors import Check, Detectors
from levo.satellite.learn.trace import Trace

UNREAD: Document = {}
"""This object stands for a body that was not read as a JSON object or array."""
MAX_QUERY_FIELDS = 100
_LONGEST_CACHED = 100
"""Characters of a Content-Type that is remembered."""
UNKNOWN_CODE = "default"
"""OpenAPI's key for every response that no other key describes."""
_CODES = {status: str(status) for status in range(100, 600)}
_NO_PARAMETERS = frozenset(
    [
        "accept",
        "accept-charset",
        "accept-encoding",
        "accept-language",
        "authorization",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "date",
        "dnt",
        "expect",
        "forwarded",
        "from",
        "host",
        "http2-settings",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "keep-alive",
        "max-forwards",
        "origin",
        "pragma",
        "priority",
        "proxy-authorization",
        "proxy-connection",
        "range",
        "referer",
        "sec-ch-ua",
        "sec-ch-ua-mobile",
        "sec-ch-ua-platform",
        "sec-fetch-dest",
        "sec-fetch-mode",
        "sec-fetch-site",
        "sec-fetch-user",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "upgrade-insecure-requests",
        "user-agent",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-proto",
        "x-real-ip",
        "x-amzn-trace-id",
        "traceparent",
        "tracestate",
        "baggage",
        "b3",
        "x-b3-traceid",
        "x-b3-spanid",
        "x-b3-sampled",
        "x-b3-parentspanid",
        "x-envoy-attempt-count",
    ]
)
_RESPONSE_FIELDS = frozenset(
    [
        "location",
        "etag",
        "retry-after",
        "link",
        "content-disposition",
        "www-authenticate",
        "deprecation",
        "sunset",
        "ratelimit",
        "ratelimit-limit",
        "ratelimit-policy",
        "ratelimit-remaining",
        "ratelimit-reset",
    ]
)
_HEADER_NAME = re.compile(r"[a-z][a-z0-9_-]{0,60}")


Documents = tuple[Document, Document]
"""What the bodies of a request and its response say; :data:`UNREAD` where that is no JSON object or array."""


def learn_messages(
    known: Knowledge,
    trace: Trace,
    place: str,
    detectors: Detectors,
    key: bytes = b"",
    names: Names | None = None,
) -> Documents:
    """Add the messages of *trace*, which is at *place* in the tree of paths, to *known*.

    *key* hashes objects (``schema.hyperloglog.hash_key``); without it they are not told apart. Names are
    sighted in *names*; without it they need no proof. Return what was read, so that nothing needs to be read
    twice.
    """
    status = trace.status
    request = answer = UNREAD
    if 200 <= status < 400 or status == 101:
        request = _learn_request(known, trace, place, detectors, key, names)
    elif status in (401, 403):
        known.refused += 1
    if status:
        code = _CODES.get(status, UNKNOWN_CODE)
        response = known.responses.get(code)
        if response is None:
            response = known.responses[code] = Response()
        response.seen += 1
        if not trace.response_head_whole:
            return request, UNREAD
        fields: dict[str, Text] = {}
        content_type = ""
        for name, value in trace.response_headers:
            if name == "content-type":
                content_type = value
            elif _describes_response(name):
                fields[name] = Text(value)
        message = None
        if names is not None and (fields or trace.response_body):
            # What refuses a request may repeat it.
            whole = (trace.path, *fields.values()) if fields else (trace.path,)
            message = Message(names, 200 <= status < 300, trace.client, trace.end_ns, whole)
        if fields:
            Observer(_checks(detectors, fields), message=message).observe(response.headers, fields)
        if trace.response_body:
            asked = trace.query
            if trace.request_body:
                asked += trace.request_body.decode("latin-1")
            told = (trace.response_body, trace.response_whole, key, trace.path, asked)
            answer = _learn_body(response.bodies, content_type, *told, detectors, message)
        if message is not None and message.unsettled:
            known.unsettled = True
    return request, answer


def _learn_request(
    known: Knowledge, trace: Trace, place: str, detectors: Detectors, key: bytes, names: Names | None
) -> Document:
    known.accepted += 1
    message = None
    if names is not None:
        whole = (trace.path, trace.query, trace.request_body)
        message = Message(names, False, trace.client, trace.end_ns, whole)
    document = _learn_asked(known, trace, place, detectors, key, message)
    if message is not None and message.unsettled:
        known.unsettled = True
    return document


def _learn_asked(
    known: Knowledge,
    trace: Trace,
    place: str,
    detectors: Detectors,
    key: bytes,
    message: Message | None,
) -> Document:
    query: dict[str, Text | list[Text]] = {}
    if trace.query:
        query = read_query(trace.query)
        Observer(_checks(detectors, query), message=message).observe(known.query, query)
    if "{" in place:
        _learn_segments(known, trace.path, place, detectors)
    if ";" in trace.path:
        _learn_matrix(known, trace.path, place, detectors, message)
    if not trace.request_head_whole:
        known.heads_cut += 1
        return UNREAD
    fields: dict[str, Text] = {}
    cookies: dict[str, Text] = {}
    content_type = ""
    for name, value in trace.request_headers:
        if name == "content-type":
            content_type = value
        elif name == "cookie":
            _read_cookies(value, cookies)
        elif _is_parameter(name):
            fields[name] = Text(value)
    if fields:
        Observer(_checks(detectors, fields), message=message).observe(known.headers, fields)
    if cookies:
        Observer(_checks(detectors, cookies), message=message).observe(known.cookies, cookies)
    scheme = schemes(trace.request_headers, query)
    known.auth[scheme] = known.auth.get(scheme, 0) + 1
    if message is not None and "header:" in scheme:
        _see_key_headers(scheme, message)
    if len(known.auth) > MAX_AUTH_SETS:
        keep_auth_sets(known.auth)
    if trace.request_body:
        told = (trace.request_body, trace.request_whole, key, trace.path, "")
        return _learn_body(known.bodies, content_type, *told, detectors, message)
    return UNREAD


def _read_cookies(value: str, cookies: dict[str, Text]) -> None:
    for pair in value.split(";")[:50]:
        name, is_pair, content = pair.strip().partition("=")
        if is_pair:
            cookies[name] = Text(content)


def _see_key_headers(scheme: str, message: Message) -> None:
    """Sight the header fields of an authentication; queries and cookies have their names from their nodes."""
    for part in scheme.split("+"):
        if part.startswith("header:"):
            message.see(part[7:])


@lru_cache(maxsize=1 << 12)
def _is_parameter(name: str) -> bool:
    """Whether a field of this name of a request is a parameter of the API."""
    return name not in _NO_PARAMETERS and bool(_HEADER_NAME.fullmatch(name)) and not carries_key(name)


@lru_cache(maxsize=1 << 12)
def _describes_response(name: str) -> bool:
    """Whether a field of this name of a response is part of the API."""
    return name in _RESPONSE_FIELDS or (name.startswith("x-") and bool(_HEADER_NAME.fullmatch(name)))


def _learn_segments(known: Knowledge, path: str, place: str, detectors: Detectors) -> None:
    values = split_path(path)
    count = len(values)
    position = -1
    for part in place.split("/"):
        if not part:
            continue
        position += 1
        if position >= count:
            break
        if "{" in part:
            value = values[position]
            if "%" in value:
                value = unquote(value, errors="replace")
            name = str(position)
            node = known.segments.get(name)
            if node is None:
                node = known.segments[name] = Node(open=True)
            Observer(detectors.checks_for(value)).observe(node, Text(value))


def _learn_matrix(
    known: Knowledge, path: str, place: str, detectors: Detectors, message: Message | None
) -> None:
    """Learn the parameters that path segments carry: ``/cars;color=red`` (RFC 3986 section 3.3)."""
    last = place.count("/")
    for position, part in enumerate(part for part in path.split("/") if part):
        if ";" not in part or position >= last:
            continue
        # As in a query, but a plus is a plus.
        found = read_query(part.partition(";")[2].replace("&", "%26").replace("+", "%2B").replace(";", "&"))
        if found:
            name = f"{MATRIX}{position}"
            node = known.segments.get(name)
            if node is None:
                node = known.segments[name] = Node()
            Observer(_checks(detectors, found), message=message).observe(node, found)


def _learn_body(  # noqa: PLR0913 (runs for each body: no object more)
    bodies: dict[str, Body],
    content_type: str,
    octets: bytes,
    whole: bool,
    key: bytes,
    path: str,
    request: str,
    detectors: Detectors,
    message: Message | None,
) -> Document:
    media, kind = (
        _media(content_type) if len(content_type) <= _LONGEST_CACHED else _media.__wrapped__(content_type)
    )
    if not media:
        media = sniffed(octets)
        kind = media_kind(media)
    body = bodies.get(media)
    if body is None:
        body = bodies[media] = Body()
    if message is not None and media not in STANDARD_NAMES:
        message.see(media)
    document = UNREAD
    if whole and kind == "json" and octets[:1] in (b"{", b"["):
        document = read_document(octets)
    if document is not UNREAD and document is not None:
        body.seen += 1
        Observer(detectors.checks_for(octets), key=key, path=path, request=request, message=message).observe(
            body.schema, document
        )
        body.learned += 1
    elif whole:
        checks = detectors.checks_for(octets)
        observe_body(body, media, content_type, octets, checks, key, path, request, message)
    else:
        body.seen += 1
    if len(bodies) > MAX_MEDIA_TYPES:
        join_rare_bodies(bodies)
    return document


@lru_cache(maxsize=1 << 10)
def _media(content_type: str) -> tuple[str, str]:
    """Return the media type, empty if there is none, and how it is read."""
    media = media_type(content_type)
    return media, media_kind(media) if media else ""


def read_query(text: str) -> dict[str, Text | list[Text]]:
    """Return the parameters of a query; none if there are more than :data:`MAX_QUERY_FIELDS` of them.

    What has no ``=`` is a value.
    """
    found: dict[str, Text | list[Text]] = {}
    if "%" in text or "+" in text:
        try:
            pairs = read_pairs(text, MAX_QUERY_FIELDS)
        except ValueError:
            return found
    elif text.count("&") >= MAX_QUERY_FIELDS:
        return found
    else:
        pairs = [
            (name, value)
            for name, is_pair, value in [pair.partition("=") for pair in text.split("&")]
            if is_pair
        ]
    for name, value in pairs:
        known = found.get(name)
        if known is None:
            found[name] = Text(value)
        elif isinstance(known, list):
            known.append(Text(value))
        else:
            found[name] = [known, Text(value)]
    return found


def _texts(query: dict[str, Text] | dict[str, Text | list[Text]]) -> list[str]:
    texts: list[str] = []
    for value in query.values():
        texts.extend(value if isinstance(value, list) else [value])
    return texts


def _checks(detectors: Detectors, fields: dict[str, Text] | dict[str, Text | list[Text]]) -> Sequence[Check]:
    return detectors.checks_for("\n".join(_texts(fields)) if detectors.rules else "")
