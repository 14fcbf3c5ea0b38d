"""An application's catalog as an OpenAPI document, in an order that only changes with what is learned."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, NamedTuple

from levo.satellite.learn.knowledge import UNKNOWN_CODE
from levo.satellite.learn.paths.operation_names import is_unproven
from levo.satellite.learn.schema import MATRIX, Body, Knowledge, Node, media_kind
from levo.satellite.learn.schema import Response as LearnedResponse
from levo.satellite.learn.sensitive import Detection, Rule
from levo.satellite.learn.trace import DEFAULT_PORTS
from levo.satellite.openapi.components import is_list, share_schemas
from levo.satellite.openapi.examples import example_of, holds_schema
from levo.satellite.openapi.hosts import host_groups
from levo.satellite.openapi.naming import Place, Title, titles
from levo.satellite.openapi.operation import VARIABLE, Operation, anonymous
from levo.satellite.openapi.schema import OBJECTS, Schema, SchemaWriter, sensitive_note

SENT_FROM = 5
"""Accepted requests after which a parameter or a body that all of them had is required."""
VERSIONS = {"3.0": "3.0.3", "3.1": "3.1.0"}
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_WORD = re.compile(r"[A-Za-z0-9]+")
_CODE = re.compile(r"[1-5][0-9]{2}")


@dataclass(frozen=True, slots=True)
class SensitiveField:
    """Sensitive data somewhere in an operation."""

    position: str
    """``path``, ``query``, ``request-header``, ``cookie``, ``request-body``, ``response-header`` or
    ``response-body``."""
    status: str
    """Of the response; empty for a request."""
    pointer: str
    detection: Detection

    @property
    def direction(self) -> str:
        """``request`` or ``response``."""
        return "response" if self.position.startswith("response") else "request"


def render_document(
    title: str,
    operations: Iterable[Operation],
    *,
    version: str = "3.1",
    rules: Sequence[Rule] = (),
    annotate: bool = True,
    shared: bool = True,
) -> dict[str, Any]:
    """Return the OpenAPI document of an application.

    Equal operations, in any order, give equal documents. *version* is ``3.0`` or ``3.1``; with *annotate*,
    operations carry ``x-levo-traffic`` (counts, times, confidence) and schemas ``x-levo-objects`` (how many
    objects each is learned from), which change with every request. With *shared*, object schemas have names
    under ``components.schemas``, and hosts that serve other APIs have paths of their own or are named as left
    out (``x-levo-other-hosts``); without, each schema stands where it holds, and hosts are not told apart.
    """
    operations = list(operations)
    groups = host_groups(operations) if shared else [operations]
    main, *apart = groups or [[]]
    joined = _joined(main)
    schemes: dict[str, Schema] = {}
    paths: dict[str, dict[str, Any]] = {}
    others: dict[str, list[str]] = {}
    elsewhere, left_out = _apart(joined, apart)
    for operation in (*joined, *elsewhere):
        method = operation.method.lower()
        shown = _shown(operation)
        if method not in _METHODS:
            others.setdefault(shown, []).append(operation.method)
            continue
        writer = _OperationWriter(operation, version, rules)
        written = writer.write(schemes, annotate=annotate)
        paths.setdefault(shown, {})[method] = written
    document: dict[str, Any] = {
        "openapi": VERSIONS[version],
        "info": {
            "title": title,
            "version": "learned",
            "description": "Learned from traffic. Examples are made up.",
        },
    }
    servers = _servers(main)
    if servers:
        document["servers"] = servers
    document["paths"] = {path: dict(sorted(paths[path].items())) for path in sorted(paths)}
    named = _name(document["paths"])
    if tags := sorted({title.tag for title in named.values() if title.tag}):
        document["tags"] = [{"name": tag} for tag in tags]
    if shared:
        share_schemas(document, named)
    if not annotate:
        _remove(document, OBJECTS)
    if schemes:
        document.setdefault("components", {})["securitySchemes"] = dict(sorted(schemes.items()))
    served = {
        operation.host: servers for group in apart for servers in [_servers(group)] for operation in group
    }
    for operation in elsewhere:
        item = document["paths"].get(_shown(operation))
        if item is not None:
            item["servers"] = served[operation.host]
    if left_out:
        document["x-levo-other-hosts"] = left_out
    if others:
        document["x-levo-other-methods"] = {path: sorted(found) for path, found in sorted(others.items())}
    return document


def sensitive_fields(operation: Operation, rules: Sequence[Rule] = ()) -> list[SensitiveField]:
    """Return what is sensitive in the messages of *operation*."""
    writer = _OperationWriter(operation, "3.1", rules)
    writer.write({}, annotate=False)
    return writer.sensitive


def _name(paths: dict[str, dict[str, Any]]) -> dict[tuple[str, str], Title]:
    """Give the operations of *paths* ids, summaries and tags; return them by method and path."""
    named = titles(
        [
            Place(method.upper(), path, *_lists(operation))
            for path, item in paths.items()
            for method, operation in item.items()
        ]
    )
    for (method, path), title in named.items():
        about: dict[str, Any] = {"operationId": title.operation_id, "summary": title.summary}
        if title.tag:
            about["tags"] = [title.tag]
        paths[path][method.lower()] = {**about, **paths[path][method.lower()]}
    return named


def _lists(operation: Mapping[str, Any]) -> tuple[bool, bool]:
    """Whether a successful response is an array, and whether one is an object with one list of objects."""
    schemas = [
        content["schema"]
        for status, response in operation["responses"].items()
        if status[0] == "2"
        for content in response.get("content", {}).values()
    ]
    wraps = any(sum(map(is_list, each.get("properties", {}).values())) == 1 for each in schemas)
    return any(each.get("type") == "array" for each in schemas), wraps


def _remove(value: Any, key: str) -> None:
    """Take *key* out of all objects inside *value*."""
    if isinstance(value, dict):
        value.pop(key, None)
        for each in value.values():
            _remove(each, key)
    elif isinstance(value, list):
        for each in value:
            _remove(each, key)


def _shown(operation: Operation) -> str:
    """Return the path of *operation* as OpenAPI has it.

    OpenAPI knows no parameter of several segments, and has a variable for each parameter that a segment
    carries (``/cars{color}`` for ``/cars;color=red``).
    """
    parts = _plain(operation.path).split("/")
    for each in _carried(operation):
        if each.always:
            parts[each.position + 1] += "{" + each.name + "}"
    return "/".join(parts)


class _Carried(NamedTuple):
    """A parameter that a path segment carries."""

    position: int
    name: str
    node: Node
    always: bool
    """Always there, and told from the others by its name: no path parameter of OpenAPI may be missing."""


def _carried(operation: Operation) -> Iterator[_Carried]:
    known = operation.knowledge
    taken = set(VARIABLE.findall(_plain(operation.path)))
    segments = operation.path.count("/")
    positions = sorted(int(key[1:]) for key in known.segments if key[0] == MATRIX)
    for position in positions:
        for name, node in sorted(known.segments[f"{MATRIX}{position}"].children.items()):
            told = position < segments and name not in taken and not set("{}/").intersection(name)
            yield _Carried(position, name, node, told and node.total >= known.accepted >= SENT_FROM)
            taken.add(name)


def _plain(path: str) -> str:
    return VARIABLE.sub(lambda found: "{" + found[1].rstrip("+*") + "}", path)


def _apart(
    joined: Sequence[Operation], apart: Sequence[Sequence[Operation]]
) -> tuple[list[Operation], list[dict[str, Any]]]:
    """Return what the document has of other APIs, and what it leaves out.

    A document has each path once: what another API has under the same path is left out, and named.
    """
    taken = {anonymous(operation.path) for operation in joined}
    kept: list[Operation] = []
    left_out = []
    for group in apart:
        mine = _joined(group)
        out = [operation for operation in mine if anonymous(operation.path) in taken]
        kept.extend(operation for operation in mine if anonymous(operation.path) not in taken)
        taken.update(anonymous(operation.path) for operation in mine)
        if out:
            hosts = [url["url"] for url in _servers(group)]
            left_out.append({"servers": hosts, "left-out": [f"{o.method} {_shown(o)}" for o in out]})
    return kept, left_out


def _servers(operations: Iterable[Operation]) -> list[dict[str, str]]:
    """Return the servers of *operations* by name, https first: each scheme seen, http while none is known."""
    seen: dict[str, set[str]] = {}
    for operation in operations:
        if operation.host:
            seen.setdefault(operation.host, set()).update(operation.schemes)
    urls = [
        f"{scheme}://{host.removesuffix(f':{DEFAULT_PORTS[scheme]}')}"
        for host, schemes in sorted(seen.items())
        for scheme in sorted(schemes or {"http"}, reverse=True)
    ]
    return [{"url": url} for url in dict.fromkeys(urls)]


def _joined(operations: Iterable[Operation]) -> list[Operation]:
    """Join the operations of several hosts that have method and path in common; in order."""
    found: dict[tuple[str, str], Operation] = {}
    names: dict[str, str] = {}
    named = [operation for operation in operations if not is_unproven(operation.path)]
    for operation in sorted(named, key=lambda o: (o.path, o.method, o.host)):
        path = names.setdefault(anonymous(operation.path), operation.path)
        key = (path, operation.method)
        known = found.get(key)
        if known is None:
            copy = Operation(operation.method, path, operation.host, Knowledge())
            copy.first_seen_ns, copy.confidence = operation.first_seen_ns, operation.confidence
            known = found[key] = copy
        known.knowledge.absorb(operation.knowledge)
        known.exchanges += operation.exchanges
        known.unnamed = max(known.unnamed, operation.unnamed)
        statuses = dict(known.statuses)
        for status, count in operation.statuses.items():
            statuses[status] = statuses.get(status, 0.0) + count
        known.statuses = statuses
        known.first_seen_ns = min(known.first_seen_ns, operation.first_seen_ns)
        known.last_seen_ns = max(known.last_seen_ns, operation.last_seen_ns)
        known.confidence = min(known.confidence, operation.confidence)
    return list(found.values())


class _OperationWriter:
    def __init__(self, operation: Operation, version: str, rules: Sequence[Rule]) -> None:
        self._operation = operation
        self._path = _plain(operation.path)
        self._version = version
        self._rules = rules
        self.sensitive: list[SensitiveField] = []

    def write(self, schemes: dict[str, Schema], *, annotate: bool) -> dict[str, Any]:
        operation, known = self._operation, self._operation.knowledge
        written: dict[str, Any] = {}
        parameters = self._parameters(known)
        if parameters:
            written["parameters"] = parameters
        if sometimes := [each for each in _carried(operation) if not each.always]:
            written["x-levo-matrix-parameters"] = [
                {
                    "name": each.name,
                    "segment": each.position,
                    "schema": self._text(each.node, each.name, "path"),
                }
                for each in sometimes
            ]
        if known.bodies:
            body: dict[str, Any] = {"content": self._content(known.bodies, "request-body", "", False)}
            if sum(b.seen for b in known.bodies.values()) >= known.heads >= SENT_FROM:
                body["required"] = True
            written["requestBody"] = body
        written["responses"] = self._responses(known)
        if known.auth:
            written["security"] = _security(known.auth, schemes, self._version)
        if annotate:
            written["x-levo-traffic"] = {
                "count": round(operation.exchanges),
                "statuses": {status: round(n) for status, n in sorted(operation.statuses.items())},
                "first-seen": _time(operation.first_seen_ns),
                "last-seen": _time(operation.last_seen_ns),
                "confidence": round(operation.confidence, 2),
            }
        if operation.unnamed and annotate:
            written["x-levo-unproven-names"] = operation.unnamed
        if self.sensitive:
            written["x-levo-sensitive"] = sorted({field.detection.kind for field in self.sensitive})
        return written

    def _parameters(self, known: Knowledge) -> list[dict[str, Any]]:
        written = []
        keys = {scheme for combination in known.auth for scheme in combination.split("+")}
        for position, segment in enumerate(part for part in self._path.split("/") if part):
            names = VARIABLE.findall(segment)
            node = known.segments.get(str(position)) if len(names) == 1 and segment[0] == "{" else None
            for name in names:
                schema: Schema = {"type": "string"}
                if node is not None:
                    schema = self._text(node, name, "path") or schema
                written.append(_parameter(name, "path", True, schema))
        for each in _carried(self._operation):
            if each.always:
                schema = self._text(each.node, each.name, "path")
                written.append(
                    {**_parameter(each.name, "path", True, schema), "style": "matrix", "explode": True}
                )
        for place, position_name, node in (
            ("query", "query", known.query),
            ("header", "request-header", known.headers),
            ("cookie", "cookie", known.cookies),
        ):
            for name, child in sorted(node.children.items()):
                if f"{place}:{name}" in keys:
                    continue  # a credential, which the security schemes say
                requests = known.accepted if place == "query" else known.heads
                required = child.total >= requests >= SENT_FROM
                schema = self._text(child, name, position_name)
                if not (place == "header" and name in ("accept", "content-type", "authorization")):
                    written.append(_parameter(name, place, required, schema))
        return written

    def _text(self, node: Node, name: str, position: str, status: str = "") -> Schema:
        writer = SchemaWriter(self._version, closed=False, rules=self._rules)
        schema = writer.write_text(node, name, "", name)
        self._note(writer, position, status)
        return schema

    def _note(self, writer: SchemaWriter, position: str, status: str) -> None:
        self.sensitive.extend(
            SensitiveField(position, status, f.pointer, f.detection) for f in writer.detections
        )

    def _content(
        self, bodies: Mapping[str, Body], position: str, status: str, closed: bool
    ) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for media, body in sorted(bodies.items()):
            writer = SchemaWriter(self._version, closed=closed, rules=self._rules)
            schema = _body_schema(writer, media, body)
            self._note(writer, position, status)
            content[media] = {"schema": schema}
            if body.learned and media_kind(media) in ("json", "form"):
                example = example_of(schema)
                if not holds_schema(example):
                    content[media]["example"] = example
        return content

    def _responses(self, known: Knowledge) -> dict[str, Any]:
        written: dict[str, Any] = {}
        for status, response in sorted(_by_code(known.responses).items()):
            written[status] = self._response(status, response)
        return written or {"default": {"description": "No response has been seen."}}

    def _response(self, status: str, response: LearnedResponse) -> dict[str, Any]:
        written: dict[str, Any] = {"description": _phrase(status)}
        headers = {
            name: {"schema": self._text(node, name, "response-header", status)}
            for name, node in sorted(response.headers.children.items())
        }
        if headers:
            written["headers"] = headers
        if response.bodies:
            written["content"] = self._content(response.bodies, "response-body", status, True)
        return written


def _body_schema(writer: SchemaWriter, media: str, body: Body) -> Schema:
    if not body.learned:
        return {}
    kind, node = media_kind(media), body.schema
    if kind == "xml" and len(node.children) == 1:
        ((name, root),) = node.children.items()
        return {**writer.write(root, name, "", name, xml=True), "xml": {"name": name}}
    schema = writer.write(node, xml=kind == "xml")
    if kind == "csv":
        return {"type": "string", "x-levo-records": schema}
    if kind == "lines":
        return {"type": "string", "x-levo-records": schema}
    return schema


def _parameter(name: str, place: str, required: bool, schema: Schema) -> dict[str, Any]:
    written: dict[str, Any] = {"name": name, "in": place}
    if required:
        written["required"] = True
    written["schema"] = schema
    return written


def _security(
    auth: Mapping[str, int], schemes: dict[str, Schema], version: str
) -> list[dict[str, list[str]]]:
    """Return the alternatives that were seen to succeed, registering their schemes."""
    if set(auth) == {"none"}:
        return []
    found: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for combination in auth:
        names = []
        for scheme in () if combination == "none" else combination.split("+"):
            name, definition = _scheme(scheme, version)
            if definition:
                schemes[name] = definition
                names.append(name)
        key = tuple(sorted(set(names)))
        found[key] = {name: [] for name in key}
    return [found[key] for key in sorted(found)]


def _scheme(scheme: str, version: str) -> tuple[str, Schema]:
    kind, _, rest = scheme.partition(":")
    if kind in ("header", "query", "cookie"):
        name = "".join(word.title() for word in _WORD.findall(rest))
        return f"{kind}{name}", {"type": "apiKey", "in": kind, "name": rest}
    if kind == "bearer":
        definition: Schema = {"type": "http", "scheme": "bearer"}
        if rest.startswith("jwt"):
            definition["bearerFormat"] = "JWT"
        return "bearer", definition
    if kind == "mutual-tls":
        return "mutualTls", {} if version == "3.0" else {"type": "mutualTLS"}
    return "".join(_WORD.findall(kind)), {"type": "http", "scheme": kind}


def _by_code(responses: Mapping[str, LearnedResponse]) -> dict[str, LearnedResponse]:
    """Return *responses* by what may be a key of an OpenAPI document; those of no status code are one."""
    found = {code: response for code, response in responses.items() if _CODE.fullmatch(code)}
    others = [response for code, response in responses.items() if code not in found]
    if others:
        found[UNKNOWN_CODE] = joined = LearnedResponse()
        for response in others:
            joined.absorb(response)
    return found


def _phrase(status: str) -> str:
    if status == UNKNOWN_CODE:
        return "A response without a valid status code."
    try:
        return HTTPStatus(int(status)).phrase
    except ValueError:
        return f"Status {status}"


def _time(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


__all__ = [
    "VERSIONS",
    "Operation",
    "SensitiveField",
    "anonymous",
    "render_document",
    "sensitive_fields",
    "sensitive_note",
]
