"""Operations that are named within a request, endpoints of their own: of GraphQL, JSON-RPC, SOAP and gRPC.

Where many operations share one path, the path says little. Such an exchange is learned at a place whose keys
contain a marker: ``/graphql/#/query.GetUser``, shown as ``/graphql#query.GetUser``, ``/rpc/#/user.find`` (a
method of JSON-RPC 2.0), shown as ``/rpc#user.find``, and ``/#grpc/shop.Orders/Get``, shown as
``/shop.Orders/Get``. So are SOAP actions (``/service#GetUser``) and the parameter by which one path serves
many operations (``/admin-ajax.php#heartbeat``). What stands behind a marker is never taken for a value. A
batch of operations is as many parts as it has operations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import msgspec
import orjson

from levo.satellite.learn import graphql
from levo.satellite.learn.paths.segments import OVERFLOW, segment_key
from levo.satellite.learn.paths.trie import GRPC, OPERATIONS, path_keys
from levo.satellite.learn.trace import Trace

MAX_BATCH = 100
"""Operations of a batch that are told apart; those beyond are one part, at the place of all others."""
UNIMPLEMENTED = 12
"""gRPC status of a method that does not exist."""
NOT_THERE = 501
_SIGN = re.compile(rb'"(?:query|operationName|persistedQuery|jsonrpc)"')
_NOT_FOUND = re.compile(rb'"code"\s*:\s*-32601\b')
"""The error of a method that does not exist (JSON-RPC 2.0, section 5.1)."""
_LOOKED_INTO = 4_096
_RPC_METHOD = re.compile(r"[A-Za-z_$][\w.$/:-]{0,99}", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][\w.-]{0,79}", re.ASCII)
_FORM = "application/x-www-form-urlencoded"
_XML = frozenset({"text/xml", "application/soap+xml", "application/xml"})
_ENVELOPE = re.compile(
    rb"<(?:[\w.-]+:)?Envelope\b(?:.*?<(?:[\w.-]+:)?Body\b[^>]*>\s*<(?:[\w.-]+:)?([A-Za-z_][\w.-]{0,79}))?",
    re.DOTALL,
)
_ACTION = re.compile(r"""action\s*=\s*["']?([^"';]{1,200})""", re.IGNORECASE)
_CHOICE = re.compile(r"(?:^|&)(?:action|op|cmd|request)=", re.IGNORECASE)
"""One of the parameters that may choose."""
_SCRIPT = re.compile(r"\.(?:php|cgi|pl|aspx?|ashx|jsp|do)/?$", re.IGNORECASE)
"""Programs, each of which is one path."""
_METHOD = re.compile(r"/([A-Za-z_][\w.]{0,199})/([A-Za-z_]\w{0,99})", re.ASCII)


class Part(NamedTuple):
    """One operation of an exchange."""

    trace: Trace
    """With the part of the bodies that is this operation's."""
    keys: tuple[str, ...]
    """The place in the tree of paths."""


def parts_of(trace: Trace) -> Sequence[Part]:
    """Return the operations that *trace* names; none if it is an ordinary exchange."""
    if trace.grpc:
        return _called(trace)
    if trace.method == "POST":
        found = _posted(trace) if trace.request_whole else ()
        if found:
            return found
    elif trace.method in ("GET", "QUERY") and ("query=" in trace.query or "operationName=" in trace.query):
        found = _asked(trace)
        if found:
            return found
    return _chosen(trace, trace.query) if trace.query and _CHOICE.search(trace.query) else ()


def _called(trace: Trace) -> Sequence[Part]:
    found = _METHOD.fullmatch(trace.path)
    if found is None:
        return ()
    if trace.grpc_status == UNIMPLEMENTED:
        trace = msgspec.structs.replace(trace, status=NOT_THERE)
    return (Part(trace, (GRPC, found[1], found[2])),)


def _posted(trace: Trace) -> Sequence[Part]:
    body = trace.request_body
    content_type = action = ""
    for name, value in trace.request_headers:  # a loop, as this runs for each POST
        if name == "content-type":
            content_type = value
        elif name == "soapaction":
            action = value
    media = content_type.partition(";")[0].strip().lower()
    if action or (media in _XML and _ENVELOPE.search(body, 0, _LOOKED_INTO)):
        name = _action(action, content_type, body)
        return (Part(trace, _place(trace, name)),) if name else ()
    if media == _FORM:
        text = body[:_LOOKED_INTO].decode("latin-1")
        return _chosen(trace, text) if _CHOICE.search(text) else ()
    if media.startswith("application/grpc"):  # gRPC-Web of a recording, which no sensor has recognized
        return _called(trace)
    if media == "application/graphql":
        name = _name({"query": body.decode(errors="replace")})
        return (Part(trace, _place(trace, name)),) if name else ()
    if _SIGN.search(body) is None:
        return ()
    try:
        document = orjson.loads(body)
    except ValueError:
        return ()
    if isinstance(document, list):
        return _batch(trace, document)
    name = _name(document)
    if not name:
        return ()
    if _is_rpc(document) and _NOT_FOUND.search(trace.response_body, 0, _LOOKED_INTO):
        trace = msgspec.structs.replace(trace, status=NOT_THERE)
    return (Part(trace, _place(trace, name)),)


def _action(action: str, content_type: str, body: bytes) -> str:
    """Return what a SOAP request asks for: its action's last part, else the element in its body."""
    if not action.strip('" '):  # SOAP 1.2 has it in the media type (RFC 3902)
        found = _ACTION.search(content_type)
        action = found[1] if found is not None else ""
    name = re.split(r"[/#:?]", action.strip('" '))[-1].removesuffix("Request")
    if not _NAME.fullmatch(name):
        element = _ENVELOPE.search(body, 0, _LOOKED_INTO)
        name = element[1].decode() if element is not None and element[1] else ""
    return _told(name)


def _chosen(trace: Trace, text: str) -> Sequence[Part]:
    """Return the operation that a parameter in *text*, a query or a form, chooses; none if it chooses none.

    A parameter called ``action`` alone may be a filter, so the path or another parameter has to say as well
    that the path serves many operations.
    """
    try:
        found = parse_qs(text, max_num_fields=100)
    except ValueError:
        return ()
    lower = {name.lower(): values[0] for name, values in found.items()}
    name = ""
    if "Action" in found and "Version" in found:  # the query protocol of AWS
        name = found["Action"][0]
    elif "service" in lower and "request" in lower:  # OGC web services (WMS 1.3.0 section 6.9.1)
        name = lower["request"]
    elif "op" in found and found["op"][0].isupper():  # WebHDFS
        name = found["op"][0]
    elif _SCRIPT.search(trace.path):
        name = next((lower[each] for each in ("action", "op", "cmd") if each in lower), "")
    if not _NAME.fullmatch(name) or not _told(name):
        return ()
    return (Part(trace, _place(trace, name)),)


def _batch(trace: Trace, items: list[Any]) -> Sequence[Part]:
    names = [_name(item) for item in items[:MAX_BATCH]]
    if not names or not all(names):
        return ()
    answers: list[Any] = []
    if trace.response_body[:1] == b"[":
        try:
            answers = orjson.loads(trace.response_body)
        except ValueError:
            answers = []
    parts = []
    by_id = {
        each.get("id"): each for each in answers if _is_rpc(each) and isinstance(each.get("id"), (str, int))
    }
    for number, (item, name) in enumerate(zip(items[:MAX_BATCH], names, strict=False)):
        response = orjson.dumps(answers[number]) if len(answers) == len(items) else b""
        if _is_rpc(item):  # answered in any order, notifications not at all (JSON-RPC 2.0, section 6)
            answer = by_id.get(item["id"]) if isinstance(item.get("id"), (str, int)) else None
            response = b"" if answer is None else orjson.dumps(answer)
        status = NOT_THERE if _is_rpc(item) and _NOT_FOUND.search(response) else trace.status
        part = msgspec.structs.replace(
            trace, status=status, request_body=orjson.dumps(item), response_body=response
        )
        parts.append(Part(part, _place(trace, name)))
    if len(items) > MAX_BATCH:
        others = msgspec.structs.replace(trace, request_body=b"", response_body=b"")
        parts.append(Part(others, _place(trace, OVERFLOW)))
    return parts


def _asked(trace: Trace) -> Sequence[Part]:
    try:
        found = parse_qs(trace.query, max_num_fields=100)
    except ValueError:
        return ()
    asked: dict[str, Any] = {name: values[0] for name, values in found.items()}
    if "extensions" in asked:
        try:
            asked["extensions"] = orjson.loads(asked["extensions"])
        except ValueError:
            del asked["extensions"]
    name = _name(asked)
    return (Part(trace, _place(trace, name)),) if name else ()


def _name(request: Any) -> str:
    """Return the operation that *request* asks for, empty for none: its type and name (GraphQL over HTTP), or
    its method (JSON-RPC)."""
    if not isinstance(request, Mapping):
        return ""
    if _is_rpc(request):
        method = request.get("method")
        return _told(method) if isinstance(method, str) and _RPC_METHOD.fullmatch(method) else ""
    document, named = request.get("query"), request.get("operationName")
    wanted = named if isinstance(named, str) and graphql.is_name(named) else ""
    if isinstance(document, str) and document:
        operations = graphql.read_operations(document)
        operation = next((o for o in operations if o.name == wanted), operations[0] if operations else None)
        if operation is None:
            return ""
        return f"{operation.type}.{_told(operation.name) or '~' + '+'.join(operation.fields)}"
    extensions = request.get("extensions")
    if isinstance(extensions, Mapping) and "persistedQuery" in extensions:
        # Only its hash is sent: the type is not known.
        return f"operation.{_told(wanted) or '~'}"
    return ""


def _is_rpc(message: Any) -> bool:
    return isinstance(message, Mapping) and message.get("jsonrpc") == "2.0"


def _told(name: str) -> str:
    """Return *name* unless it looks like a value, which a hostile client may send."""
    return "" if "{" in segment_key(name or "_", False) else name


def _place(trace: Trace, name: str) -> tuple[str, ...]:
    return (*path_keys(trace.path), OPERATIONS, name.replace("/", "%2F"))
